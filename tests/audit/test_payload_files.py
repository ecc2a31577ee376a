"""Payloads wherever they lie: the same bytes, the same verdict, and no more memory than a block."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile

import numpy as np
import pytest

from audit import payload_files
from audit.payload_files import FolderPayloads, PayloadFiles, ZipPayloads, payload_member
from store.errors import CommitmentError, PayloadMissingError

Place = Callable[[Path, dict[str, bytes]], PayloadFiles]
VALUES = np.arange(3000, dtype="<f8").reshape(3, 1000)


def in_folder(folder: Path, contents: dict[str, bytes]) -> PayloadFiles:
    for commitment, content in contents.items():
        path = folder / commitment[:2] / commitment
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    return FolderPayloads(folder)


def in_zip(folder: Path, contents: dict[str, bytes], compression: int = ZIP_STORED) -> PayloadFiles:
    with ZipFile(folder / "log.tally", "w", compression) as archive:
        archive.writestr("before", b"something of another length")
        for commitment, content in contents.items():
            archive.writestr(payload_member(commitment), content)
    archive = ZipFile(folder / "log.tally")
    return ZipPayloads(folder / "log.tally", archive, frozenset(archive.namelist()))


def in_compressed_zip(folder: Path, contents: dict[str, bytes]) -> PayloadFiles:
    return in_zip(folder, contents, ZIP_DEFLATED)


everywhere = pytest.mark.parametrize("place", [in_folder, in_zip, in_compressed_zip])


def salted(plaintext: bytes) -> tuple[str, bytes]:
    content = bytes(range(32)) + plaintext
    return hashlib.sha256(content).hexdigest(), content


@everywhere
@pytest.mark.parametrize("plaintext", [b"", b"x", VALUES.tobytes()])
def test_a_payload_is_the_same_wherever_it_lies(
    place: Place, plaintext: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(payload_files, "BLOCK_BYTES", 1000)
    commitment, content = salted(plaintext)
    files = place(tmp_path, {commitment: content})
    assert files.has(commitment)
    assert files.digest_and_size(commitment) == (commitment, len(plaintext))
    assert files.read(commitment) == plaintext
    with files.open_salted(commitment) as file:
        assert file.read(32) + file.read() == content
    shape = (len(plaintext),)
    assert files.array(commitment, "u1", shape).tobytes() == plaintext


@everywhere
def test_a_table_is_an_array_that_nobody_can_write_to(place: Place, tmp_path: Path) -> None:
    commitment, content = salted(VALUES.tobytes())
    array = place(tmp_path, {commitment: content}).array(commitment, "<f8", VALUES.shape)
    assert np.array_equal(array, VALUES)
    assert not array.flags.writeable


@everywhere
@pytest.mark.parametrize("change", [lambda x: x[:-1] + b"\1", lambda x: x[:-8], lambda x: x + x])
def test_other_bytes_are_refused_in_the_same_words(
    place: Place, change: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    commitment, content = salted(VALUES.tobytes())
    files = place(tmp_path, {commitment: change(content)})
    assert files.digest_and_size(commitment)[0] != commitment
    for read in (files.read, lambda name: files.array(name, "<f8", VALUES.shape)):
        with pytest.raises(CommitmentError, match="is not what was committed to"):
            read(commitment)


@everywhere
@pytest.mark.parametrize("shape", [(3, 999), (-3, -1000), (3001,)])
def test_an_array_accounts_for_every_byte(
    place: Place, shape: tuple[int, ...], tmp_path: Path
) -> None:
    commitment, content = salted(VALUES.tobytes())
    files = place(tmp_path, {commitment: content})
    with pytest.raises(CommitmentError, match="no array of the shape it says"):
        files.array(commitment, "<f8", shape)


@everywhere
def test_what_is_not_here_is_said_to_be_missing(place: Place, tmp_path: Path) -> None:
    files = place(tmp_path, dict([salted(b"x")]))
    with pytest.raises(PayloadMissingError, match="is not with this log"):
        files.array("0" * 64, "u1", (1,))


@pytest.mark.parametrize("place", [in_folder, in_zip])
def test_a_wide_table_read_column_by_column_is_hashed_once(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commitment, content = salted(VALUES.tobytes())
    files = place(tmp_path, {commitment: content})
    hashed: list[str] = []
    digest_and_size = files.digest_and_size

    def counted(name: str) -> tuple[str, int]:
        hashed.append(name)
        return digest_and_size(name)

    monkeypatch.setattr(files, "digest_and_size", counted)
    for _ in range(5):
        files.array(commitment, "<f8", VALUES.shape)
    assert hashed == [commitment]


def test_a_file_that_ends_early_is_not_what_was_committed_to(tmp_path: Path) -> None:
    commitment, content = salted(VALUES.tobytes())
    files = in_zip(tmp_path, {commitment: content})
    whole = (tmp_path / "log.tally").read_bytes()
    (tmp_path / "log.tally").write_bytes(whole[:10_000])
    assert files.digest_and_size(commitment)[0] != commitment

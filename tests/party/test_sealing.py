"""Sealing: every reader opens the payload, nobody else does, and no change goes unnoticed."""

import hashlib
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyrage import x25519

from party.errors import SealingError
from party.sealing import HashingReader, SealedFile, seal, sealed_file, unseal

READERS = [x25519.Identity.generate() for _ in range(3)]
KEYS = [str(reader.to_public()) for reader in READERS]


def sealed_from(folder: Path, content: bytes, keys: list[str] = KEYS) -> SealedFile:
    (folder / "plain").write_bytes(content)
    return seal(folder / "plain", folder / "sealed", keys)


def open_sealed(path: Path, target: Path, reader: x25519.Identity) -> None:
    with closing(HashingReader([path])) as source:
        unseal(source, target, [reader])


@given(content=st.binary(max_size=200_000))
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_reader_opens_it(tmp_path: Path, content: bytes) -> None:
    sealed = sealed_from(tmp_path, content)
    for reader in READERS:
        open_sealed(sealed.path, tmp_path / "opened", reader)
        assert (tmp_path / "opened").read_bytes() == content


def test_a_sealed_file_is_named_by_the_hash_of_its_bytes(tmp_path: Path) -> None:
    sealed = sealed_from(tmp_path, b"secret")
    content = sealed.path.read_bytes()
    assert sealed.digest == hashlib.sha256(content).hexdigest()
    assert sealed.size == len(content)
    assert b"secret" not in content


def test_who_is_no_reader_cannot_open_it(tmp_path: Path) -> None:
    sealed = sealed_from(tmp_path, b"secret", KEYS[:2])
    with pytest.raises(SealingError):
        open_sealed(sealed.path, tmp_path / "opened", READERS[2])


@pytest.mark.parametrize("position", [5, 150, 70_000, -1])
def test_one_changed_byte_is_noticed(tmp_path: Path, position: int) -> None:
    sealed = sealed_from(tmp_path, b"x" * 100_000)
    content = bytearray(sealed.path.read_bytes())
    content[position] ^= 1
    sealed.path.write_bytes(content)
    with pytest.raises(SealingError):
        open_sealed(sealed.path, tmp_path / "opened", READERS[0])


@pytest.mark.parametrize("length", [0, 10, 300, 65_000, 99_000])
def test_a_cut_is_noticed(tmp_path: Path, length: int) -> None:
    sealed = sealed_from(tmp_path, b"x" * 100_000)
    sealed.path.write_bytes(sealed.path.read_bytes()[:length])
    with pytest.raises(SealingError):
        open_sealed(sealed.path, tmp_path / "opened", READERS[0])


def test_chunks_are_read_as_one_and_hashed_to_the_end(tmp_path: Path) -> None:
    paths = [tmp_path / str(number) for number in range(3)]
    for path, content in zip(paths, (b"one", b"", b"two"), strict=True):
        path.write_bytes(content)
    reader = HashingReader(paths)
    assert reader.read(2) == b"on"
    assert reader.digest() == hashlib.sha256(b"onetwo").hexdigest()
    assert reader.size == 6


def test_what_was_sealed_is_found_again_unless_it_is_damaged(tmp_path: Path) -> None:
    assert sealed_file(tmp_path / "sealed") is None
    sealed = sealed_from(tmp_path, b"secret")
    assert sealed_file(tmp_path / "sealed") == sealed
    sealed.path.write_bytes(b"half")
    assert sealed_file(tmp_path / "sealed") is None

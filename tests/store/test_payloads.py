"""Payloads by commitment: SHA-256(salt ‖ plaintext) names the file (design, Events)."""

import hashlib
import os
import resource
import signal
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from store import (
    CommitmentError,
    PayloadMissingError,
    PayloadStore,
    StoreFullError,
    StoreReadOnlyError,
    StoreUnreachableError,
)
from store.small_payloads import LARGEST_SMALL

SALT = bytes(range(32))
ABSENT = "ab" * 32


@pytest.fixture
def payloads(tmp_path: Path) -> PayloadStore:
    return PayloadStore(tmp_path / "payloads")


@pytest.fixture
def small_disk() -> Iterator[None]:
    """No file of this process may grow beyond 64 KiB: the kernel itself refuses."""
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64 * 1024, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    signal.signal(signal.SIGXFSZ, handler)


def files(payloads: PayloadStore) -> list[Path]:
    return [path for path in payloads.folder.rglob("*") if path.is_file()]


@given(salt=st.binary(min_size=32, max_size=32), chunks=st.lists(st.binary(max_size=2000)))
@settings(max_examples=50, deadline=None)
def test_what_is_put_is_read_under_its_commitment(salt: bytes, chunks: list[bytes]) -> None:
    plaintext = b"".join(chunks)
    with TemporaryDirectory() as folder:
        payloads = PayloadStore(Path(folder))

        stored = payloads.put(salt, iter(chunks))

        assert stored.commitment == hashlib.sha256(salt + plaintext).hexdigest()
        assert stored.size == payloads.size(stored.commitment) == len(plaintext)
        assert payloads.read(stored.commitment) == plaintext
        assert payloads.salted_file(stored.commitment).read_bytes() == salt + plaintext
        with payloads.open(stored.commitment) as stream:
            assert stream.read() == plaintext
        payloads.verify(stored.commitment)
        assert list(payloads) == [stored.commitment]


def test_the_same_payload_is_stored_once(payloads: PayloadStore) -> None:
    first = payloads.put(SALT, [b"abc"])
    assert payloads.put(SALT, [b"a", b"bc"]) == first
    assert len(files(payloads)) == 1


def test_the_salt_hides_equal_plaintexts(payloads: PayloadStore) -> None:
    first, other = payloads.put(SALT, [b"1"]), payloads.put(SALT[::-1], [b"1"])
    assert first.commitment != other.commitment
    assert list(payloads) == sorted([first.commitment, other.commitment])


def test_payloads_survive_reopening_and_belong_to_their_owner(payloads: PayloadStore) -> None:
    commitment = payloads.put(SALT, [b"abc"]).commitment

    again = PayloadStore(payloads.folder)

    assert again.read(commitment) == b"abc"
    assert again.salted_file(commitment).relative_to(again.folder) == Path(
        commitment[:2], commitment
    )
    for path in [again.folder, *again.folder.rglob("*")]:
        assert path.stat().st_mode & 0o077 == 0


def test_a_salt_has_its_full_length(payloads: PayloadStore) -> None:
    with pytest.raises(CommitmentError, match="32 bytes"):
        payloads.put(SALT[:-1], [b"abc"])


def test_a_received_file_is_moved_in_if_it_is_what_was_committed(
    payloads: PayloadStore, tmp_path: Path
) -> None:
    received = tmp_path / "received"
    received.write_bytes(SALT + b"abc")
    commitment = hashlib.sha256(SALT + b"abc").hexdigest()

    assert payloads.adopt(received, commitment).size == 3

    assert payloads.read(commitment) == b"abc"
    assert not received.exists()


@pytest.mark.parametrize("content", [SALT + b"abd", SALT, b"", b"short"])
def test_a_received_file_that_is_something_else_is_refused(
    payloads: PayloadStore, tmp_path: Path, content: bytes
) -> None:
    received = tmp_path / "received"
    received.write_bytes(content)

    with pytest.raises(CommitmentError, match="not what its issuer committed to"):
        payloads.adopt(received, hashlib.sha256(SALT + b"abc").hexdigest())

    assert received.read_bytes() == content
    assert files(payloads) == []


def test_a_file_without_a_salt_is_no_payload(payloads: PayloadStore, tmp_path: Path) -> None:
    received = tmp_path / "received"
    received.write_bytes(b"short")
    with pytest.raises(CommitmentError):
        payloads.adopt(received, hashlib.sha256(b"short").hexdigest())


def test_a_received_file_may_lie_on_another_disk(
    payloads: PayloadStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    received = tmp_path / "received"
    received.write_bytes(SALT + b"abc")
    commitment = hashlib.sha256(SALT + b"abc").hexdigest()
    replace = Path.replace

    def across_disks(self: Path, target: Path) -> Path:
        if self == received:
            raise OSError(18, os.strerror(18))
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", across_disks)

    assert payloads.adopt(received, commitment).commitment == commitment
    assert payloads.read(commitment) == b"abc"
    assert not received.exists()


@pytest.mark.parametrize("rows", [3, LARGEST_SMALL])
@pytest.mark.parametrize("dtype", ["u1", "<i8", "<f8"])
def test_a_payload_is_an_array_on_its_file(payloads: PayloadStore, dtype: str, rows: int) -> None:
    """A small one is read at once: that takes less than to map it."""
    values = np.arange(rows * 4).astype(dtype).reshape(rows, 4)
    commitment = payloads.put(SALT, [values.tobytes()]).commitment

    array = payloads.array(commitment, dtype, (rows, 4))

    np.testing.assert_array_equal(array, values)
    assert array.dtype == np.dtype(dtype)
    assert isinstance(array, np.memmap) == (rows == LARGEST_SMALL)
    with pytest.raises(ValueError, match="read-only"):
        array[0, 0] = 1


def test_an_empty_array_is_an_array(payloads: PayloadStore) -> None:
    commitment = payloads.put(SALT, []).commitment
    array = payloads.array(commitment, "<i8", (0, 4))
    assert array.shape == (0, 4)
    assert not array.flags.writeable


@pytest.mark.parametrize(
    ("dtype", "shape"),
    [("<i8", (3,)), ("<i8", (1,)), ("u1", (4, 5)), ("O", (2,)), ("<i8", (-1, -2)), ("<i8", ())],
)
def test_an_array_accounts_for_every_byte(
    payloads: PayloadStore, dtype: str, shape: tuple[int, ...]
) -> None:
    commitment = payloads.put(SALT, [bytes(16)]).commitment
    with pytest.raises(CommitmentError, match="16 bytes"):
        payloads.array(commitment, dtype, shape)


def test_an_altered_file_is_found_out(payloads: PayloadStore) -> None:
    commitment = payloads.put(SALT, [b"abc"]).commitment
    payloads.salted_file(commitment).write_bytes(SALT + b"abd")

    with pytest.raises(CommitmentError, match=commitment[:12]):
        payloads.verify(commitment)
    with pytest.raises(CommitmentError, match=commitment[:12]):
        payloads.read(commitment)


def test_an_unknown_payload_is_named_by_its_commitment(payloads: PayloadStore) -> None:
    assert not payloads.has(ABSENT)
    for ask in (
        payloads.read,
        payloads.open,
        payloads.size,
        payloads.verify,
        payloads.salted_file,
        lambda commitment: payloads.array(commitment, "u1", (1,)),
    ):
        with pytest.raises(PayloadMissingError, match=ABSENT[:12]):
            ask(ABSENT)


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "AB" * 32, "ab" * 31, "g" * 64])
def test_only_commitments_name_files(payloads: PayloadStore, name: str) -> None:
    for ask in (payloads.read, payloads.has):
        with pytest.raises(CommitmentError):
            ask(name)


@pytest.mark.usefixtures("small_disk")
def test_a_full_disk_is_told_and_leaves_no_file(payloads: PayloadStore) -> None:
    with pytest.raises(StoreFullError, match="no space is left"):
        payloads.put(SALT, (bytes(1024) for _ in range(100)))

    assert files(payloads) == []
    assert payloads.read(payloads.put(SALT, [b"abc"]).commitment) == b"abc"


def test_a_source_that_fails_midway_leaves_no_file(payloads: PayloadStore) -> None:
    def source() -> Iterator[bytes]:
        yield b"abc"
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        payloads.put(SALT, source())
    assert files(payloads) == []


def test_the_leftovers_of_a_killed_process_are_removed_in_time(payloads: PayloadStore) -> None:
    dead, alive = (payloads.folder / "incoming" / name for name in ("dead", "alive"))
    for path in (dead, alive):
        path.touch()
    os.utime(dead, (0, 0))

    PayloadStore(payloads.folder)

    assert files(payloads) == [alive]


@pytest.mark.parametrize(
    ("number", "expected"),
    [(13, StoreReadOnlyError), (30, StoreReadOnlyError), (5, StoreUnreachableError)],
)
def test_a_failing_folder_is_told(
    payloads: PayloadStore, monkeypatch: pytest.MonkeyPatch, number: int, expected: type[Exception]
) -> None:
    def fail(_descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(expected, match="payloads"):
        payloads.put(SALT, [b"abc"])
    assert files(payloads) == []

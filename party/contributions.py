"""What a member contributes to the data mart, and what the mart keeps (requirement A1).

A contribution is a Parquet file: a column `handle` (keyed hashes of ids in hexadecimal, sorted, so
that the order of rows says nothing) and columns c1, c2 … of float64. Who contributes alone knows
what the columns mean; the mart has neither ids nor the key of the hashes.
"""

import os
import re
import secrets
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from events.mart import MOST_COLUMNS
from handlers.alignment import HANDLE_BYTES, handles_of
from party.choosing import SourceSettings
from party.errors import KeyFileError, SourceError
from party.identity import read_secret, write_secret
from party.joining import CELLS_IN_A_GROUP, HANDLE, Contribution, join
from party.sources import Table, read_source

KEY_BYTES = 32
ITEM_BYTES = 8
MAKE_ONE = "`tally mart contribute` makes one"
HANDLE_FORM = re.compile(rf"[0-9a-f]{{{2 * HANDLE_BYTES}}}")


def create_mart_key(path: Path) -> None:
    """A new key for the bank and the members; never over an existing file. Raises KeyFileError."""
    try:
        write_secret(path, f"{secrets.token_hex(KEY_BYTES)}\n".encode())
    except FileExistsError:
        raise KeyFileError(f"{path} exists: a key is never overwritten") from None
    except OSError as error:
        raise KeyFileError(f"{path} cannot be written: {error.strerror}") from error


def read_mart_key(path: Path) -> bytes:
    """Raises KeyFileError: not here, open to other users, or no such key."""
    try:
        key = bytes.fromhex(read_secret(path).decode().strip())
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise KeyFileError(f"{path} is no key of a mart: `tally mart key` makes one")
    return key


def contribute(source: SourceSettings, key: bytes, out: Path) -> tuple[str, ...]:
    """Write a contribution; returns what the columns c1, c2 … are, for the member alone.

    One column, or some rows of all, are in memory at a time; the rest is on the disk of `out`.
    Raises SourceError: a column of text, too many columns, and what `read_source` refuses.
    """
    table = read_source(source.model_copy(update=_absolute(source)), folder=out.absolute().parent)
    if table.label is not None and source.label is None:
        raise SourceError("a label may not go to a mart: leave its column out (--exclude)")
    check_columns(table)
    _write(out, lambda path: _write_sorted(path, table, key))
    return tuple(table.columns)


def _absolute(source: SourceSettings) -> dict[str, str]:
    return {} if source.file is None else {"file": str(Path(source.file).absolute())}


def _write_sorted(path: Path, table: Table, key: bytes) -> None:
    """Rows by handle: columns come one by one, and leave some rows at a time, by way of a file."""
    handles = np.array([handle.hex() for handle in handles_of(key, table.ids)])
    order, width = np.argsort(handles), len(table.columns)
    names = [f"c{place + 1}" for place in range(width)]
    schema = pa.schema([(HANDLE, pa.string()), *((name, pa.float64()) for name in names)])
    at_a_time = max(1, CELLS_IN_A_GROUP // width)
    with (
        tempfile.TemporaryFile(dir=path.parent) as file,
        pq.ParquetWriter(path, schema) as writer,
    ):
        for column in table.columns.values():
            file.write(np.asarray(column, np.float64)[order].tobytes())
        file.flush()
        for start in range(0, len(order), at_a_time):
            rows = order[start : start + at_a_time]
            arrays = [pa.array(handles[rows])]
            for place in range(width):
                begin = ITEM_BYTES * (place * len(order) + start)
                content = os.pread(file.fileno(), ITEM_BYTES * len(rows), begin)
                arrays.append(pa.array(np.frombuffer(content, np.float64)))
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))


def load_contributions(files: Sequence[Path], out: Path) -> tuple[int, int]:
    """Join contributions by handle into the mart's table; customers and columns of the result.

    A customer that one member lacks has missing values there. Some rows are in memory at a time.
    Raises SourceError, before `out` is touched.
    """
    contributions = [_checked_contribution(file) for file in files]
    width = sum(one.width for one in contributions)
    if not files or width > MOST_COLUMNS:
        raise SourceError(
            f"{width} columns in {len(files)} contributions: a mart has 1 to {MOST_COLUMNS}"
        )
    _write(out, lambda path: join(contributions, path))
    return pq.ParquetFile(out).metadata.num_rows, width


def check_columns(table: Table) -> None:
    """Numbers alone, and not too many. Raises SourceError."""
    if texts := [name for name, column in table.columns.items() if column.dtype == np.object_]:
        raise SourceError(
            f"{len(texts)} columns are text, {texts[0]} the first: a mart takes numbers alone; "
            "leave them out, or recode them"
        )
    if len(table.columns) > MOST_COLUMNS:
        raise SourceError(f"{len(table.columns)} columns: a mart takes at most {MOST_COLUMNS}")


def check_handles(ids: Sequence[str]) -> None:
    """Keyed hashes, not ids in the clear. Raises SourceError."""
    if wrong := sum(HANDLE_FORM.fullmatch(name) is None for name in ids):
        raise SourceError(
            f"{wrong} rows have something else than a keyed hash as their id: load contributions "
            "made by `tally mart contribute`"
        )


def _checked_contribution(file: Path) -> Contribution:
    """Raises SourceError."""
    try:
        schema = pq.read_schema(file)
        handles = pq.read_table(file, columns=[HANDLE])[HANDLE].to_pylist()
    except OSError as error:
        raise SourceError(f"{file} cannot be read: {error.strerror or 'it is damaged'}") from None
    except (pa.ArrowException, KeyError):
        raise SourceError(f"{file} is no contribution: {MAKE_ONE}") from None
    width = len(schema.names) - 1
    expected = [HANDLE, *(f"c{place}" for place in range(1, width + 1))]
    is_known = bool(width) and schema.names == expected
    if not is_known or any(schema.field(name).type != pa.float64() for name in expected[1:]):
        raise SourceError(f"{file} is no contribution: {MAKE_ONE}")
    check_handles([str(handle) for handle in handles])
    if repeated := len(handles) - len(set(handles)):
        raise SourceError(f"{file}: {repeated} rows repeat the handle of another row")
    if handles != sorted(handles):
        raise SourceError(f"{file} is not sorted by handle: `tally mart contribute` sorts it")
    return Contribution(file, np.array(handles, np.bytes_), width)


def _write(out: Path, write: Callable[[Path], object]) -> None:
    """Whole or not at all, and for this user alone."""
    unfinished = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        unfinished.touch(mode=0o600)
        write(unfinished)
        unfinished.replace(out)
    except OSError as error:
        raise SourceError(f"{out} cannot be written: {error.strerror or error}") from error
    finally:
        unfinished.unlink(missing_ok=True)

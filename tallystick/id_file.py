"""The customers to be scored, from a file: text, CSV or Parquet."""

import csv
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet

from party.choosing import ID_NAMES
from scoring.texts import Texts
from tallystick.errors import IdFileError

FEW = 1000
KNOWN_NAMES = ID_NAMES | {"id", "sample_id"}


def read_ids(path: Path, column: str | None = None) -> Sequence[str]:
    """Ids as text, in the order of the file. Raises IdFileError: no file, no ids, no id column.

    A file of one column may do without a heading.
    """
    ids = Texts.of(_ids(path, column))
    return ids if len(ids) > FEW else tuple(ids)


def count_ids(path: Path, column: str | None = None) -> int:
    """How many there are. Raises IdFileError as `read_ids` does, with the memory of one."""
    return sum(1 for _ in _ids(path, column))


def ids_in_parts(path: Path, column: str | None, rows: int) -> Iterator[Sequence[str]]:
    """As `read_ids`, so many at a time."""
    ids = _ids(path, column)
    while some := Texts.of(islice(ids, rows)):
        yield some if len(some) > FEW else tuple(some)


def _ids(path: Path, column: str | None) -> Iterator[str]:
    read = _parquet if path.suffix == ".parquet" else _text
    found = False
    try:
        for one in read(path, column):
            if not one:
                raise _no_ids(path)
            found = True
            yield one
    except FileNotFoundError:
        raise IdFileError(f"{path} does not exist") from None
    except (OSError, UnicodeDecodeError, csv.Error, pa.ArrowException):
        raise IdFileError(f"{path} cannot be read: give a text file, CSV or Parquet") from None
    if not found:
        raise _no_ids(path)


def _no_ids(path: Path) -> IdFileError:
    return IdFileError(f"{path} names no customers, or has a line without an id")


def _parquet(path: Path, column: str | None) -> Iterator[str]:
    names = pyarrow.parquet.read_schema(path).names
    chosen = names[_place(path, names, column)]
    with pyarrow.parquet.ParquetFile(path) as file:
        for batch in file.iter_batches(columns=[chosen]):
            yield from ("" if one is None else str(one) for one in batch.column(0).to_pylist())


def _text(path: Path, column: str | None) -> Iterator[str]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = (row for row in csv.reader(file) if row)
        first = next(rows, [])
        place = 0
        if column is None and len(first) == 1 and first[0].strip().lower() not in KNOWN_NAMES:
            yield first[0].strip()
        elif first:
            place = _place(path, [name.strip() for name in first], column)
        for row in rows:
            yield row[place].strip() if place < len(row) else ""


def _place(path: Path, names: list[str], column: str | None) -> int:
    if column is not None:
        if column not in names:
            # The names are not told: without a heading they are customers.
            raise IdFileError(f"the first line of {path} names no column {column}")
        return names.index(column)
    found = [place for place, name in enumerate(names) if name.lower() in KNOWN_NAMES]
    if len(found) != 1 and len(names) > 1:
        raise IdFileError(f"no column of {path} is plainly the id: name it, --id")
    return found[0] if found else 0

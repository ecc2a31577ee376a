"""A party's own rows as one payload: frozen as they were read, and what training reads (P1 to P4).

Layout: length of the header (8 bytes, little-endian), the header (JSON, padded), then sections
that each start on a multiple of 8 bytes: ids, label, columns. A column of numbers is float64 with
NaN for missing; a column of text is int32 codes into the header's categories, -1 for missing.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from learning.binning import Column, Rule


@dataclass(frozen=True)
class Snapshot:
    """Ids as text, columns in the order of the source, labels where the party has them."""

    ids: tuple[str, ...]
    columns: Mapping[str, Column]
    label: NDArray[np.float64] | None
    rules: Mapping[str, Rule]

    def take(self, rows: NDArray[np.int64]) -> "Iterator[tuple[str, Column]]":
        """Each column with these rows, one at a time: a wide table is never whole in memory."""
        for name, column in self.columns.items():
            yield name, column[rows]


class StoredColumns(Mapping[str, Column]):
    """The columns of a payload, each read when it is asked for and let go of with its array."""

    def __init__(self, read: Mapping[str, Callable[[], Column]]) -> None:
        self._read = read

    def __getitem__(self, name: str) -> Column:
        return self._read[name]()

    def __iter__(self) -> Iterator[str]:
        return iter(self._read)

    def __len__(self) -> int:
        return len(self._read)


def encode_snapshot(
    ids: Sequence[str],
    columns: Mapping[str, Column],
    label: NDArray[np.float64] | None,
    rules: Mapping[str, Rule],
) -> Iterator[bytes]:
    """The payload's content, piece by piece."""
    texts = {name: _categories(column) for name, column in columns.items() if _is_text(column)}
    header = {
        "rows": len(ids),
        "label": label is not None,
        "columns": [{"name": name, "categories": texts.get(name)} for name in columns],
        "rules": {name: str(rule) for name, rule in rules.items()},
        "ids": len(joined := json.dumps(list(ids), ensure_ascii=False).encode()),
    }
    written = json.dumps(header, ensure_ascii=False).encode()
    padded = written + b" " * (-len(written) % 8)
    yield len(padded).to_bytes(8, "little")
    yield padded
    yield _padded(joined)
    if label is not None:
        yield np.asarray(label, "<f8").tobytes()
    for name, column in columns.items():
        yield _padded(_column_bytes(column, texts.get(name)))


def decode_snapshot(open_content: Callable[[], NDArray[np.uint8]]) -> Snapshot:
    """The inverse. `open_content` may map a file: it is called again for every column that is read.

    So no more of a wide table is in memory than the columns in use.
    """
    content = open_content()
    size = int.from_bytes(content[:8].tobytes(), "little")
    header = json.loads(content[8 : 8 + size].tobytes())
    rows, position = header["rows"], 8 + size

    def section(length: int) -> slice:
        nonlocal position
        start, position = position, position + length + -length % 8
        return slice(start, start + length)

    ids = json.loads(content[section(header["ids"])].tobytes())
    label = np.array(content[section(8 * rows)]).view("<f8") if header["label"] else None
    columns: dict[str, Callable[[], Column]] = {}
    for column in header["columns"]:
        categories = column["categories"]
        place = section((8 if categories is None else 4) * rows)
        columns[column["name"]] = partial(_read_column, open_content, place, categories)
    rules = {name: Rule(rule) for name, rule in header["rules"].items()}
    return Snapshot(tuple(ids), StoredColumns(columns), label, rules)


def _read_column(
    open_content: Callable[[], NDArray[np.uint8]], place: slice, categories: list[str] | None
) -> Column:
    """A column of numbers stays a view of what was opened."""
    content = np.asarray(open_content())[place]
    if categories is None:
        return content.view("<f8")
    texts: Column = np.array([*categories, None], dtype=object)[content.view("<i4")]
    return texts


def _is_text(column: Column) -> bool:
    return column.dtype == np.object_


def _categories(column: Column) -> list[str]:
    return sorted({str(text) for text in column if text is not None})


def _column_bytes(column: Column, categories: list[str] | None) -> bytes:
    if categories is None:
        return np.asarray(column, "<f8").tobytes()
    codes = {text: code for code, text in enumerate(categories)}
    return np.fromiter(
        (-1 if text is None else codes[str(text)] for text in column), "<i4", len(column)
    ).tobytes()


def _padded(content: bytes) -> bytes:
    return content + bytes(-len(content) % 8)

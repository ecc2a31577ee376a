"""A party's own rows as one payload: frozen as they were read, and what training reads (P1 to P4).

Layout: length of the header (8 bytes, little-endian), the header (JSON, padded), then sections
that each start on a multiple of 8 bytes: ids, label, columns. A column of numbers is float64 with
NaN for missing; a column of text is int32 codes into the header's categories, -1 for missing.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

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


def decode_snapshot(content: NDArray[np.uint8]) -> Snapshot:
    """The inverse; columns of numbers stay views of `content`, which may be a memory map."""
    size = int.from_bytes(content[:8].tobytes(), "little")
    header = json.loads(content[8 : 8 + size].tobytes())
    rows, position = header["rows"], 8 + size

    def section(length: int) -> NDArray[np.uint8]:
        nonlocal position
        start, position = position, position + length + -length % 8
        return content[start : start + length]

    ids = json.loads(section(header["ids"]).tobytes())
    label = section(8 * rows).view("<f8") if header["label"] else None
    columns: dict[str, Column] = {}
    for column in header["columns"]:
        if column["categories"] is None:
            columns[column["name"]] = section(8 * rows).view("<f8")
        else:
            names = np.array([*column["categories"], None], dtype=object)
            columns[column["name"]] = names[section(4 * rows).view("<i4")]
    rules = {name: Rule(rule) for name, rule in header["rules"].items()}
    return Snapshot(tuple(ids), columns, label, rules)


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

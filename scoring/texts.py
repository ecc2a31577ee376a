"""Many texts in little memory: ids of millions of customers as Arrow keeps them (S4).

A list of ten million ids of ten letters takes 700 MiB, these take 140.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, overload

import pyarrow as pa
import pyarrow.json

AT_ONCE = 65_536
PIECE_BYTES = 4 << 20


class Texts(Sequence[str]):
    """A sequence of texts, equal to any other with the same ones."""

    def __init__(self, pieces: Iterable[pa.Array | Sequence[str]]) -> None:
        arrays = [
            one if isinstance(one, pa.Array) else pa.array(one, pa.string()) for one in pieces
        ]
        self._chunks = pa.chunked_array(arrays, pa.string())

    @classmethod
    def of(cls, texts: Iterable[str]) -> "Texts":
        """From any iterable, which is read once."""
        return cls(blocks(texts, AT_ONCE))

    def arrays(self, rows: int = AT_ONCE) -> Iterator[pa.Array]:
        """The texts in order, at most so many at a time."""
        for start in range(0, len(self), rows):
            yield self._chunks.slice(start, rows).combine_chunks()

    def __len__(self) -> int:
        return len(self._chunks)

    def __iter__(self) -> Iterator[str]:
        for array in self.arrays():
            yield from array.to_pylist()

    @overload
    def __getitem__(self, place: int) -> str: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[str]: ...

    def __getitem__(self, place: int | slice) -> str | Sequence[str]:
        if isinstance(place, slice):
            start, stop, step = place.indices(len(self))
            if step == 1:
                return Texts(self._chunks.slice(start, max(0, stop - start)).chunks)
            return tuple(self[row] for row in range(start, stop, step))
        return str(self._chunks[place].as_py())

    def __eq__(self, other: object) -> bool:
        if isinstance(other, str) or not isinstance(other, Sequence) or len(self) != len(other):
            return False
        return all(mine == its for mine, its in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]


def blocks(texts: Iterable[str], rows: int) -> Iterator[list[str]]:
    remaining = iter(texts)
    while block := list(islice(remaining, rows)):
        yield block


def json_list(texts: Iterable[str]) -> bytes:
    """The very bytes of json.dumps(texts, ensure_ascii=False), written piece by piece."""
    pieces = (
        json.dumps(block, ensure_ascii=False)[1:-1].encode() for block in blocks(texts, AT_ONCE)
    )
    return b"[" + b", ".join(pieces) + b"]"


def read_document(content: bytes | memoryview, types: pa.Schema) -> dict[str, Any]:
    """A JSON object with a long list of texts under `ids`, which become Texts.

    `types` are those of the other fields.
    """
    if len(content) < PIECE_BYTES:
        small: dict[str, Any] = json.loads(bytes(content))
        return small | {"ids": tuple(small["ids"])}
    schema = pa.schema([("ids", pa.list_(pa.string())), *types])
    table = pyarrow.json.read_json(
        pa.BufferReader(pa.py_buffer(content)),
        read_options=pyarrow.json.ReadOptions(block_size=len(content) + 1, use_threads=False),
        parse_options=pyarrow.json.ParseOptions(explicit_schema=schema),
    )
    ids = Texts(chunk.values for chunk in table.column("ids").chunks)
    [others] = table.drop_columns("ids").to_pylist()
    return {**others, "ids": ids}

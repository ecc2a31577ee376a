"""Universal Binary JSON, as XGBoost writes it (https://ubjson.org, draft 12)."""

import struct
from collections.abc import Callable
from typing import Any

from scoring.errors import ModelFileError

NUMBERS = {"i": ">b", "U": ">B", "I": ">h", "l": ">i", "L": ">q", "d": ">f", "D": ">d"}
CONSTANTS = {"Z": None, "T": True, "F": False}
DEEPEST = 64


def read_ubjson(content: bytes) -> Any:  # noqa: ANN401 - a document of any form
    """The value of a whole file. Raises ModelFileError for anything else."""
    reader = _Reader(content)
    try:
        value = reader.value(reader.marker(), 0)
    except (struct.error, UnicodeDecodeError):
        raise ModelFileError("the binary JSON is cut off, or garbled") from None
    if reader.at != len(content):
        raise ModelFileError("the binary JSON goes on after its end")
    return value


class _Reader:
    def __init__(self, content: bytes) -> None:
        self._content, self.at = content, 0

    def marker(self) -> str:
        [one] = struct.unpack_from("c", self._content, self.at)
        self.at += 1
        return str(one, "latin-1")

    def value(self, marker: str, depth: int) -> Any:  # noqa: ANN401
        if marker in NUMBERS:
            return self._numbers(marker, 1)[0]
        if marker in CONSTANTS:
            return CONSTANTS[marker]
        if marker in {"S", "C"}:
            return self._text(1 if marker == "C" else self._length())
        if marker in {"[", "{"} and depth < DEEPEST:
            return self._container(marker, depth + 1)
        raise ModelFileError(f"the binary JSON has {marker!r} where a value should be")

    def _container(self, marker: str, depth: int) -> Any:  # noqa: ANN401
        """A list or an object, with its type and count ahead or an end mark behind."""
        kind = self._optional("$", self.marker)
        count = self._optional("#", self._length)
        if marker == "[":
            if kind in NUMBERS and count is not None:
                return self._numbers(kind, count)
            return [self._element(kind, depth) for _ in self._places(count, "]")]
        pairs = ((self._text(self._length()), kind) for _ in self._places(count, "}"))
        return {name: self._element(kind, depth) for name, kind in pairs}

    def _element(self, kind: str | None, depth: int) -> Any:  # noqa: ANN401
        return self.value(kind or self.marker(), depth)

    def _places(self, count: int | None, end: str) -> Any:  # noqa: ANN401
        """As many times as counted, else until the end mark is read."""
        if count is not None:
            yield from range(count)
            return
        while not self._skip(end):
            yield None

    def _optional(self, sign: str, read: Callable[[], Any]) -> Any:  # noqa: ANN401
        return read() if self._skip(sign) else None

    def _skip(self, sign: str) -> bool:
        found = self._content[self.at : self.at + 1] == sign.encode()
        self.at += found
        return found

    def _length(self) -> int:
        marker = self.marker()
        if marker not in "iUIlL":
            raise ModelFileError(f"the binary JSON has {marker!r} where a length should be")
        length = int(self._numbers(marker, 1)[0])
        if not 0 <= length <= len(self._content):
            raise ModelFileError(f"the binary JSON has a length of {length}")
        return length

    def _text(self, length: int) -> str:
        raw = self._content[self.at : self.at + length]
        if len(raw) < length:
            raise ModelFileError("the binary JSON is cut off")
        self.at += length
        return raw.decode()

    def _numbers(self, marker: str, count: int) -> list[Any]:
        form = f">{count}{NUMBERS[marker][1]}"
        values = list(struct.unpack_from(form, self._content, self.at))
        self.at += struct.calcsize(form)
        return values

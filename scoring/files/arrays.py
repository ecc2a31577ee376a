"""Arrays and numbers in the records of a pickle, built by our own hand (scoring.files.pickled)."""

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from scoring.errors import ModelFileError
from scoring.files.pickled import Record, width

PLAIN = "biufUS"
Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]


def array(value: Any) -> Array:  # noqa: ANN401 - whatever a file holds
    """An array of numbers, texts, records or named fields. ModelFileError: it is none."""
    if isinstance(value, Record) and value.name == "_reconstruct":
        _, shape, dtype, by_column, raw = value.state
        return _shaped(raw, dtype, shape, "F" if by_column else "C")
    if isinstance(value, Record) and value.name == "_frombuffer":
        raw, dtype, shape, order = value.args
        return _shaped(raw, dtype, shape, order)
    if isinstance(value, list | tuple):
        return np.array([plain(one) for one in value], np.object_)
    raise ModelFileError("the pickle has something else where an array should be")


def floats(value: Any) -> Floats:  # noqa: ANN401
    """An array of finite numbers."""
    found = array(value)
    if found.dtype.kind not in "biuf":
        raise ModelFileError("the pickle has something else where numbers should be")
    numbers = found.astype(np.float64)
    if not np.isfinite(numbers).all():
        raise ModelFileError("the model holds a number that is not finite")
    return numbers


def plain(value: Any) -> Any:  # noqa: ANN401
    """A scalar of numpy's as Python's; anything else as it is."""
    if isinstance(value, Record) and value.name == "scalar":
        dtype, raw = value.args
        return _shaped(raw, dtype, (1,), "C").tolist()[0]
    return value


def _shaped(raw: Any, dtype: Any, shape: Sequence[int], order: str) -> Array:  # noqa: ANN401
    if not isinstance(dtype, Record) or dtype.name != "dtype":
        raise ModelFileError("the pickle has an array of no type")
    if str(dtype.args[0]).startswith("O"):
        elements = np.empty(len(raw), np.object_)
        elements[:] = [plain(one) for one in raw]
        return elements.reshape(shape, order=_order(order))
    content = _bytes(raw)
    kind = _type(dtype)
    if len(content) != prod(shape) * kind.itemsize:
        raise ModelFileError("the pickle has an array of other size than it says")
    return np.frombuffer(content, kind).reshape(shape, order=_order(order))


def _order(order: str) -> Any:  # noqa: ANN401
    return "F" if order == "F" else "C"


def _bytes(raw: Any) -> bytes:  # noqa: ANN401
    if isinstance(raw, Record) and raw.name == "encode":
        return str(raw.args[0]).encode("latin-1")
    if isinstance(raw, Record) and raw.name == "bytes":
        return b""
    if not isinstance(raw, bytes | bytearray):
        raise ModelFileError("the pickle has an array without content")
    return bytes(raw)


def _type(dtype: Record) -> np.dtype[Any]:
    """Of plain numbers and texts, or of named fields of them."""
    code = str(dtype.args[0])
    if code[:1] in PLAIN and code[1:].isdigit():
        order = dtype.state[1] if dtype.state else "|"
        return np.dtype(f"{order if order in {'<', '>'} else ''}{code}")
    if code.startswith("V") and dtype.state and dtype.state[3]:
        names = list(dtype.state[3])
        fields = [dtype.state[4][name] for name in names]
        return np.dtype(
            {
                "names": names,
                "formats": [_type(field[0]) for field in fields],
                "offsets": [int(field[1]) for field in fields],
                "itemsize": width(dtype),
            }
        )
    raise ModelFileError(f"the pickle has an array of type {code[:20]}, which is not admitted")

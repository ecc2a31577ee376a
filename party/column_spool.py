"""Columns on their way from a source, on the disk: a wide table is never whole in memory (P6).

Pieces arrive in any shape, some rows of many columns or many rows of some, and a column is read
back whole. The file has no name: it is gone with the last reference to it, or with the process.
"""

import tempfile
import weakref
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from party.raw import ColumnKind, RawColumn
from store.failures import disk_failures

Floats = npt.NDArray[np.float64]
# How much of a table is in memory at once: rows times columns of eight bytes.
CELLS_AT_A_TIME = 4 << 20


class ColumnSpool(Mapping[str, RawColumn]):
    """Columns by name, in the order they were announced, each read when it is asked for.

    Numbers and dates are kept as they are, texts as numbers into a list of the different ones.
    A missing value of any kind is NaN.
    """

    def __init__(self, names: Sequence[str], folder: Path | None) -> None:
        self._folder = folder or Path(tempfile.gettempdir())
        with disk_failures(self._folder):
            self._file = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115 - lives as long
        weakref.finalize(self, self._file.close)
        self._pieces: dict[str, list[tuple[int, int]]] = {name: [] for name in names}
        self._kinds = dict.fromkeys(names, ColumnKind.NUMBER)
        self._texts: dict[str, dict[str, int]] = {}
        self._end = 0
        self._at_end = True

    def append(self, name: str, kind: ColumnKind, values: Floats) -> None:
        """The next rows of a column of numbers, or of dates."""
        self._kinds[name] = kind
        self._write(name, values)

    def append_missing(self, name: str, rows: int) -> None:
        """The next rows, that say nothing of what the column holds."""
        self._write(name, np.full(rows, np.nan))

    def append_texts(self, name: str, texts: pa.Array) -> None:
        self._kinds[name] = ColumnKind.TEXT
        encoded = texts.dictionary_encode()
        known = self._texts.setdefault(name, {})
        places = [known.setdefault(text, len(known)) for text in encoded.dictionary.to_pylist()]
        codes = encoded.indices.to_numpy(zero_copy_only=False).astype(np.float64)
        missing = np.isnan(codes)
        values = np.array([*places, np.nan])[np.where(missing, len(places), codes).astype(np.int64)]
        self._write(name, values)

    def kind(self, name: str) -> ColumnKind:
        return self._kinds[name]

    def __getitem__(self, name: str) -> RawColumn:
        values = self._read(name)
        kind = self._kinds[name]
        if kind is not ColumnKind.TEXT:
            return RawColumn(kind, values)
        known = np.array([*self._texts[name], None], dtype=object)
        places = np.where(np.isnan(values), len(known) - 1, values).astype(np.int64)
        return RawColumn(kind, known[places])

    def __iter__(self) -> Iterator[str]:
        return iter(self._pieces)

    def __len__(self) -> int:
        return len(self._pieces)

    def _write(self, name: str, values: Floats) -> None:
        content = np.ascontiguousarray(values, np.float64).tobytes()
        with disk_failures(self._folder):
            if not self._at_end:
                self._file.seek(self._end)
                self._at_end = True
            self._file.write(content)
        self._pieces[name].append((self._end, len(content)))
        self._end += len(content)

    def _read(self, name: str) -> Floats:
        pieces = []
        self._at_end = False
        with disk_failures(self._folder):
            for start, size in self._pieces[name]:
                self._file.seek(start)
                pieces.append(self._file.read(size))
        return np.frombuffer(b"".join(pieces), np.float64)

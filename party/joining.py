"""Contributions to a mart joined by handle, in little memory (requirement A1).

Every contribution is sorted by handle, and so is what comes of them: some rows of the whole need
the next rows of each, so all files are read once, from the beginning to the end.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

Handles = npt.NDArray[np.bytes_]

HANDLE = "handle"
# How much of a table is in memory at once: rows times columns of eight bytes.
CELLS_IN_A_GROUP = 8 << 20


@dataclass(frozen=True)
class Contribution:
    """A file whose columns are `handle`, c1, c2 …; `handles` are sorted, each once."""

    file: Path
    handles: Handles
    width: int


class NextRows:
    """A contribution's columns of numbers, from the first row on."""

    def __init__(self, contribution: Contribution) -> None:
        self._batches = _batches(contribution)
        self._waiting: list[pa.RecordBatch] = []

    def take(self, count: int) -> pa.Table | None:
        """The next rows; None for none."""
        taken: list[pa.RecordBatch] = []
        while count:
            batch = self._waiting.pop() if self._waiting else next(self._batches)
            if batch.num_rows > count:
                self._waiting.append(batch.slice(count))
                batch = batch.slice(0, count)
            taken.append(batch)
            count -= batch.num_rows
        return pa.Table.from_batches(taken) if taken else None


def join(contributions: Sequence[Contribution], out: Path) -> int:
    """Write the customers of all members, missing values where one lacks them; how many they are.

    Raises OSError, pa.ArrowException.
    """
    width = sum(one.width for one in contributions)
    names = [f"c{place + 1}" for place in range(width)]
    schema = pa.schema([(HANDLE, pa.string()), *((name, pa.float64()) for name in names)])
    customers = np.unique(np.concatenate([one.handles for one in contributions]))
    at_a_time = max(1, CELLS_IN_A_GROUP // width)
    readers = [NextRows(one) for one in contributions]
    with pq.ParquetWriter(out, schema) as writer:
        for start in range(0, len(customers), at_a_time):
            some = customers[start : start + at_a_time]
            columns = [pa.array(some.astype(str))]
            for contribution, reader in zip(contributions, readers, strict=True):
                columns += _columns(contribution, reader, some)
            writer.write_table(pa.Table.from_arrays(columns, schema=schema))
    return len(customers)


def _batches(contribution: Contribution) -> Iterator[pa.RecordBatch]:
    """A row group at a time: a reader of all of them keeps what it has read."""
    names = [f"c{place + 1}" for place in range(contribution.width)]
    file = pq.ParquetFile(contribution.file)
    for group in range(file.num_row_groups):
        yield from file.read_row_group(group, columns=names, use_threads=False).to_batches()


def _columns(contribution: Contribution, reader: NextRows, customers: Handles) -> list[pa.Array]:
    """Of these customers, which stand one after the other in the contribution."""
    known = contribution.handles
    begin, end = np.searchsorted(known, customers[[0, -1]], "left")
    end += end < len(known) and known[end] == customers[-1]
    rows, places = reader.take(end - begin), np.searchsorted(customers, known[begin:end])
    lacking = np.ones(len(customers), np.bool_)
    lacking[places] = False
    columns = []
    for place in range(contribution.width):
        values = np.zeros(len(customers))
        if rows is not None:
            values[places] = rows.column(place).to_numpy()
        columns.append(pa.array(values, mask=lacking))
    return columns

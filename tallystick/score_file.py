"""Scores as a file: one line a customer, CSV or Parquet, whole or not at all (S3)."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from scoring.results import Results, labels_of
from tallystick.errors import ScoreFileError

SCORED = "scored"
ROWS_AT_ONCE = 1 << 18
KINDS = {".csv", ".parquet"}
Add = Callable[[pa.Table], None]


def check_writable(path: Path, ids: Path) -> None:
    """Raise ScoreFileError before anything is asked for. `ids` is the file of the customers."""
    if path.suffix not in KINDS:
        raise ScoreFileError(f"{path}: the answer is written to FILE.csv or FILE.parquet")
    if path.is_dir():
        raise ScoreFileError(f"{path} is a folder: name a file in it")
    if path.exists() and ids.exists() and path.samefile(ids):
        raise ScoreFileError(f"{path} is the file of the customers: write to another")
    if not path.absolute().parent.is_dir() or not os.access(path.absolute().parent, os.W_OK):
        raise ScoreFileError(f"{path.parent} is no folder that this user may write to")


def score_table(results: Results, threshold: float | None) -> pa.Table:
    """Columns id, status, probability (or value, or one a class) and, where asked for, label."""
    columns: dict[str, pa.Array] = {
        "id": pa.array(results.ids, pa.string()),
        "status": pa.array(statuses(results)),
    }
    missing = ~results.scored
    word = "value" if results.combination == "sum" else "probability"
    outputs = results.values.shape[1]
    for output in range(outputs):
        name = word if outputs == 1 else f"{word}_{output}"
        columns[name] = pa.array(np.ascontiguousarray(results.values[:, output]), mask=missing)
    if threshold is not None or outputs > 1:
        columns["label"] = pa.array(labels_of(results, threshold or 0.0), pa.int64())
    return pa.table(columns)


def statuses(results: Results) -> list[str]:
    """`scored`, or who does not have the customer."""
    told = [SCORED] * len(results.ids)
    for row in np.flatnonzero(~results.scored).tolist():
        told[row] = f"not at {', '.join(results.missing_at(row))}"
    return told


def add_scores(add: Add, results: Results, threshold: float | None) -> None:
    """Into a `table_file`, with the memory of some rows."""
    for some in results.blocks(ROWS_AT_ONCE):
        add(score_table(some, threshold))


def write_table(path: Path, table: pa.Table) -> None:
    """See `table_file`."""
    with table_file(path) as add:
        add(table)


@contextmanager
def table_file(path: Path) -> Iterator[Add]:
    """Give what adds tables of one kind to the file, which is there when all of them are in it.

    An older file stays until then, and after a failure. Raises ScoreFileError.
    """
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    write = pyarrow.csv.CSVWriter if path.suffix == ".csv" else pyarrow.parquet.ParquetWriter
    with ExitStack() as stack:
        with _failures(path):
            os.close(os.open(unfinished, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600))
        stack.callback(unfinished.unlink, missing_ok=True)
        writers: list[Any] = []

        def add(table: pa.Table) -> None:
            with _failures(path):
                if not writers:
                    writers.append(stack.enter_context(write(unfinished, table.schema)))
                writers[0].write_table(table)

        yield add
        with _failures(path):
            for writer in writers:
                writer.close()
            unfinished.replace(path)


@contextmanager
def _failures(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ScoreFileError(f"{path} cannot be written: {error.strerror or error}") from None

"""The same trees score in Flink as elsewhere: a batch, and a stream of files (C3, S6, S7).

Flink runs as a user would run it: the example over CSV files, in an environment of its own.
"""

import csv
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from scoring.combining import combine
from scoring.linear_tables import linear_rows, weight_tables
from scoring.models.linear import LinearModel
from scoring.sample_inputs import read_by_presence
from scoring.tables import ColumnType
from scoring.written_statements import Dialect, read_columns, written_statement
from tests.flink import start_job
from tests.scoring.documents import Floats, sample_ids
from tests.scoring.engines.test_models import CASES, Case

NULL = "\\N"
PATIENCE_SECONDS = 600.0
CONTENT = "0" * 64
WEIGHTS = "own_weights"


@pytest.fixture(scope="module")
def batch(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Floats]:
    """The scores of every case by one run in batch mode; `weights` of the first, from a table."""
    folder = tmp_path_factory.mktemp("flink-batch")
    arguments = [one for name in CASES for one in prepared(folder, name, [slice(None)])]
    arguments += weights_by_table(folder)
    job = start_job("--null", NULL, *arguments, console=folder / "console")
    assert job.wait(PATIENCE_SECONDS) == 0, (folder / "console").read_text()[-4000:]
    return {name: scores_in(folder / "out" / name) for name in [*CASES, WEIGHTS]}


@pytest.fixture(scope="module")
def stream(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Floats]]:
    """The same in streaming mode: half of the rows are there, half come while it runs."""
    folder = tmp_path_factory.mktemp("flink-stream")
    halves = [slice(0, None, 2), slice(1, None, 2)]
    arguments = [one for name in CASES for one in prepared(folder, name, halves[:1])]
    job = start_job("--streaming", "--null", NULL, *arguments, console=folder / "console")
    try:
        wait_for_rows(job, folder, halves[:1])
        for name in CASES:
            add_file(folder, name, 1, halves[1])
        wait_for_rows(job, folder, halves)
        yield {name: scores_in(folder / "out" / name) for name in CASES}
    finally:
        os.killpg(job.pid, signal.SIGKILL)
        job.wait()


@pytest.mark.parametrize("name", CASES)
def test_a_batch_scores_as_the_library(name: str, batch: dict[str, Floats]) -> None:
    check(CASES[name](), batch[name])


@pytest.mark.parametrize("name", CASES)
def test_a_stream_scores_as_the_library(name: str, stream: dict[str, Floats]) -> None:
    check(CASES[name](), stream[name])


def test_weights_may_come_from_a_table(batch: dict[str, Floats]) -> None:
    np.testing.assert_allclose(batch[WEIGHTS], batch["binned_logistic"], rtol=0, atol=1e-15)


def check(case: Case, scores: Floats) -> None:
    parts = [scores if case.model.outputs > 1 else scores[:, 0]]
    found = combine(case.model.combination, parts)
    np.testing.assert_allclose(found, case.expected, rtol=case.tolerance, atol=case.tolerance)


def prepared(folder: Path, name: str, parts: Sequence[slice]) -> list[str]:
    """Writes what the example reads of a case; the arguments that name it."""
    model = CASES[name]().model
    (folder / f"{name}.columns").write_text(read_columns(model, Dialect.FLINK))
    statement = written_statement(model, Dialect.FLINK, f"features_{name}")
    (folder / f"{name}.sql").write_text(statement)
    for number, part in enumerate(parts):
        add_file(folder, name, number, part)
    return [
        *("--table", f"features_{name}", f"{folder / name}.columns", f"{folder / 'in' / name}"),
        *("--score", f"{folder / name}.sql", f"{folder / 'out' / name}"),
    ]


def weights_by_table(folder: Path) -> list[str]:
    """The first case once more, by rows of weights as they are stored."""
    model = CASES["binned_logistic"]().model
    assert isinstance(model, LinearModel)
    [table] = weight_tables(model.role, len(model.weights_of(0)))
    *_, (_, rows) = linear_rows(model, CONTENT)
    (folder / "in" / WEIGHTS).mkdir(parents=True)
    write_csv(folder / "in" / WEIGHTS / "rows.csv", rows)
    types = {ColumnType.TEXT: "STRING", ColumnType.INTEGER: "BIGINT", ColumnType.NUMBER: "DOUBLE"}
    columns = ", ".join(f"`{one.name}` {types[one.type]}" for one in table.columns)
    (folder / f"{WEIGHTS}.columns").write_text(columns)
    features = "features_binned_logistic"
    statement = written_statement(model, Dialect.FLINK, features, WEIGHTS, CONTENT)
    (folder / f"{WEIGHTS}.sql").write_text(statement)
    return [
        *("--table", WEIGHTS, f"{folder / WEIGHTS}.columns", f"{folder / 'in' / WEIGHTS}"),
        *("--score", f"{folder / WEIGHTS}.sql", f"{folder / 'out' / WEIGHTS}"),
    ]


def add_file(folder: Path, name: str, number: int, part: slice) -> None:
    """Appears whole, as a stream needs it."""
    case = CASES[name]()
    model = case.model
    not_numbers = model.text_inputs | read_by_presence(model)
    columns = [
        case.features[one] if one in not_numbers else with_nan(case.features[one])
        for one in model.inputs
    ]
    rows = list(zip(sample_ids(len(columns[0])), *columns, strict=True))[part]
    (folder / "in" / name).mkdir(parents=True, exist_ok=True)
    hidden = folder / "in" / name / f".{number}.csv"
    write_csv(hidden, rows)
    hidden.rename(folder / "in" / name / f"{number}.csv")


def with_nan(values: Sequence[object]) -> list[object]:
    """Missing numbers come in both forms."""
    missing = (None, np.nan)
    return [
        missing[place % 3 % 2] if value is None or value != value else value  # noqa: PLR0124
        for place, value in enumerate(values)
    ]


def write_csv(file: Path, rows: Sequence[Sequence[object]]) -> None:
    with file.open("w", newline="") as opened:
        for row in rows:
            opened.write(",".join(written(value) for value in row) + "\n")


def written(value: object) -> str:
    match value:
        case None:
            return NULL
        case float():
            return "NaN" if np.isnan(value) else repr(value)
        case str():
            return '"' + value.replace('"', '""') + '"'
    return str(value)


def scores_in(folder: Path) -> Floats:
    """float64[samples, outputs] by sample id; no sample is there twice."""
    rows = {}
    for file in folder.rglob("[!._]*"):
        if file.is_file():
            for sample_id, *scores in csv.reader(file.read_text().splitlines()):
                assert sample_id not in rows
                rows[sample_id] = [np.nan if one == NULL else float(one) for one in scores]
    assert sorted(rows) == sample_ids(len(rows))
    return np.array([rows[one] for one in sorted(rows)], np.float64)


def wait_for_rows(job: subprocess.Popen[bytes], folder: Path, parts: Sequence[slice]) -> None:
    give_up = time.monotonic() + PATIENCE_SECONDS
    while not all(has_rows(folder, name, parts) for name in CASES):
        is_running = job.poll() is None and time.monotonic() < give_up
        assert is_running, (folder / "console").read_text()[-4000:]
        time.sleep(0.2)


def has_rows(folder: Path, name: str, parts: Sequence[slice]) -> bool:
    rows = range(len(CASES[name]().expected))
    wanted = sum(len(rows[part]) for part in parts)
    files = (folder / "out" / name).rglob("[!._]*")
    return sum(len(file.read_text().splitlines()) for file in files if file.is_file()) >= wanted

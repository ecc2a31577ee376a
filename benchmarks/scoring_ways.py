"""Ways to score the same Parquet file: the patent's baseline, the fair one, and each engine's."""

import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from sqlglot import exp

from benchmarks.scoring_data import BATCH_ROWS, CHANCE, FEATURES, MODEL_ID, RESULT, Data, check
from scoring.engines.engine import Engine
from scoring.engines.opening import open_engine
from scoring.engines.settings import EngineSettings
from scoring.features import SAMPLE_ID, column
from scoring.literals import number
from scoring.model_tables import ModelTables
from scoring.tables import Column, ColumnType, Table

KIND = "benchmark"
READ_BYTES = 1 << 24
FEATURE_TABLE = Table(
    f"features_{KIND}",
    (Column(SAMPLE_ID, ColumnType.TEXT), *(Column(one, ColumnType.NUMBER) for one in FEATURES)),
    (SAMPLE_ID,),
)
SCORE_TABLE = Table(
    f"scores_{KIND}",
    (Column(SAMPLE_ID, ColumnType.TEXT), Column(CHANCE, ColumnType.NUMBER)),
    (SAMPLE_ID,),
)


@dataclass(frozen=True)
class Ready:
    """`run` is timed; `results` are read after it."""

    run: Callable[[], None]
    results: Callable[[], Iterable[pa.RecordBatch]]


Way = Callable[[Data], AbstractContextManager[Ready]]


def measure(way: Way, data: Data) -> tuple[float, float]:
    """Seconds, and this process's peak of memory in MiB. Raises BenchmarkError."""
    with way(data) as ready:
        start = time.perf_counter()
        ready.run()
        seconds, peak = time.perf_counter() - start, _peak()
        check(ready.results(), np.load(data.answer))
    return seconds, peak


def whole_table(data: Data) -> AbstractContextManager[Ready]:
    """The patent's baseline: a pickled model, and the whole table in pandas."""
    import pandas as pd  # noqa: PLC0415 - optional
    import sklearn.linear_model  # noqa: F401, PLC0415 - as below

    def run() -> None:
        model = data.estimator()
        table = pd.read_parquet(data.features)
        chances = model.predict_proba(table[list(FEATURES)].to_numpy())[:, 1]
        results = pd.DataFrame({SAMPLE_ID: table[SAMPLE_ID], CHANCE: chances})
        results.to_parquet(data.results, index=False)

    _begin_with(data.features)
    return nullcontext(Ready(run, lambda: _written(data)))


def arrow_batches(data: Data) -> AbstractContextManager[Ready]:
    """The fair one: the same model, a batch after the other."""
    return _by_batches(data, data.batches)


def arrow_row_groups(data: Data) -> AbstractContextManager[Ready]:
    """The fair one at its best: who knows how the file is cut reads it so."""
    return _by_batches(data, data.row_groups)


def load(data: Data, settings: EngineSettings) -> float:
    """The model and the features into tables of the engine; seconds for the features."""
    with open_engine(settings, folder=data.folder) as engine:
        ModelTables(engine).store(data.document())
        engine.drop(FEATURE_TABLE.name)
        start = time.perf_counter()
        engine.ensure(FEATURE_TABLE)
        engine.append(FEATURE_TABLE, data.row_groups())
        return time.perf_counter() - start


def clean(folder: Path, settings: EngineSettings) -> None:
    """Drop what is large; the model's few rows stay."""
    with open_engine(settings, folder=folder) as engine:
        for table in (FEATURE_TABLE, SCORE_TABLE):
            engine.drop(table.name)


def engine_table(
    settings: EngineSettings, file: str | None, data: Data
) -> AbstractContextManager[Ready]:
    """From the engine's table of features to its table of scores; `file`: an embedded one's."""
    table = exp.table_(FEATURE_TABLE.name, quoted=True)
    return _by_engine(settings, data, table, data.folder / file if file else None)


def duckdb_file(settings: EngineSettings, data: Data) -> AbstractContextManager[Ready]:
    """From the Parquet file itself to DuckDB's table of scores."""
    path = exp.Literal.string(str(data.features))
    table = exp.Table(this=exp.func("read_parquet", path))
    return _by_engine(settings, data, table, data.features)


def _by_batches(
    data: Data, batches: Callable[[], Iterable[pa.RecordBatch]]
) -> AbstractContextManager[Ready]:
    import sklearn.linear_model  # noqa: F401, PLC0415 - no part of the time, nor of engines' memory

    def run() -> None:
        model = data.estimator()
        with pq.ParquetWriter(data.results, RESULT) as writer:
            for batch in batches():
                values = np.stack([batch.column(name).to_numpy() for name in FEATURES]).T
                chances = pa.array(model.predict_proba(values)[:, 1])
                columns = [batch.column(SAMPLE_ID), chances]
                writer.write_batch(pa.record_batch(columns, schema=RESULT))

    _begin_with(data.features)
    return nullcontext(Ready(run, lambda: _written(data)))


@contextmanager
def _by_engine(
    settings: EngineSettings, data: Data, place: exp.Table, source: Path | None
) -> Iterator[Ready]:
    features = exp.select(column(SAMPLE_ID), *map(column, FEATURES)).from_(place)
    _begin_with(source)
    with open_engine(settings, folder=data.folder) as engine:
        engine.drop(SCORE_TABLE.name)
        engine.ensure(SCORE_TABLE)

        def run() -> None:
            scores = ModelTables(engine).score_query(MODEL_ID, features)
            engine.replace_query(SCORE_TABLE, chances(scores, engine))

        yield Ready(run, lambda: engine.stream(all_scores()))


def chances(scores: exp.Select, engine: Engine) -> exp.Select:
    """1 / (1 + exp(-score)), as the baselines write it."""
    one = number(1.0, engine.dialect)
    below = exp.Add(this=one.copy(), expression=exp.Exp(this=exp.Neg(this=column("score_0"))))
    chance = exp.Div(this=one, expression=exp.Paren(this=below), typed=False, safe=False)
    chance_column = exp.alias_(chance, CHANCE, quoted=True)
    return exp.select(column(SAMPLE_ID), chance_column).from_(scores.subquery("scored"))


def all_scores() -> exp.Select:
    names = [column(one.name) for one in SCORE_TABLE.columns]
    return exp.select(*names).from_(exp.table_(SCORE_TABLE.name, quoted=True))


def _written(data: Data) -> Iterator[pa.RecordBatch]:
    with pq.ParquetFile(data.results) as file:
        yield from file.iter_batches(BATCH_ROWS)


def _begin_with(source: Path | None) -> None:
    """What is read is in the page cache (None: a server's), and the disk is idle.

    So a way that took all memory, or left much to write, is no reason for the next one to wait.
    Before an engine opens its file: to close it here would take the engine's lock away.
    """
    os.sync()
    if source:
        with source.open("rb", buffering=0) as file:
            while file.read(READ_BYTES):
                pass


def _peak() -> float:
    """By VmHWM: ru_maxrss of a new process begins with that of its parent."""
    fields = Path("/proc/self/status").read_text(encoding="utf-8").split()
    return int(fields[fields.index("VmHWM:") + 1]) / 1024

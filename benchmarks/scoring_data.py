"""What the scoring benchmark scores: a Parquet file, a pickled model, and numpy's own answer."""

import pickle
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.workload import BenchmarkError
from scoring.features import SAMPLE_ID
from scoring.files.reading import read_model_file
from scoring.models import LinearModel, ScoringModel

FEATURES = tuple(f"a{number}" for number in range(1, 66))
CHANCE = "chance"
BATCH_ROWS = 65_536
TRAINING_ROWS = 20_000
MODEL_ID = "benchmark"
FIRST_ID = 15_400_000_000
TOLERANCE = 1e-9
RESULT = pa.schema([(SAMPLE_ID, pa.string()), (CHANCE, pa.float64())])


@dataclass(frozen=True)
class Data:
    """Files in one folder."""

    folder: Path
    rows: int

    @property
    def features(self) -> Path:
        return self.folder / "features.parquet"

    @property
    def results(self) -> Path:
        return self.folder / "results.parquet"

    @property
    def model(self) -> Path:
        return self.folder / "model.pickle"

    @property
    def answer(self) -> Path:
        return self.folder / "answer.npy"

    def estimator(self) -> Any:  # noqa: ANN401 - scikit-learn has no types
        """The pickle that `make_data` wrote, as Python loads it."""
        return pickle.loads(self.model.read_bytes())

    def document(self) -> ScoringModel:
        """The same file by our own converter."""
        return read_model_file(self.model, model_id=MODEL_ID, feature_names=FEATURES)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """As Arrow cuts the file; it would buffer all of it beforehand."""
        with pq.ParquetFile(self.features, pre_buffer=False) as file:
            yield from file.iter_batches(BATCH_ROWS)

    def row_groups(self) -> Iterator[pa.RecordBatch]:
        """As the file is cut, which takes least time and memory."""
        with pq.ParquetFile(self.features, pre_buffer=False) as file:
            for group in range(file.num_row_groups):
                yield from file.read_row_group(group).to_batches()


def make_data(folder: Path, rows: int) -> Data:
    """Normal features; a logistic model trained on the first of them. Memory is one batch's."""
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 - not engines'

    data, random = Data(folder, rows), np.random.default_rng(4)
    truth = random.normal(scale=0.2, size=len(FEATURES))
    schema = pa.schema([(SAMPLE_ID, pa.string()), *((name, pa.float64()) for name in FEATURES)])
    answers, estimator = [], None
    with pq.ParquetWriter(data.features, schema) as writer:
        for start in range(0, rows, BATCH_ROWS):
            values = random.normal(size=(min(BATCH_ROWS, rows - start), len(FEATURES)))
            if estimator is None:
                known = values[:TRAINING_ROWS]
                chances = 1 / (1 + np.exp(-known @ truth))
                estimator = LogisticRegression().fit(known, random.random(len(known)) < chances)
                data.model.write_bytes(pickle.dumps(estimator))
            ids = pa.array([f"{FIRST_ID + start + place}" for place in range(len(values))])
            columns = [pa.array(column) for column in values.T]
            writer.write_batch(pa.record_batch([ids, *columns], schema=schema))
            answers.append(_by_numpy(data.document(), values))
    np.save(data.answer, np.concatenate(answers))
    return data


def check(batches: Iterable[pa.RecordBatch], answer: npt.NDArray[np.float64]) -> None:
    """Every sample once, with numpy's chance. Raises BenchmarkError."""
    found = np.full(len(answer), np.nan)
    rows = 0
    for batch in batches:
        places = batch.column(SAMPLE_ID).cast(pa.int64()).to_numpy() - FIRST_ID
        found[places] = batch.column(CHANCE).to_numpy(zero_copy_only=False)
        rows += batch.num_rows
    if rows != len(answer) or not np.all(np.abs(found - answer) <= TOLERANCE):
        raise BenchmarkError("scores are not what numpy says")


def _by_numpy(model: ScoringModel, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    if not isinstance(model, LinearModel) or model.intercepts is None:
        raise BenchmarkError("the benchmark's model is not what was trained")
    chances: npt.NDArray[np.float64] = 1 / (
        1 + np.exp(-(values @ np.array(model.weights_of(0)) + model.intercepts[0]))
    )
    return chances

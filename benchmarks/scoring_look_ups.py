"""A single sample scored in SQLite by the prepared look-up, beside scikit-learn in Python (S4)."""

import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from math import exp

import numpy as np

from benchmarks.scoring_data import FEATURES, FIRST_ID, TOLERANCE, Data
from benchmarks.scoring_ways import FEATURE_TABLE, KIND
from benchmarks.workload import BenchmarkError
from scoring.features import SAMPLE_ID
from scoring.samples import SampleKind, Samples
from scoring.serving import Scorer

WARM = 100
IN_SQLITE, IN_PYTHON = "tallystick, in SQLite", "SQLite row, predict_proba"


def look_ups(data: Data, file: str, count: int) -> dict[str, tuple[float, float]]:
    """p50 and p99 in milliseconds, of the same ids; `file` has features and model in its tables."""
    chosen = np.random.default_rng(5).integers(data.rows, size=count + WARM).tolist()
    answer = np.load(data.answer)
    kind = SampleKind(engine=f"sqlite:///{file}", lookup=f"sqlite:///{file}")
    with Samples(KIND, kind, data.folder) as samples:
        scorer = Scorer(data.document(), "nearline", samples)

        def in_sqlite(sample_id: str) -> float:
            scores = scorer.one(sample_id)
            return float("nan") if scores is None else 1 / (1 + exp(-scores[0]))

        figures = {IN_SQLITE: _times(in_sqlite, chosen, answer)}
    model = data.estimator()
    names = ", ".join(f'"{name}"' for name in FEATURES)
    text = f'SELECT {names} FROM "{FEATURE_TABLE.name}" WHERE "{SAMPLE_ID}" = ?'
    with closing(sqlite3.connect(data.folder / file)) as connection:

        def in_python(sample_id: str) -> float:
            row = connection.execute(text, (sample_id,)).fetchone()
            return float(model.predict_proba([row])[0, 1])

        return figures | {IN_PYTHON: _times(in_python, chosen, answer)}


def _times(
    look_up: Callable[[str], float], places: Sequence[int], answer: Sequence[float]
) -> tuple[float, float]:
    seconds = []
    for place in places:
        sample_id = str(FIRST_ID + place)
        start = time.perf_counter()
        chance = look_up(sample_id)
        seconds.append(time.perf_counter() - start)
        if not abs(chance - answer[place]) <= TOLERANCE:
            raise BenchmarkError("the score of a single sample is not what numpy says")
    p50, p99 = 1e3 * np.percentile(seconds[WARM:], [50, 99])
    return float(p50), float(p99)

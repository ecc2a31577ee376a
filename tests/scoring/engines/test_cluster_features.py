"""A cluster as the batch engine: features ahead of time, results of every model, scores (S4, S7).

The story of tests/scoring/test_refreshing.py in a few steps, for a step takes seconds here: Spark's
Thrift Server, and Hive 2.3 itself, which refuses what Spark lets through.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from learning.binning import Rule, VariableBins
from scoring import serving
from scoring.models.linear import BinnedTerm, LinearModel
from scoring.precomputed import precompute
from scoring.refreshing import refresh
from scoring.samples import SampleKind, Samples
from scoring.serving import Way, score
from scoring.stability import TrainingBins, population_stability
from tests.hive.servers import HiveServer
from tests.scoring.test_refreshing import SCRIPT, add, kept

PAID = VariableBins(
    name="Half paid",
    rule=Rule.QUANTILE,
    edges=(2.0,),
    has_missing_bin=True,
    labels=("missing", "≤ 2", "> 2"),
)
BRANCH = VariableBins(
    name="branch",
    rule=Rule.CATEGORY,
    categories=("north", "o'hara ${x}"),
    other_bin=3,
    has_missing_bin=True,
    labels=("missing", "north", "o'hara", "other"),
)
MODEL = LinearModel.model_validate(
    {
        "model_id": "spring",
        "digest": "0" * 64,
        "kind": "logistic",
        "combination": "sigmoid",
        "outputs": 1,
        "intercepts": (0.1,),
        "terms": (
            BinnedTerm(cut=PAID, weights=((0.25, -1 / 3, 2 / 3),)),
            BinnedTerm(cut=BRANCH, weights=((1e-17, -0.7, 0.123456789012345678, 1e3),)),
        ),
    }
)
FIRST = (
    ("1", 5.0, "north", 3, 0),
    ("2", None, "", 10, 49),
    ("3", 1.0, "o'hara ${x}", 1, 48),
    ("4", 4.0, "é", 2, 48),
)
LATER = (("3", 7.0, "south", 1, 50), ("5", -0.5, None, 4, 72))
FEATURES = {
    "1": (2.5, "north", 3.0),
    "2": (None, None, 12.0),
    "3": (3.5, "south", 3.0),
    "4": (2.0, "é", 4.0),
    "5": (-0.25, None, 7.0),
}
SCORES = {
    "1": 0.1 + 2 / 3 - 0.7,
    "2": 0.1 + 0.25 + 1e-17,
    "3": 0.1 + 2 / 3 + 1e3,
    "4": 0.1 - 1 / 3 + 1e3,
    "5": 0.1 - 1 / 3 + 1e-17,
}
WAYS: tuple[Way, ...] = ("realtime", "nearline", "offline")


@pytest.fixture(params=["spark_server", pytest.param("real_hive", marks=pytest.mark.real_hive)])
def samples(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Samples]:
    server: HiveServer = request.getfixturevalue(request.param)
    engine = server.fresh_database(monkeypatch)
    kind = SampleKind(engine=engine, table="customers", id="phone")
    with Samples("customer", kind, tmp_path, SCRIPT) as opened:
        yield opened


def test_a_cluster_keeps_features_and_results(
    samples: Samples, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given raw rows there, then a refresh takes what is new, precomputing scores all of it, both
    twice without a change, and many samples at once are scored inside the cluster.
    """
    add(samples, *FIRST)
    assert refresh(samples).samples == len(FIRST)
    add(samples, *LATER)

    done = refresh(samples, [TrainingBins("spring", PAID, (0, 30, 30))])

    assert kept(samples) == FEATURES
    assert (done.rows, done.samples) == (4, 5)  # a day before the last one, and since
    expected = population_stability((0, 30, 30), (1, 2, 1))
    assert done.stability == {("spring", "Half paid"): pytest.approx(expected)}
    again = refresh(samples)
    assert (again.rows, again.digest) == (4, done.digest)
    assert kept(samples) == FEATURES

    assert precompute(samples, MODEL, 1) == len(FEATURES)
    assert precompute(samples, MODEL, 1) == len(FEATURES)
    monkeypatch.setattr(serving, "FEW", 0)
    asked = [*FEATURES, "nobody", "1"]
    for way in WAYS:
        assert scores_of(samples, way, asked) == [
            pytest.approx(SCORES[one], abs=1e-9) if one in SCORES else None for one in asked
        ]


def scores_of(samples: Samples, way: Way, asked: list[str]) -> list[float | None]:
    """In the order of the question; None where there is no such sample."""
    found: dict[int, float | None] = {}
    for batch in score(MODEL, way, asked, samples, 1):
        for position, is_there, value in zip(*map(list, batch.to_pydict().values()), strict=True):
            found[position] = value if is_there else None
    return [found[place] for place in range(len(asked))]

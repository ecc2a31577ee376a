"""3,000 features all the way: refreshed, scored near real time, precomputed, looked up (P6, S4)."""

import datetime as dt
import hashlib
import itertools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest

from events.vocabulary import Role
from learning.binning import apply_bins, learn_bins
from scoring import serving
from scoring.arriving import Arrivals
from scoring.engines.engine import Engine
from scoring.engines.postgresql_engine import PostgreSQLEngine
from scoring.engines.settings import EngineSettings
from scoring.engines.sqlite_engine import SQLiteEngine
from scoring.model_tables import ModelTables
from scoring.models import LinearModel, NetworkModel, ScoringModel, TreeModel
from scoring.models.document import NumberInput
from scoring.models.linear import BinnedTerm, NumberTerm
from scoring.models.network import Activation, Layer
from scoring.models.trees import Leaf, OrderedInput, Split, Tree
from scoring.precomputed import precompute
from scoring.refreshing import refresh
from scoring.samples import SampleKind, Samples
from scoring.serving import Scorer, Way, score
from scoring.tables import Column, ColumnType, Table
from tests.scoring.engines.test_wide_tables import width_on

ROWS, NARROW, VERSION = 30, 90, 1
WAYS: tuple[Way, ...] = ("realtime", "nearline", "offline")

Floats = npt.NDArray[np.float64]


class Source:
    """Raw rows in memory; `values` has a missing one here and there."""

    def __init__(self, width: int) -> None:
        random = np.random.default_rng(3)
        self.values = random.normal(size=(ROWS, width))
        self.values[random.random(self.values.shape) < 0.05] = np.nan
        self.names = [f"x{number}" for number in range(width)]
        self.ids = [f"c{row:03}" for row in range(ROWS)]
        self.observed: dt.datetime | None = None

    def fingerprint(self) -> str:
        return hashlib.sha256(self.values.tobytes()).hexdigest()

    def read(
        self, ids: Sequence[str] | None = None, kept: Mapping[str, ColumnType] | None = None
    ) -> tuple[Table, Iterator[pa.RecordBatch]]:
        numbers = (Column(name, ColumnType.NUMBER) for name in self.names)
        own = [Column("sample_id", ColumnType.TEXT)]
        rows = [row for row, one in enumerate(self.ids) if ids is None or one in ids]
        arrays = [pa.array([self.ids[row] for row in rows])]
        if self.observed is not None:
            own.append(Column("observed_at", ColumnType.TIME))
            arrays.append(pa.array([self.observed] * len(rows)))
        table = Table("raw", (*own, *numbers), ("sample_id",))
        assert kept is None or set(kept) == {one.name for one in table.columns}
        arrays += map(pa.array, self.values[rows].T)
        names = [one.name for one in table.columns]
        return table, iter([pa.RecordBatch.from_arrays(arrays, names)])


@pytest.fixture
def source(engine: Engine, request: pytest.FixtureRequest) -> Source:
    return Source(NARROW if "narrow" in request.fixturenames else width_on(engine))


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Engines that take few columns: the same without the time that 3,000 take."""
    for engine in (SQLiteEngine, PostgreSQLEngine):
        monkeypatch.setattr(engine, "most_columns", NARROW // 4)
        monkeypatch.setattr(engine, "most_inputs", NARROW // 4)


@pytest.fixture
def samples(settings: EngineSettings, source: Source, tmp_path: Path) -> Iterator[Samples]:
    """The engine serves batches, and single look-ups where it can."""
    can_look_up = settings.url.startswith(("sqlite", "postgresql"))
    lookup = settings if can_look_up else "sqlite:///lookup.sqlite"
    kind = SampleKind(engine=settings, lookup=lookup)
    with Samples("customers", kind, tmp_path, source=source) as opened:
        yield opened


def head(name: str) -> dict[str, Any]:
    return {"model_id": name, "role": Role.LOCAL, "digest": "0" * 64, "outputs": 1}


def linear(source: Source) -> tuple[ScoringModel, Floats]:
    """Every tenth variable in five bins, the others as numbers; and its scores by numpy."""
    random = np.random.default_rng(5)
    terms: list[BinnedTerm | NumberTerm] = []
    scores = np.full(ROWS, 0.25)
    for at, name in enumerate(source.names):
        values = source.values[:, at]
        if at % 10:
            weight = random.normal()
            terms.append(NumberTerm(input=NumberInput(name=name, fill=0.5), weights=((weight,))))
            scores += weight * np.where(np.isnan(values), 0.5, values)
        else:
            cut = learn_bins(name, values, np.ones(ROWS, np.bool_), smallest_bin=1)
            weights = random.normal(size=cut.bins)
            terms.append(BinnedTerm(cut=cut, weights=(tuple(weights.tolist()),)))
            scores += weights[apply_bins(cut, values)]
    kinds: dict[str, Any] = {"kind": "logistic", "combination": "sigmoid", "intercepts": (0.25,)}
    return LinearModel(**head("linear"), **kinds, terms=tuple(terms)), scores


def trees(source: Source) -> tuple[ScoringModel, Floats]:
    """Trees of three splits, which look at every variable among them."""
    width, random = len(source.names), np.random.default_rng(6)
    grown, scores = [], np.zeros(ROWS)
    for at in range(0, width, 3):
        leaves = [float(one) for one in random.normal(size=4)]
        chosen = [(at + width // 3 * step) % width for step in range(3)]
        below = [np.nan_to_num(source.values[:, one], nan=-np.inf) <= 0.1 for one in chosen]
        ways = [(1, 2), (3, 4), (5, 6)]
        nodes: list[Split | Leaf] = [
            Split(input=one, threshold=0.1, missing="left", left=left, right=right)
            for one, (left, right) in zip(chosen, ways, strict=True)
        ]
        nodes += [Leaf(values=(leaf,)) for leaf in leaves]
        grown.append(Tree(output=0, nodes=tuple(nodes)))
        left, right = (np.where(below[side], *leaves[2 * side - 2 : 2 * side]) for side in (1, 2))
        scores += np.where(below[0], left, right)
    kinds: dict[str, Any] = {
        "kind": "trees",
        "combination": "sigmoid",
        "comparison": "<=",
        "precision": 64,
        "base": (0.5,),
        "divisor": 7.0,
        "features": tuple(OrderedInput(name=name) for name in source.names),
    }
    return TreeModel(**head("trees"), **kinds, trees=tuple(grown)), 0.5 + scores / 7.0


def network(source: Source) -> tuple[ScoringModel, Floats]:
    """Two hidden layers."""
    random, widths = np.random.default_rng(7), [len(source.names), 4, 3, 1]
    values = np.nan_to_num(source.values, nan=0.5)
    layers = []
    for inputs, units in itertools.pairwise(widths):
        weights = random.normal(scale=inputs**-0.5, size=(inputs, units))
        biases = random.normal(size=units)
        activation: Activation = "tanh" if units > 1 else "identity"
        rows = tuple(map(tuple, weights.tolist()))
        layers.append(Layer(weights=rows, biases=tuple(biases.tolist()), activation=activation))
        sums = values @ weights + biases
        values = np.tanh(sums) if units > 1 else sums
    features = tuple(NumberInput(name=name, fill=0.5) for name in source.names)
    kinds: dict[str, Any] = {"kind": "network", "combination": "sigmoid", "features": features}
    return NetworkModel(**head("network"), **kinds, layers=tuple(layers)), values[:, 0]


def scores_of(samples: Samples, model: ScoringModel, way: Way, ids: list[str]) -> Floats:
    """NaN where there is no such sample."""
    scores = np.full(len(ids), np.nan)
    for batch in score(model, way, ids, samples, VERSION):
        found = batch.column("found").to_numpy(zero_copy_only=False)
        rows = batch.column("position").to_numpy()[found]
        scores[rows] = batch.column("score_0").to_numpy()[found]
    return scores


@pytest.mark.parametrize("settings", ["duckdb", "sqlite", "postgresql"], indirect=True)
def test_are_refreshed_and_scored_all_three_ways(
    samples: Samples, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Joined in the engine, and one by one. Hive splits no table: see test_cluster_features."""
    model, expected = linear(source)
    ModelTables(samples.batch).store(model)
    assert refresh(samples).rows == ROWS
    assert precompute(samples, model, VERSION) == ROWS
    ways: list[tuple[Way, int]] = [("nearline", 3), ("offline", 3), ("offline", 99)]
    for way, few in [*ways, ("realtime", 99)]:
        monkeypatch.setattr(serving, "FEW", few)
        found = scores_of(samples, model, way, [*source.ids[:9], "nobody"])
        np.testing.assert_allclose(found, [*expected[:9], np.nan], rtol=0, atol=1e-9)


@pytest.mark.usefixtures("narrow")
@pytest.mark.parametrize("settings", ["sqlite", "postgresql"], indirect=True)
@pytest.mark.parametrize("made", [trees, network])
def test_are_read_by_every_kind_of_model(
    samples: Samples, source: Source, made: Callable[[Source], tuple[ScoringModel, Floats]]
) -> None:
    model, expected = made(source)
    refresh(samples)
    precompute(samples, model, VERSION)
    for way in WAYS:
        found = scores_of(samples, model, way, source.ids)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)


@pytest.mark.usefixtures("narrow")
@pytest.mark.parametrize("settings", ["sqlite", "postgresql"], indirect=True)
def test_that_say_when_they_were_observed_are_refreshed_from_there_on(
    samples: Samples, source: Source
) -> None:
    """And samples that arrive one by one, of which the batch engine gets what is pending."""
    source.observed = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
    assert refresh(samples).rows == ROWS
    model, expected = linear(source)
    source.values[0] = source.values[1]
    source.observed += dt.timedelta(days=9)
    assert refresh(samples).rows == ROWS
    np.testing.assert_allclose(
        scores_of(samples, model, "nearline", source.ids), [expected[1], *expected[1:]], atol=1e-9
    )

    arrivals = Arrivals(samples)
    row = [None if np.isnan(one) else float(one) for one in source.values[2]]
    later = (source.observed + dt.timedelta(days=1)).isoformat()
    body = {"sample_id": "c000", "observed_at": later, **dict(zip(source.names, row, strict=True))}
    assert arrivals.take([arrivals.parse(json.dumps(body).encode())]) == 1
    assert Scorer(model, "nearline", samples).one("c000") == pytest.approx((expected[2],))
    assert arrivals.settle() == 1
    precompute(samples, model, VERSION)
    found = scores_of(samples, model, "offline", source.ids)
    np.testing.assert_allclose(found, [expected[2], *expected[1:]], atol=1e-9)


@pytest.mark.usefixtures("narrow")
@pytest.mark.parametrize("settings", ["sqlite", "postgresql"], indirect=True)
def test_whose_raw_rows_changed_are_swapped_whole(samples: Samples, source: Source) -> None:
    model, expected = linear(source)
    refresh(samples)
    source.values[:] = source.values[::-1]
    assert refresh(samples).rows == ROWS
    found = scores_of(samples, model, "nearline", source.ids)
    np.testing.assert_allclose(found, expected[::-1], rtol=0, atol=1e-9)
    assert (refresh(samples).rows, refresh(samples).samples) == (0, ROWS)

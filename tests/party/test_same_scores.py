"""Training and scoring read the same features, so a model scores alike in both (S2, S4, S5)."""

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

import tallystick
from events.vocabulary import Role
from learning.binning import apply_bins, learn_bins
from learning.errors import ConstantColumnError
from party.samples import open_samples
from party.settings import PartySettings
from party.sources import SourceSettings, Table, read_source
from scoring.models.linear import BinnedTerm, LinearModel
from scoring.precomputed import precompute
from scoring.refreshing import refresh
from scoring.samples import Samples
from scoring.serving import Way, score

DATA = Path(str(tallystick.__file__)).parent / "data"
MODEL_ID = "spring-offer"
SHIPPED = ["term_deposit_bank", "term_deposit_partner", "high_income_bank", "high_income_partner"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Trained:
    """A half of a model, its own scores of the rows it was trained on, and their ids."""

    model: LinearModel
    ids: list[str]
    scores: Floats


def trained(table: Table) -> Trained:
    """Bins as training learns them, and weights that nothing else in the test could guess."""
    weights = np.random.default_rng(4)
    terms, scores = [], np.full(len(table.ids), 0.25)
    for name, column in table.columns.items():
        try:
            bins = learn_bins(name, column, np.ones(len(table.ids), np.bool_), smallest_bin=1)
        except ConstantColumnError:
            continue
        of_bins = weights.normal(size=bins.bins)
        scores += of_bins[apply_bins(bins, column)]
        terms.append(BinnedTerm(cut=bins, weights=(tuple(of_bins.tolist()),)))
    model = LinearModel(
        model_id=MODEL_ID,
        role=Role.LOCAL,
        digest="0" * 64,
        kind="logistic",
        combination="sigmoid",
        outputs=1,
        intercepts=(0.25,),
        terms=tuple(terms),
    )
    return Trained(model, table.ids, scores)


def served(model: LinearModel, way: Way, ids: list[str], samples: Samples) -> Floats:
    """Scores by position; NaN where there is no such sample."""
    scores = np.full(len(ids), np.nan)
    for batch in score(model, way, ids, samples):
        found = batch.column("found").to_numpy(zero_copy_only=False)
        rows = batch.column("position").to_numpy()[found]
        scores[rows] = batch.column("score_0").to_numpy()[found]
    return scores


def assert_scored_alike(samples: Samples, own: Trained) -> None:
    """Every row all three ways, and a few of them by single look-ups."""
    few = own.ids[:: max(1, len(own.ids) // 50)][:50]
    of_few = own.scores[:: max(1, len(own.ids) // 50)][:50]
    for way in ("realtime", "nearline", "offline"):
        if way == "nearline":
            refresh(samples)
        if way == "offline":
            assert precompute(samples, own.model, 1) == len(own.ids)
        np.testing.assert_allclose(served(own.model, way, own.ids, samples), own.scores, atol=1e-9)
        np.testing.assert_allclose(served(own.model, way, few, samples), of_few, atol=1e-9)
        assert np.isnan(served(own.model, way, ["nobody"], samples)).all()


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[[SourceSettings], Samples]]:
    """The kind that a party has without any configuration of [samples]."""
    made: list[Samples] = []

    def open_(source: SourceSettings) -> Samples:
        settings = PartySettings(name="bank", role=Role.LOCAL, source=source)
        made.append(open_samples(settings, tmp_path))
        return made[-1]

    yield open_
    for samples in made:
        samples.__exit__()


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_data_set_scores_as_it_trained(
    name: str, opened: Callable[[SourceSettings], Samples]
) -> None:
    source = SourceSettings(file=str(DATA / f"{name}.csv.gz"))

    assert_scored_alike(opened(source), trained(read_source(source)))


ODD_ROWS = [
    "phone,y,Größe,order,member,opened,renewed,branch,paid,remark",
    '0151,1,1.5,3,true,2024-02-29,2023-12-31,"",inf,',
    "0152,0,,1,false,,2023-12-30,north,NaN,a",
    "0153,1,2.5,2,,2024-03-02,,south,-1e300,",
    "00154,0,1e300,,true,1969-07-20,2023-12-30,north,7,b",
]


def test_odd_columns_score_as_they_trained(
    tmp_path: Path, opened: Callable[[SourceSettings], Samples]
) -> None:
    """Dates, dates as text, booleans, empty texts, NaN, names that no engine takes as they are."""
    rows = [line.replace(",inf,", ",,") for line in ODD_ROWS]
    (tmp_path / "own.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    source = SourceSettings(file="own.csv", observed_on=dt.date(2024, 3, 1))
    table = read_source(source, folder=tmp_path)

    assert list(table.columns) == ODD_ROWS[0].split(",")[2:]
    assert_scored_alike(opened(source), trained(table))


def test_a_query_at_another_database_scores_as_it_trained(
    postgres_url: str, opened: Callable[[SourceSettings], Samples]
) -> None:
    source = SourceSettings(
        url=postgres_url,
        query=(
            "SELECT i AS id, i % 7 AS a, CASE WHEN i % 3 = 0 THEN NULL ELSE i / 4.0 END AS b, "
            "DATE '2024-01-01' + i % 40 AS opened, chr(65 + i % 5) AS branch, i % 2 = 0 AS member, "
            "TO_CHAR(DATE '2023-01-01' + i % 9, 'YYYY-MM-DD') AS renewed "
            "FROM generate_series(1, 2000) AS numbers (i)"
        ),
        observed_on=dt.date(2024, 3, 1),
    )

    assert_scored_alike(opened(source), trained(read_source(source)))

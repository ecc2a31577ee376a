"""Training reads its features through a kind's own extraction, labels beside it (P1, S5)."""

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from party.errors import SettingsError, SourceError
from party.samples import open_samples
from party.settings import PartySettings, parse_settings
from party.sources import Table, read_source
from scoring.engines.arrow import arrow_schema
from scoring.engines.opening import open_engine
from scoring.samples import Samples
from scoring.tables import Column, ColumnType
from scoring.tables import Table as RawTable
from tests.party.test_same_scores import assert_scored_alike, trained

SETTINGS = """
name = "bank"
role = "local"

[source]
samples = "customer"
file = "labels.csv"
id = "phone"
label = "bought"

[samples.customer]
extraction = "customer.sql"
table = "contracts"
id = "phone"
engine = "{engine}"
observed_on = 2024-03-01
"""
SCRIPT = """
-- One row a customer: what the contracts of the last years say.
SELECT
  c.phone AS sample_id,
  c.opened,
  c.renewed,
  c.branch AS "Last branch",
  COALESCE(p.paid, 0) / 12.0 AS paid_a_month,
  CASE WHEN c.limit_of IS NULL THEN 0 ELSE 1 END AS has_limit,
  c.limit_of
FROM contracts AS c
LEFT JOIN (SELECT phone, SUM(amount) AS paid FROM payments GROUP BY phone) AS p
  ON p.phone = c.phone;
"""
CUSTOMERS = 400


@pytest.fixture(params=["duckdb:///batch.duckdb", "sqlite:///batch.sqlite", "postgresql"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> PartySettings:
    """A bank whose contracts and payments are two tables of its engine."""
    engine = request.param
    if engine == "postgresql":
        engine = request.getfixturevalue("postgres_url")
    found = parse_settings(SETTINGS.format(engine=engine), tmp_path / "party.toml")
    (tmp_path / "customer.sql").write_text(SCRIPT, encoding="utf-8")
    _fill(engine, tmp_path)
    labels = [f"{row},{row % 3 == 0:d},unused" for row in range(50, CUSTOMERS + 30)]
    (tmp_path / "labels.csv").write_text("phone,bought,note\n" + "\n".join(labels) + "\n")
    return found


def _fill(url: str, folder: Path) -> None:
    """Raw tables as some other program writes them."""
    day = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
    rows = range(CUSTOMERS)
    contracts = {
        "phone": [str(row) for row in rows],
        "opened": [None if row % 11 == 0 else day - dt.timedelta(days=row % 50) for row in rows],
        "renewed": ["" if row % 9 == 0 else f"2024-02-{row % 28 + 1:02}" for row in rows],
        "branch": [("north", "south", "", None)[row % 4] for row in rows],
        "limit_of": [None if row % 5 == 0 else row * 1.25 for row in rows],
    }
    payments = {"phone": [str(row // 2) for row in rows], "amount": [row / 7 for row in rows]}
    types = {"opened": ColumnType.TIME, "limit_of": ColumnType.NUMBER, "amount": ColumnType.NUMBER}
    with open_engine(url, folder=folder) as engine:
        for name, values in (("contracts", contracts), ("payments", payments)):
            columns = [Column(one, types.get(one, ColumnType.TEXT)) for one in values]
            key = tuple(values) if name == "payments" else ("phone",)
            table = RawTable(name, tuple(columns), key)
            for stale in (name, "features_customer"):
                engine.drop(stale)
            engine.ensure(table)
            engine.append(table, [pa.record_batch(values, schema=arrow_schema(columns))])


def read(settings: PartySettings, folder: Path, *, labelled: bool | None = True) -> Table:
    assert settings.source is not None

    def open_kind(name: str) -> Samples:
        return open_samples(settings, folder, name)

    return read_source(settings.source, labelled=labelled, folder=folder, open_kind=open_kind)


def test_training_reads_what_the_extraction_yields(settings: PartySettings, tmp_path: Path) -> None:
    table = read(settings, tmp_path)

    place = table.ids.index("52")
    found = {name: column[place] for name, column in table.columns.items()}
    assert found["opened"] == 62  # 2023-12-30, two days before New Year
    assert found["renewed"] == 5  # 2024-02-25
    assert found["Last branch"] == "north"
    assert found["paid_a_month"] == pytest.approx((104 + 105) / 7 / 12)
    assert (found["has_limit"], found["limit_of"]) == (1, 65)


def test_customers_without_a_label_are_left_out_and_counted(
    settings: PartySettings, tmp_path: Path
) -> None:
    table = read(settings, tmp_path)

    assert sorted(map(int, table.ids)) == list(range(50, CUSTOMERS))
    assert table.label is not None
    assert table.label[table.ids.index("51")] == 1
    assert table.notes[0] == (
        "350 samples have a label; 50 without one are left out, and 30 labels without a sample"
    )


def test_a_party_without_labels_reads_every_sample(settings: PartySettings, tmp_path: Path) -> None:
    assert len(read(settings, tmp_path, labelled=False).ids) == CUSTOMERS


def test_the_model_scores_as_it_trained(settings: PartySettings, tmp_path: Path) -> None:
    table = read(settings, tmp_path, labelled=False)

    with open_samples(settings, tmp_path) as samples:
        assert_scored_alike(samples, trained(table))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda text: text.replace("contracts AS c", "contract AS c"), "contract"),
        (lambda text: text.replace("LEFT JOIN (", "LEFT JOIN (("), "customer.sql is not"),
        (lambda text: text.replace("c.phone AS sample_id", "c.phone"), "no column sample_id"),
    ],
)
def test_a_script_that_cannot_be_is_told_in_one_sentence(
    settings: PartySettings, tmp_path: Path, change: Callable[[str], str], told: str
) -> None:
    (tmp_path / "customer.sql").write_text(change(SCRIPT), encoding="utf-8")

    with pytest.raises(SourceError, match=told):
        read(settings, tmp_path)


def test_a_bank_needs_labels_somewhere(settings: PartySettings, tmp_path: Path) -> None:
    assert settings.source is not None
    alone = settings.source.model_copy(update={"file": None})

    with pytest.raises(SourceError, match="the samples customer have no label"):
        read(settings.model_copy(update={"source": alone}), tmp_path)


def test_a_kind_that_is_not_configured_is_named(settings: PartySettings, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"no \[samples.branch\]; its kinds .* are customer"):
        open_samples(settings, tmp_path, "branch")

"""A bank and a partner with customers and half a model each, for the benchmarks of scoring."""

import json
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
from psycopg import sql

from events.vocabulary import Role
from learning.binning import learn_bins
from party.creating import create_party
from party.model_keeping import convert_document
from party.opening import open_party, party_card, trust
from scoring.models.linear import BinnedTerm, LinearModel
from tests.brokers import PrivateBroker
from tests.databases import private_postgres

COLUMNS = {"bank": ("income", "age", "balance"), "partner": ("calls", "data", "spend")}
ROLES = {"bank": Role.LOCAL, "partner": Role.PARTICIPANT}
MODEL = "spring"
FIRST_ID = 15_400_000_000
BLOCK = 100_000


def make_parties(
    folder: Path, customers: int, policy: str = "", engines: Mapping[str, str] | None = None
) -> None:
    """Two parties with data and a model in their tables, each trusting the other.

    `engines` are URLs by party; embedded ones unless given.
    """
    for name, columns in COLUMNS.items():
        data = folder / f"{name}.parquet"
        _write_customers(data, columns, customers)
        tables = f"[source]\nfile = {json.dumps(str(data))}\n"
        if engines:
            kind = {"engine": engines[name], "lookup": engines[name], "file": str(data)}
            lines = [f"{setting} = {json.dumps(value)}" for setting, value in kind.items()]
            tables += "\n".join(["[samples.customers]", *lines, ""])
        create_party(folder / name, ROLES[name], name, tables=tables + policy)
        (folder / f"{name}.json").write_text(party_card(folder / name).model_dump_json())
        with closing(open_party(folder / name)) as party:
            convert_document(party, _half(name))
    trust(folder / "bank", folder / "partner.json")
    trust(folder / "partner", folder / "bank.json")


def customer(number: int) -> str:
    return str(FIRST_ID + number)


def at_broker(folder: Path, url: str) -> None:
    """Write the broker's address into a party's settings."""
    settings = folder / "party.toml"
    text = settings.read_text()
    line = next(one for one in text.splitlines() if one.startswith("broker ="))
    settings.write_text(text.replace(line, f"broker = {json.dumps(url)}"))


@contextmanager
def broker(folder: Path) -> Iterator[dict[str, str]]:
    """A RabbitMQ of this run's own; its address for each party."""
    private = PrivateBroker(folder / "broker")
    urls = {name: private.add_party(name) for name in ROLES}
    private.start()
    try:
        yield urls
    finally:
        private.kill()


@contextmanager
def postgresql() -> Iterator[dict[str, str]]:
    """A server of this run's own; the address of a schema for each party."""
    with private_postgres() as url:
        with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
            for name in ROLES:
                connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(name)))
        yield {name: f"{url}&options=-csearch_path%3D{name}" for name in ROLES}


def _write_customers(path: Path, columns: tuple[str, ...], customers: int) -> None:
    """Normal columns, a block after the other."""
    random = np.random.default_rng(11)
    schema = pa.schema([("id", pa.string()), *((name, pa.float64()) for name in columns)])
    with pq.ParquetWriter(path, schema) as writer:
        for start in range(0, customers, BLOCK):
            numbers = range(start, min(start + BLOCK, customers))
            values = _values(random, len(numbers), columns)
            ids = pa.array([customer(number) for number in numbers])
            arrays = [ids, *(pa.array(column) for column in values.T)]
            writer.write_batch(pa.record_batch(arrays, schema=schema))


def _values(
    random: np.random.Generator, rows: int, columns: tuple[str, ...]
) -> npt.NDArray[np.float64]:
    return random.normal(size=(rows, len(columns))).round(3)


def _half(name: str) -> LinearModel:
    """A logistic half with bins of such columns."""
    values = _values(np.random.default_rng(11), BLOCK, COLUMNS[name])
    training = np.ones(len(values), np.bool_)
    cuts = [
        learn_bins(column, values[:, place], training) for place, column in enumerate(COLUMNS[name])
    ]
    terms = tuple(
        BinnedTerm(cut=cut, weights=(tuple(0.1 * place for place in range(cut.bins)),))
        for cut in cuts
    )
    return LinearModel(
        model_id=MODEL,
        role=Role.LOCAL if name == "bank" else Role.PARTICIPANT,
        digest="0" * 64,
        kind="logistic",
        combination="sigmoid",
        outputs=1,
        intercepts=(0.0,) if name == "bank" else None,
        terms=terms,
    )

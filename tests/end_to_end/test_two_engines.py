"""One prediction over RabbitMQ: the bank scores in PostgreSQL, the partner in Hive (C3, S2, S4).

The partner's engine is Spark's Thrift Server, reached through PyHive with a login and TLS. More
customers are asked for than are looked up singly, so both batch engines do the work.
"""

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import numpy as np
import psycopg
import pytest

from bus import open_endpoint
from events.vocabulary import Role
from learning.binning import apply_bins, learn_bins
from party.creating import create_party
from party.jobs import job_history
from party.model_keeping import convert_document
from party.opening import Party, open_party, party_card, trust
from party.predicting import Answer, Wish, answer_of, request_prediction
from party.running import RunningParty
from scoring.engines.settings import EngineSettings
from scoring.models.linear import BinnedTerm, LinearModel
from scoring.serving import FEW
from tests.brokers import PrivateBroker
from tests.hive.servers import HiveServer

CUSTOMERS = FEW + 300
MISSING_AT_PARTNER = 50
SEED = {"bank-sql": 3, "partner-sql": 4}
PATIENCE_SECONDS = 600.0


def values_of(name: str) -> np.ndarray:
    return np.random.default_rng(SEED[name]).normal(size=CUSTOMERS).round(3)


def half_of(name: str, role: Role) -> LinearModel:
    values = values_of(name)
    cut = learn_bins("x", values, np.ones(CUSTOMERS, np.bool_))
    weights = tuple(0.3 * place - 0.5 for place in range(cut.bins))
    return LinearModel(
        model_id="two-engines",
        role=Role.LOCAL if role is Role.LOCAL else Role.PARTICIPANT,
        digest="0" * 64,
        kind="logistic",
        combination="sigmoid",
        outputs=1,
        intercepts=(0.25,) if role is Role.LOCAL else None,
        terms=(BinnedTerm(cut=cut, weights=(weights,)),),
    )


def part_of(name: str, role: Role) -> np.ndarray:
    """The same scores by numpy."""
    model = half_of(name, role)
    [term] = model.terms
    assert isinstance(term, BinnedTerm)
    weights = np.array(term.weights[0])
    codes = apply_bins(term.cut, values_of(name))
    return weights[codes] + (model.intercepts or (0.0,))[0]


def write_data(folder: Path, name: str, customers: int) -> Path:
    lines = [f"{7000 + row},{value}" for row, value in enumerate(values_of(name)[:customers])]
    file = folder / f"{name}.csv"
    file.write_text("\n".join(["id,x", *lines]) + "\n")
    return file


def samples_of(file: Path, engine: EngineSettings) -> str:
    """[samples.customers] of a party.toml."""
    inner = inner_table(engine)
    return f'[samples.customers]\nfile = {json.dumps(str(file))}\nid = "id"\nengine = {inner}\n'


def inner_table(engine: EngineSettings) -> str:
    """As it stands in a party.toml."""
    fields = engine.model_dump(mode="json", exclude_defaults=True)
    return f"{{{', '.join(f'{name} = {json.dumps(value)}' for name, value in fields.items())}}}"


@pytest.fixture
def parties(
    tmp_path: Path,
    rabbitmq: PrivateBroker,
    postgres_url: str,
    spark_server: HiveServer,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[dict[str, Party]]:
    with psycopg.connect(postgres_url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute("CREATE SCHEMA IF NOT EXISTS two_engines")
    postgres = EngineSettings(url=f"{postgres_url}&options=-csearch_path%3Dtwo_engines")
    engines = {"bank-sql": postgres, "partner-sql": spark_server.fresh_database(monkeypatch)}
    roles = {"bank-sql": Role.LOCAL, "partner-sql": Role.PARTICIPANT}
    rows = {"bank-sql": CUSTOMERS, "partner-sql": CUSTOMERS - MISSING_AT_PARTNER}
    for name, role in roles.items():
        tables = samples_of(write_data(tmp_path, name, rows[name]), engines[name])
        create_party(tmp_path / name, role, name, tables=tables)
        (tmp_path / f"{name}.json").write_text(party_card(tmp_path / name).model_dump_json())
    trust(tmp_path / "bank-sql", tmp_path / "partner-sql.json")
    trust(tmp_path / "partner-sql", tmp_path / "bank-sql.json")
    with ExitStack() as stack:
        opened = {}
        for name, role in roles.items():
            party = stack.enter_context(closing(open_party(tmp_path / name)))
            assert convert_document(party, half_of(name, role)).is_new
            assert not convert_document(party, half_of(name, role)).is_new
            endpoint = open_endpoint(rabbitmq.amqp_url, name)
            stack.enter_context(RunningParty(party, endpoint))
            opened[name] = party
        yield opened


def ask(bank: Party, ids: list[str]) -> Answer:
    job = request_prediction(bank, Wish("two-engines", ids, seconds=int(PATIENCE_SECONDS)))
    give_up = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < give_up:
        if answer := answer_of(bank, job_history(bank.log, job)):
            return answer
        time.sleep(0.05)
    raise AssertionError("no answer")


def test_the_answer_is_pythons_from_both_engines(parties: dict[str, Party]) -> None:
    ids = [str(7000 + row) for row in range(CUSTOMERS)]
    answer = ask(parties["bank-sql"], ids)
    assert answer.rejected is None
    assert answer.results is not None
    expected = part_of("bank-sql", Role.LOCAL) + part_of("partner-sql", Role.PARTICIPANT)
    known = CUSTOMERS - MISSING_AT_PARTNER
    assert answer.results.scored.tolist() == [True] * known + [False] * MISSING_AT_PARTNER
    np.testing.assert_allclose(
        answer.results.values[:known, 0], 1 / (1 + np.exp(-expected[:known])), rtol=0, atol=1e-9
    )
    assert np.isnan(answer.results.values[known:]).all()
    assert answer.results.missing_at(CUSTOMERS - 1) == ("partner-sql",)
    single = ask(parties["bank-sql"], ids[:1])
    assert single.results is not None
    assert single.results.values[0, 0] == answer.results.values[0, 0]

"""A log in PostgreSQL is audited where it lies, by a session that cannot write (D4)."""

import shutil
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from audit.comparison import compare
from audit.database_copy import read_only_engine
from audit.opening import open_log
from audit.verification import verify
from party.settling import settle_payloads
from store.database import parse_url
from store.log import Log
from tests.audit.conftest import Federation
from tests.audit.forging import honest, log_of
from tests.store.conftest import fresh_postgres_log


def test_it_is_verified_and_compared_like_any_other(
    federation: Federation, postgres_url: str, tmp_path: Path
) -> None:
    """Given the partner's events in PostgreSQL, and its payloads in a folder."""
    partner = federation["partner"]
    url = fresh_postgres_log(postgres_url)
    write(url, federation)
    cards = [party.card for party in federation.parties.values()]
    payloads = tmp_path / "payloads"
    settle_payloads(partner)  # small ones are in the log alone at first
    shutil.copytree(partner.folder.payloads, payloads)
    with open_log(url, cards, payloads) as copy:
        result = verify(copy)
        assert (copy.party, result.events) == ("partner", partner.log.head())
        assert [one for check in result.checks for one in check.findings] == []
        with open_log(honest(federation["bank"], tmp_path)) as other:
            assert compare([copy, other]).holds


def test_an_auditor_cannot_write_there(federation: Federation, postgres_url: str) -> None:
    url = fresh_postgres_log(postgres_url)
    write(url, federation)
    engine = read_only_engine(parse_url(url))
    with engine.connect() as connection, pytest.raises(DBAPIError, match="read-only"):
        connection.execute(text("UPDATE log_head SET position = 7"))


def write(url: str, federation: Federation) -> None:
    """The partner's log, once more."""
    log = Log(url)
    with log.transaction() as transaction:
        for entry in log_of(federation["partner"]):
            transaction.append(entry.envelope, entry.canonical)
    log.close()

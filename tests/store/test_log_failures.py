"""A failing disk or database: one clear error, and nothing half-written (requirement D2)."""

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, text

from events.rounds import RoundCompleted
from store import (
    Log,
    StoreError,
    StoreFormatError,
    StoreFullError,
    StoreReadOnlyError,
    StoreUnreachableError,
)
from store.database import open_engine
from tests.envelopes import Issuer
from tests.store.conftest import fresh_postgres_log


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "party" / "log.sqlite"


@pytest.fixture
def sqlite_log(path: Path) -> Iterator[Log]:
    log = Log(f"sqlite:///{path}")
    yield log
    log.close()


@pytest.fixture
def postgres_log_url(postgres_url: str) -> str:
    return fresh_postgres_log(postgres_url)


@pytest.fixture
def postgres_log(postgres_log_url: str) -> Iterator[Log]:
    log = Log(postgres_log_url)
    yield log
    log.close()


@pytest.fixture
def administrator(postgres_log_url: str) -> Iterator[Engine]:
    engine = create_engine(postgres_log_url)
    yield engine
    engine.dispose()


def append_one(log: Log, issuer: Issuer) -> int:
    envelope = issuer.says(RoundCompleted(round=1))
    with log.transaction() as transaction:
        return transaction.append(envelope, envelope.canonical_bytes())


def asked(log: Log, pragma: str) -> object:
    """On the connection that the next statement of the log runs on."""
    assert log._plain is not None
    with log._plain.raw() as connection:
        found = connection.execute(pragma).fetchone()
    return found[0] if found else None


def test_a_sqlite_log_is_for_its_owner_only_and_durable(sqlite_log: Log, path: Path) -> None:
    append_one(sqlite_log, Issuer("arbiter"))

    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in path.parent.iterdir()} == {0o600}
    assert asked(sqlite_log, "PRAGMA journal_mode") == "wal"
    assert asked(sqlite_log, "PRAGMA synchronous") == 2


def test_relaxed_durability_is_only_for_what_can_be_rebuilt(path: Path) -> None:
    engine = open_engine(f"sqlite:///{path}", "relaxed")
    with engine.begin() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 1
    engine.dispose()


def test_a_full_disk_is_told_and_undone(sqlite_log: Log) -> None:
    arbiter = Issuer("arbiter")
    append_one(sqlite_log, arbiter)
    pages = asked(sqlite_log, "PRAGMA page_count")
    asked(sqlite_log, f"PRAGMA max_page_count = {pages}")

    def append_much() -> None:
        with sqlite_log.transaction() as transaction:
            for _ in range(100):
                envelope = arbiter.says(RoundCompleted(round=1))
                transaction.append(envelope, envelope.canonical_bytes())

    with pytest.raises(StoreFullError, match="free some space"):
        append_much()

    assert sqlite_log.head() == len(sqlite_log.read()) == 1


def test_a_read_only_database_is_told(sqlite_log: Log) -> None:
    asked(sqlite_log, "PRAGMA query_only = 1")

    with pytest.raises(StoreReadOnlyError, match="write access"):
        append_one(sqlite_log, Issuer("arbiter"))


def test_a_file_that_is_no_database_is_left_alone(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"customer;amount\n" * 100)

    with pytest.raises(StoreFormatError, match=r"log\.sqlite"):
        Log(f"sqlite:///{path}")

    assert path.read_bytes() == b"customer;amount\n" * 100


def test_a_log_of_another_release_is_left_alone(sqlite_log: Log, path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE log_head SET format = 99")
    connection.close()

    with pytest.raises(StoreFormatError, match="format 99"):
        Log(f"sqlite:///{path}")


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreUnreachableError, match=r"log\.sqlite"):
        Log(f"sqlite:///{tmp_path}/file/log.sqlite")


@pytest.mark.parametrize(
    "url", ["", "nonsense", "sqlite://", "sqlite:///:memory:", "mysql://u:secret@h/d"]
)
def test_an_address_that_makes_no_log_is_told(url: str) -> None:
    with pytest.raises(StoreError, match=r"sqlite.*postgresql|sqlite:////") as raised:
        Log(url)
    assert "secret" not in str(raised.value)


def test_an_unreachable_server_is_told_without_the_password(tmp_path: Path) -> None:
    with pytest.raises(
        StoreUnreachableError, match=r"bank:\*\*\*@.*check that the server"
    ) as raised:
        Log(f"postgresql+psycopg://bank:opensesame@/party?host={tmp_path}")
    assert "opensesame" not in str(raised.value)


def test_a_missing_database_is_told(postgres_url: str) -> None:
    with pytest.raises(StoreUnreachableError, match='"nowhere" does not exist'):
        Log(postgres_url.replace("/postgres?", "/nowhere?"))


def test_a_lost_connection_is_told_undone_and_survived(
    postgres_log: Log, administrator: Engine
) -> None:
    arbiter = Issuer("arbiter")
    envelope = arbiter.says(RoundCompleted(round=1))
    others = text(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
    )

    def append_while_connections_are_cut() -> None:
        with postgres_log.transaction() as transaction:
            transaction.append(envelope, envelope.canonical_bytes())
            with administrator.begin() as connection:
                connection.execute(others)

    with pytest.raises(StoreUnreachableError, match="check that the server runs"):
        append_while_connections_are_cut()

    assert postgres_log.head() == 0
    with postgres_log.transaction() as transaction:
        assert transaction.append(envelope, envelope.canonical_bytes()) == 1


@pytest.mark.parametrize(
    ("code", "expected"),
    [("53100", StoreFullError), ("25006", StoreReadOnlyError), ("57P03", StoreUnreachableError)],
)
def test_what_the_server_reports_is_told(
    postgres_log: Log, administrator: Engine, code: str, expected: type[StoreError]
) -> None:
    with administrator.begin() as connection:
        connection.execute(
            text(f"""CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql
            AS $$ BEGIN RAISE EXCEPTION 'no more' USING ERRCODE = '{code}'; END $$""")
        )
        connection.execute(
            text("CREATE TRIGGER fail BEFORE INSERT ON events EXECUTE FUNCTION fail()")
        )

    with pytest.raises(expected, match="no more"):
        append_one(postgres_log, Issuer("arbiter"))

    assert postgres_log.read() == []


def test_a_full_file_system_is_told_by_the_log_too(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_arguments: object, **_options: object) -> int:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "open", full)
    with pytest.raises(StoreFullError, match="no space is left"):
        Log(f"sqlite:///{path}")

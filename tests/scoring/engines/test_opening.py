"""Addresses, secrets, and faults that name their remedy (C3)."""

import subprocess
import sys
from pathlib import Path

import pytest
from sqlglot import exp

from scoring.engines.hive_engine import HiveEngine
from scoring.engines.opening import open_engine
from scoring.engines.settings import EngineSettings
from scoring.errors import (
    EngineError,
    EngineSettingsError,
    EngineUnavailableError,
    LoginRefusedError,
)
from scoring.tables import Column, ColumnType, Table
from tests.certificates import Authority
from tests.hive.servers import HiveServer
from tests.scoring.engines.rows import SAMPLES, batch, content, sample

NOBODY_LISTENS = 1  # a port
LIMITS = Table("limits", (Column("limit_told", ColumnType.TEXT),), ("limit_told",))
MEMORY_LIMIT = exp.func("current_setting", exp.Literal.string("memory_limit"))


@pytest.mark.parametrize("url", ["nonsense", "duckdb:file", "hive://host:port/x"])
def test_an_address_that_cannot_be_read_is_refused_with_those_that_can(url: str) -> None:
    with pytest.raises(EngineSettingsError, match="write duckdb:///FILE"):
        open_engine(url)


def test_a_file_takes_three_slashes() -> None:
    with pytest.raises(EngineSettingsError, match="duckdb:///FILE"):
        open_engine("duckdb://scores")


def test_an_unknown_engine_is_refused_with_the_known_ones() -> None:
    with pytest.raises(EngineSettingsError, match="known are duckdb, sqlite, postgresql and hive"):
        open_engine("oracle://host/database")


@pytest.mark.parametrize("kind", ["duckdb", "sqlite"])
def test_a_relative_file_starts_at_the_folder_and_is_its_owners_alone(
    kind: str, tmp_path: Path
) -> None:
    with open_engine(f"{kind}:///scores", folder=tmp_path) as engine:
        engine.ensure(SAMPLES)
        engine.append(SAMPLES, [batch([sample("a")])])
    assert (tmp_path / "scores").stat().st_mode & 0o077 == 0
    with open_engine(f"{kind}:///scores", folder=tmp_path) as engine:
        assert content(engine) == [sample("a")]


@pytest.mark.parametrize("kind", ["duckdb", "sqlite"])
def test_without_a_file_an_engine_is_in_memory(kind: str) -> None:
    with open_engine(f"{kind}://") as engine:
        engine.ensure(SAMPLES)
        engine.merge(SAMPLES, [batch([sample("a")])])
        assert content(engine) == [sample("a")]


@pytest.mark.parametrize("kind", ["duckdb", "sqlite"])
def test_a_folder_that_is_not_there_is_named(kind: str, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="nowhere"):
        open_engine(f"{kind}:///nowhere/scores", folder=tmp_path)


def test_a_duckdb_file_in_use_by_another_process_is_said_so(tmp_path: Path) -> None:
    program = (
        "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('open', flush=True); "
        "sys.stdin.read()"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "scores")]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as other:
        assert other.stdout is not None
        assert other.stdin is not None
        assert other.stdout.readline() == "open\n"
        impatient = EngineSettings(url="duckdb:///scores", patience_seconds=0)
        with pytest.raises(EngineUnavailableError, match="another process"):
            open_engine(impatient, folder=tmp_path)
        other.stdin.close()
        other.wait()
    open_engine(impatient, folder=tmp_path).close()


def test_duckdb_takes_more_memory_only_while_it_writes_a_result() -> None:
    with open_engine(EngineSettings(url="duckdb://", memory="300MB")) as engine:
        engine.ensure(LIMITS)
        engine.replace_query(LIMITS, exp.select(exp.alias_(MEMORY_LIMIT, "limit_told")))
        told = exp.select(exp.column("limit_told")).from_(LIMITS.name)
        assert engine.rows(told) == [("381.4 MiB",)], "a third more"
        assert engine.rows(exp.select(MEMORY_LIMIT)) == [("286.1 MiB",)]


def test_duckdb_takes_no_more_memory_after_a_result_that_failed() -> None:
    no_number = exp.cast(exp.func("concat", exp.Literal.string("x"), MEMORY_LIMIT), "BIGINT")
    with open_engine(EngineSettings(url="duckdb://", memory="300MB")) as engine:
        engine.ensure(LIMITS)
        with pytest.raises(EngineError, match="refused a value"), engine.together(LIMITS.name):
            engine.replace_query(LIMITS, exp.select(exp.alias_(no_number, "limit_told")))
        assert engine.rows(exp.select(MEMORY_LIMIT)) == [("286.1 MiB",)]


def test_a_closed_duckdb_file_is_said_so() -> None:
    engine = open_engine("duckdb://")
    engine.close()
    with pytest.raises(EngineError, match="DuckDB"):
        engine.replace_query(LIMITS, exp.select(exp.alias_(MEMORY_LIMIT, "limit_told")))


def test_a_variable_that_is_not_set_is_named() -> None:
    with pytest.raises(EngineSettingsError, match="TALLY_NO_SUCH_PASSWORD"):
        open_engine("postgresql+psycopg://me:${TALLY_NO_SUCH_PASSWORD}@localhost/scores")


def test_a_password_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("secret\n")
    (tmp_path / "password").chmod(0o644)
    settings = EngineSettings(url="hive://me@localhost/scores", password_file=Path("password"))
    with pytest.raises(EngineSettingsError, match="chmod 600") as refusal:
        open_engine(settings, folder=tmp_path)
    assert "secret" not in str(refusal.value)


@pytest.mark.parametrize("kind", ["postgresql+psycopg", "hive"])
def test_a_server_that_is_not_there_is_named_without_the_password(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TALLY_TEST_PASSWORD", "s3cret")
    url = f"{kind}://me:${{TALLY_TEST_PASSWORD}}@127.0.0.1:{NOBODY_LISTENS}/scores"
    with pytest.raises(EngineUnavailableError, match=r"127\.0\.0\.1:1/scores") as refusal:
        open_engine(EngineSettings(url=url, patience_seconds=2))
    assert "s3cret" not in str(refusal.value)


def test_postgresql_refuses_an_unknown_user(postgres_url: str) -> None:
    with pytest.raises(LoginRefusedError, match="check its user and password"):
        open_engine(postgres_url.replace("tallystick@", "nobody_known@"))


# Hive: a login and TLS


def test_the_password_may_be_in_a_file(
    spark_server: HiveServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    password = tmp_path / "password"
    password.touch(mode=0o600)
    password.write_text(spark_server.told["password"])
    url = f"hive://tallystick@127.0.0.1:{spark_server.told['port']}/default"
    settings = spark_server.settings(monkeypatch, url=url, password_file=password)
    with open_engine(settings) as engine:
        assert engine.rows(exp.select("1")) == [(1,)]
        assert engine.address == url.replace("tallystick@", "tallystick:***@")
        assert engine.dialect == "spark"


def test_a_wrong_password_is_refused(
    spark_server: HiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = spark_server.settings(monkeypatch)
    monkeypatch.setenv("TALLY_TEST_HIVE_PASSWORD", "wrong-one")
    with pytest.raises(LoginRefusedError, match="check user, password") as refusal:
        open_engine(settings)
    assert "wrong-one" not in str(refusal.value)


def test_a_login_without_a_password_is_refused(
    spark_server: HiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"hive://tallystick@127.0.0.1:{spark_server.told['port']}/default"
    with pytest.raises(LoginRefusedError):
        open_engine(spark_server.settings(monkeypatch, url=url))
    with pytest.raises(EngineSettingsError, match="needs a password"):
        open_engine(spark_server.settings(monkeypatch, url=url, authentication="ldap"))


def test_a_server_of_another_authority_is_not_trusted(
    spark_server: HiveServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    other = Authority(tmp_path / "other")
    with pytest.raises(LoginRefusedError, match="ca_file"):
        open_engine(spark_server.settings(monkeypatch, ca_file=other.file))
    with pytest.raises(LoginRefusedError, match="ca_file"):
        open_engine(spark_server.settings(monkeypatch, ca_file=None, tls=True))
    with pytest.raises(EngineSettingsError, match="authorities"):
        open_engine(spark_server.settings(monkeypatch, ca_file=tmp_path / "none"))


def test_a_client_without_tls_learns_nothing(
    spark_server: HiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(LoginRefusedError, match="`tls`"):
        open_engine(spark_server.settings(monkeypatch, ca_file=None, authentication="nosasl"))


def test_without_a_warehouse_a_load_is_slow_and_still_one_step(
    spark_server: HiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = spark_server.fresh_database(monkeypatch, warehouse=None)
    with open_engine(settings) as engine:
        engine.ensure(SAMPLES)
        rows = [sample(f"{number:04}") for number in range(1_500)]
        assert engine.append(SAMPLES, [batch(rows)]) == 1_500
        assert content(engine) == rows


def test_a_table_of_others_is_read_and_never_written_to(
    spark_server: HiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_engine(spark_server.fresh_database(monkeypatch)) as engine:
        assert isinstance(engine, HiveEngine)
        engine._run("CREATE TABLE customers AS SELECT 'a' AS sample_id, 1L AS visits")
        customers = Table("customers", SAMPLES.columns[:2], ("sample_id",))
        engine.ensure(customers)
        assert content(engine, customers) == [("a", 1)]
        with pytest.raises(EngineError, match="no table that we made"):
            engine.append(customers, [batch([("b", 2)], customers)])

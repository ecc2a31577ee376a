"""Every engine that we promise, empty: the contract suite runs on each (C3)."""

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from scoring.engines.engine import Engine
from scoring.engines.opening import open_engine
from scoring.engines.settings import EngineSettings
from tests.hive.servers import HiveServer

ENGINES = [
    "duckdb",
    "sqlite",
    "postgresql",
    "spark",
    pytest.param("hive", marks=pytest.mark.real_hive),
]

Open = Callable[[], Engine]


def fresh_postgres_schema(server: str) -> str:
    """The address of an empty schema of its own."""
    schema = f"engine_{secrets.token_hex(6)}"
    with psycopg.connect(server.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {schema}")
    return f"{server}&options=-csearch_path%3D{schema}"


@pytest.fixture(params=ENGINES)
def settings(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> EngineSettings:
    match request.param:
        case "postgresql":
            url = fresh_postgres_schema(request.getfixturevalue("postgres_url"))
            return EngineSettings(url=url)
        case "spark":
            server: HiveServer = request.getfixturevalue("spark_server")
            return server.fresh_database(monkeypatch)
        case "hive":
            server = request.getfixturevalue("real_hive")
            return server.fresh_database(monkeypatch)
        case name:
            return EngineSettings(url=f"{name}:///{tmp_path}/engine.{name}")


@pytest.fixture
def open_again(settings: EngineSettings) -> Iterator[Open]:
    """Another connection to the same engine."""
    engines: list[Engine] = []

    def connect() -> Engine:
        engines.append(open_engine(settings))
        return engines[-1]

    yield connect
    for engine in engines:
        engine.close()


@pytest.fixture
def engine(open_again: Open) -> Engine:
    return open_again()

"""A fresh log on every database that we promise: the contract suite runs on each."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from store import Log


def fresh_postgres_log(server: str) -> str:
    """The address of an empty schema of its own."""
    schema = f"log_{secrets.token_hex(6)}"
    engine = create_engine(server)
    with engine.begin() as connection:
        connection.execute(text(f"CREATE SCHEMA {schema}"))
    engine.dispose()
    return f"{server}&options=-csearch_path%3D{schema}"


@pytest.fixture(params=["sqlite", "postgresql"])
def log_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/party/log.sqlite"
    return fresh_postgres_log(request.getfixturevalue("postgres_url"))


@pytest.fixture
def log(log_url: str) -> Iterator[Log]:
    log = Log(log_url)
    yield log
    log.close()

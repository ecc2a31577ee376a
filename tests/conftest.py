"""Servers that tests share: started once, when the first test asks."""

from collections.abc import Iterator

import pytest

from tests.databases import private_postgres


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A PostgreSQL of this test run's own."""
    with private_postgres() as url:
        yield url

"""Engines that scoring is tested on."""

from collections.abc import Iterator

import pytest

from scoring.engines.engine import Engine
from scoring.engines.opening import open_engine


@pytest.fixture(scope="module", params=["duckdb", "sqlite"])
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    with open_engine(f"{request.param}://") as opened:
        yield opened

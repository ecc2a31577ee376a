"""A party's log, payloads and views, fresh for every test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from projections import Views
from store import Log, PayloadStore


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    log = Log(f"sqlite:///{tmp_path}/log.sqlite")
    yield log
    log.close()


@pytest.fixture
def payloads(tmp_path: Path) -> PayloadStore:
    return PayloadStore(tmp_path / "payloads")


@pytest.fixture
def views(tmp_path: Path, payloads: PayloadStore) -> Iterator[Views]:
    views = Views(f"sqlite:///{tmp_path}/log.sqlite", payloads)
    yield views
    views.close()

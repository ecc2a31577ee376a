"""The log that benchmarks are run on holds, and what they append is all there."""

from pathlib import Path

import pytest

from audit.replay import replay
from audit.verification import verify
from benchmarks.log_load import appending, own
from benchmarks.made_up_log import Writer, stored_copy
from store.log import Log


@pytest.fixture(scope="module")
def writer() -> Writer:
    return Writer().fill(150)


def test_the_made_up_log_holds_from_memory_and_from_a_database(
    writer: Writer, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path}/log.sqlite"
    writer.store(url)
    stored = stored_copy(url, writer.cards)
    for copy in (writer.copy(), stored):
        result = verify(copy)
        assert result.holds
        assert result.events == len(writer.entries)
    assert replay(stored, tmp_path / "views.sqlite").position == len(writer.entries)


@pytest.mark.parametrize("size", [1, 7])
def test_every_event_is_appended(writer: Writer, size: int, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/log.sqlite"
    assert appending(own(url), writer.entries, size) > 0
    log = Log(url)
    assert [one.canonical for one in log.read()] == [one.canonical for one in writer.entries]
    log.close()

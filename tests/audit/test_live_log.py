"""Asking a log while it grows, in SQLite and PostgreSQL alike (D4)."""

from collections.abc import Iterator

import pytest

from audit.errors import LogPlaceError
from audit.live_log import LiveLog, Selection
from party.settings import log_address
from store.log import Log
from tests.audit.conftest import JOB, Federation
from tests.audit.forging import log_of
from tests.store.conftest import fresh_postgres_log


@pytest.fixture(params=["sqlite", "postgresql"])
def live(
    request: pytest.FixtureRequest, federation: Federation
) -> Iterator[tuple[LiveLog, Federation]]:
    """The partner's log, read where it lies."""
    partner = federation["partner"]
    url = log_address(partner.settings, partner.folder)
    if request.param == "postgresql":
        url = fresh_postgres_log(request.getfixturevalue("postgres_url"))
        log = Log(url)
        with log.transaction() as transaction:
            for entry in log_of(partner):
                transaction.append(entry.envelope, entry.canonical)
        log.close()
    live = LiveLog(url)
    yield live, federation
    live.close()


def test_pages_follow_each_other_without_gap_both_ways(live: tuple[LiveLog, Federation]) -> None:
    log, federation = live
    every = [entry.position for entry in log_of(federation["partner"])]
    seen, before = [], None
    while page := log.newest(Selection(), 7, before):
        seen += [entry.position for entry in page]
        before = page[-1].position
    assert seen == every[::-1]
    forth = log.oldest(Selection(), 7, every[2])
    assert [entry.position for entry in forth] == every[3:10]


def test_a_selection_holds_for_every_event(live: tuple[LiveLog, Federation]) -> None:
    log, federation = live
    wanted = Selection(type="StopFlagRaised", source="bank", job=JOB, only_shared=True)
    found = log.newest(wanted, 100)
    everything = [entry.envelope for entry in log_of(federation["partner"])]
    expected = [
        one.id for one in everything if (one.type, one.source) == ("StopFlagRaised", "bank")
    ]
    assert [entry.envelope.id for entry in found[::-1]] == expected
    shared = log.newest(Selection(only_shared=True), 1000)
    assert len(shared) == sum(not one.is_private for one in everything)


def test_single_events_are_found_by_id_place_and_stream(live: tuple[LiveLog, Federation]) -> None:
    log, _ = live
    entry = log.at(5)
    assert entry is not None
    assert log.event(entry.envelope.id) == entry
    assert log.event("0" * 64) is None
    assert log.at(log.head() + 1) is None
    later = next(one for one in log.newest(Selection(), 100) if one.envelope.sequence > 0)
    said = later.envelope
    before = log.before_in_stream(said.source, said.stream, said.sequence)
    assert before is not None
    assert before.envelope.sequence == said.sequence - 1


def test_jobs_are_known_by_what_began_them(live: tuple[LiveLog, Federation]) -> None:
    log, _ = live
    head = log.head()
    assert log.jobs_begun("TrainingRequested", 0, head) == [JOB]
    assert log.jobs_begun("TrainingRequested", head, head) == []
    assert log.last_position(JOB) == log.job(JOB)[-1].position
    assert log.last_position("autumn") == 0
    assert log.last_time() == log.newest(Selection(), 1)[0].envelope.time
    assert log.undelivered() == ()
    assert log.held() == ()
    assert log.refusals() == ()


def test_a_place_without_a_log_is_told(tmp_path: object) -> None:
    with pytest.raises(LogPlaceError, match="there is no such file"):
        LiveLog(f"sqlite:///{tmp_path}/log.sqlite")

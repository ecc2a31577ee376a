"""Dropped and rebuilt at any time with the same result, however it was kept up (requirement D3)."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, create_engine, text

from events.lifecycle import TrainingFailed, TrainingStopped
from events.rounds import RoundCompleted
from projections import LOSS_HISTORY, PROJECTIONS, TIMELINE, Views, losses, timeline
from projections.projection import Payloads, Placed
from store import Log, PayloadStore
from tests.projections.stories import MODEL, Story, append, say
from tests.store.conftest import fresh_postgres_log

JOBS = ("job-1", "job-2")


def tell(log: Log, story: Story, payloads: PayloadStore, what: int, job: str, number: int) -> None:
    """One of the things that a log may say, in any order."""
    match what:
        case 0:
            append(log, story.requested(job))
        case 1:
            append(log, story.accepted((story.partner, story.arbiter)[number % 2], job))
        case 2:
            append(log, story.loss(number, 1 / number, job))
        case 3:
            append(log, story.model_saved(payloads, {**MODEL, "intercept": number / 8}, job))
        case 4:
            append(log, story.arbiter.says(RoundCompleted(round=number), job))
        case 5:
            stopped = TrainingStopped(round=number, reason="round limit")
            append(log, story.arbiter.says(stopped, job))
        case _:
            append(log, story.bank.says(TrainingFailed(code="data", detail=str(number)), job))


moments = st.tuples(st.integers(0, 6), st.sampled_from(JOBS), st.integers(1, 9), st.integers(0, 3))


@given(st.lists(moments, max_size=12))
@settings(max_examples=20, deadline=None)
def test_catching_up_in_any_steps_gives_the_tables_of_a_rebuild(
    moments: list[tuple[int, str, int, int]],
) -> None:
    with TemporaryDirectory() as folder:
        payloads = PayloadStore(Path(folder) / "payloads")
        log = Log(f"sqlite:///{folder}/log.sqlite")
        views = Views(f"sqlite:///{folder}/views.sqlite", payloads)
        story = Story()
        for what, job, number, batch in moments:
            tell(log, story, payloads, what, job, number)
            if batch:
                views.catch_up(log, batch)
        assert views.catch_up(log) == log.head()
        kept_up = views.digests()

        assert views.rebuild(log) == log.head()

        assert views.digests() == kept_up
        views.close()
        log.close()


def test_catching_up_again_changes_nothing(log: Log, views: Views, payloads: PayloadStore) -> None:
    append(log, *Story().whole(payloads))
    views.catch_up(log)
    before = views.digests()

    assert views.catch_up(log) == 12

    assert views.digests() == before


def test_the_digest_sees_every_value(log: Log, views: Views, payloads: PayloadStore) -> None:
    story = Story()
    append(log, *story.whole(payloads), *story.prediction(payloads, [0.25, 0.75]))
    append(log, *story.identification(payloads, {"1": 1}))
    empty = views.digests()
    views.catch_up(log)
    full = views.digests()
    assert all(empty[name] != full[name] for name in full)

    with views._engine.begin() as connection:
        connection.execute(text("UPDATE projection_loss_history SET value = 0.5000000001"))

    assert [name for name in full if views.digests()[name] != full[name]] == ["loss_history"]
    views.rebuild(log)
    assert views.digests() == full


def test_a_step_that_fails_moves_neither_rows_nor_checkpoint(
    log: Log, tmp_path: Path, payloads: PayloadStore
) -> None:
    append(log, *Story().whole(payloads))
    failing = True

    def apply(connection: Connection, facts: Sequence[Placed], payloads: Payloads) -> None:
        TIMELINE.apply(connection, facts, payloads)
        if failing and any(position == 7 for position, _ in facts):
            raise ZeroDivisionError

    projections = (LOSS_HISTORY, replace(TIMELINE, apply=apply))
    views = Views(f"sqlite:///{tmp_path}/views.sqlite", payloads, projections)
    with pytest.raises(ZeroDivisionError):
        views.catch_up(log, batch=5)
    assert len(views.select(timeline())) == 5
    assert views.select(losses("job-1")) == []

    failing = False
    assert views.catch_up(log, batch=5) == 12
    assert [row["position"] for row in views.select(timeline())] == list(range(1, 13))
    assert len(views.select(losses("job-1"))) == 2
    views.close()


def test_a_new_version_starts_over_and_the_others_go_on(
    log: Log, tmp_path: Path, payloads: PayloadStore
) -> None:
    url = f"sqlite:///{tmp_path}/views.sqlite"
    append(log, *Story().whole(payloads))
    old = Views(url, payloads, [LOSS_HISTORY, TIMELINE])
    old.catch_up(log)
    old.close()
    applied: list[int] = []

    def apply(connection: Connection, facts: Sequence[Placed], payloads: Payloads) -> None:
        applied.extend(position for position, _ in facts)
        LOSS_HISTORY.apply(connection, facts, payloads)

    new = Views(url, payloads, [replace(LOSS_HISTORY, version=2, apply=apply), TIMELINE])
    assert new.catch_up(log) == 12

    assert applied == list(range(1, 13))
    assert len(new.select(losses("job-1"))) == 2
    assert len(new.select(timeline())) == 12
    new.close()


def test_several_may_catch_up_at_once(log: Log, tmp_path: Path, payloads: PayloadStore) -> None:
    append(log, *Story().whole(payloads))
    url = f"sqlite:///{tmp_path}/log.sqlite"

    with ThreadPoolExecutor(4) as pool:
        several = list(pool.map(lambda _: Views(url, payloads), range(4)))
        reached = list(pool.map(lambda views: views.catch_up(log, batch=1), several))

    assert reached == [12] * 4
    assert len(several[0].select(timeline())) == 12
    for views in several:
        views.close()


def test_the_log_goes_on_while_views_share_its_file(
    log: Log, views: Views, payloads: PayloadStore
) -> None:
    story = Story()
    append(log, *story.whole(payloads))
    before = log.read()
    views.rebuild(log)
    say(log, story.arbiter, [RoundCompleted(round=3)])

    assert views.catch_up(log) == 13
    assert log.read()[:12] == before


def test_both_databases_give_the_same_tables(
    log: Log, views: Views, payloads: PayloadStore, postgres_url: str
) -> None:
    append(log, *Story().whole(payloads))
    views.catch_up(log)
    url = fresh_postgres_log(postgres_url)
    other_log = Log(url)
    for entry in log.read():
        append(other_log, entry.envelope)
    other = Views(url, payloads)

    assert other.catch_up(other_log, batch=3) == 12
    assert other.digests() == views.digests()
    assert other.rebuild(other_log) == 12
    assert other.digests() == views.digests()

    other.close()
    other_log.close()


def test_every_table_is_recognised_as_a_view(log: Log, views: Views, tmp_path: Path) -> None:
    names = {table.name for projection in PROJECTIONS for table in projection.tables}
    assert all(name.startswith("projection_") for name in names)
    engine = create_engine(f"sqlite:///{tmp_path}/log.sqlite")
    with engine.begin() as connection:
        found = set(connection.scalars(text("SELECT name FROM sqlite_master WHERE type = 'table'")))
    engine.dispose()
    assert names < found

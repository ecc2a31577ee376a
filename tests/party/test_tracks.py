"""A request for a few customers waits for nothing that takes long (requirements S4, S7)."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import numpy as np
import pytest

from bus import MemoryBroker
from events.catalogue import Fact
from events.event import Event
from events.predictions import PredictionTerms
from events.terms import Member
from events.vocabulary import Role
from handlers.drafts import Decision
from handlers.history import History
from handlers.initiator import Order, prediction_request
from handlers.own import Own
from handlers.reactions import decide
from learning.binning import learn_bins
from party.appending import Causes, append_draft, store_payloads
from party.creating import create_party
from party.jobs import JobTerms
from party.model_keeping import convert_document
from party.opening import Party, open_party, party_card, trust
from party.predicting import Wish, request_prediction
from party.reactor import Reactor
from party.running import RunningParty
from party.tracks import MOST_ROWS, Track, Tracks, begin_tracks
from scoring.models.linear import BinnedTerm, LinearModel
from tests.party.federation import make_federation, request, until

MODEL = "spring"
COLUMNS = {"bank": "income", "partner": "calls"}
ROLES = {"bank": Role.LOCAL, "partner": Role.PARTICIPANT}
IDS = [f"{1000 + number}" for number in range(MOST_ROWS + 1)]


def half(name: str) -> LinearModel:
    cut = learn_bins(COLUMNS[name], np.linspace(-1, 1, 101), np.ones(101, np.bool_))
    return LinearModel(
        model_id=MODEL,
        role=Role.LOCAL if name == "bank" else Role.PARTICIPANT,
        digest="0" * 64,
        kind="logistic",
        combination="sigmoid",
        outputs=1,
        intercepts=(0.0,) if name == "bank" else None,
        terms=(BinnedTerm(cut=cut, weights=(tuple(map(float, range(cut.bins))),)),),
    )


class Gate:
    """Holds up whoever reacts to a request for many customers, until it is opened."""

    def __init__(self) -> None:
        self.reached, self.opened = threading.Event(), threading.Event()

    def decide(self, role: Role, history: History, fact: Fact[Event], own: Own) -> Decision:
        agreed = history.agreement
        if isinstance(agreed, PredictionTerms) and agreed.rows > MOST_ROWS:
            self.reached.set()
            assert self.opened.wait(60)
        return decide(role, history, fact, own)


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
def scoring(tmp_path: Path, gate: Gate) -> Iterator[dict[str, Party]]:
    """A bank and a partner at work, with a model and a thousand and one customers."""
    broker = MemoryBroker()
    for name, column in COLUMNS.items():
        rows = "\n".join(f"{one},{place / 500 - 1}" for place, one in enumerate(IDS))
        (tmp_path / f"{name}.csv").write_text(f"id,{column}\n{rows}\n")
        source = f'[source]\nfile = "../{name}.csv"\n'
        create_party(tmp_path / name, ROLES[name], name, tables=source)
        (tmp_path / f"{name}.card").write_text(party_card(tmp_path / name).model_dump_json())
    trust(tmp_path / "bank", tmp_path / "partner.card")
    trust(tmp_path / "partner", tmp_path / "bank.card")
    with ExitStack() as stack:
        parties = {}
        for name in COLUMNS:
            parties[name] = stack.enter_context(closing(open_party(tmp_path / name)))
            convert_document(parties[name], half(name))
            running = RunningParty(parties[name], broker.endpoint(name), gate.decide)
            stack.enter_context(running)
        stack.callback(gate.opened.set)
        yield parties


def ended(party: Party) -> list[str]:
    """The predictions that are over, in the order of the party's log."""
    entries = party.log.read(limit=10_000)
    return [
        str(one.envelope.data["job"])
        for one in entries
        if one.envelope.type == "PredictionCompleted"
    ]


def test_a_batch_of_an_hour_does_not_delay_a_request_for_one(
    scoring: dict[str, Party], gate: Gate
) -> None:
    bank = scoring["bank"]
    many = request_prediction(bank, Wish(MODEL, IDS))
    assert gate.reached.wait(60)
    few = request_prediction(bank, Wish(MODEL, IDS[:2]))
    until(lambda: ended(bank) == [few], 60)
    gate.opened.set()
    until(lambda: ended(bank) == [few, many], 60)


def ask(bank: Party, rows: int, job: str) -> None:
    agreed = PredictionTerms(
        members=tuple(Member(name=name, role=role) for name, role in ROLES.items()),
        initiator="bank",
        model_id=MODEL,
        way="realtime",
        rows=rows,
    )
    order = Order(tuple(map(str, range(rows))))
    stored = store_payloads(bank, prediction_request(agreed, bank.own, order, job))
    with bank.log.transaction() as transaction:
        append_draft(transaction, bank, stored, Causes(), agreed)


@pytest.fixture
def bank(tmp_path: Path) -> Iterator[Party]:
    with closing(make_federation(tmp_path, "bank", "partner", "arbiter")["bank"]) as party:
        yield party


def test_predictions_of_few_rows_are_on_the_express_track(bank: Party) -> None:
    request(bank)
    ask(bank, MOST_ROWS, "few")
    ask(bank, MOST_ROWS + 1, "many")
    entries = bank.log.read()
    expected = [Track.REGULAR, Track.EXPRESS, Track.REGULAR]
    together, *alone = (Tracks(JobTerms(bank.log)) for _ in range(1 + len(entries)))
    assert [together.of(entry) for entry in entries] == expected
    assert [one.of(entry) for one, entry in zip(alone, entries, strict=True)] == expected


def test_each_track_reacts_to_its_own_jobs_and_to_no_other(bank: Party) -> None:
    request(bank)
    ask(bank, 1, "few")
    seen: dict[Track, list[str]] = {}

    def note(role: Role, history: History, fact: Fact[Event], own: Own) -> Decision:
        seen.setdefault(track, []).append(history.job)
        return []

    for track in Track:
        reactor = Reactor(bank, note, track)
        while reactor.step_once():
            pass
        reactor.step(0)  # idle: it saves how far it is
    assert seen == {Track.REGULAR: ["job-1"], Track.EXPRESS: ["few"]}
    assert {bank.log.cursor(track) for track in Track} == {bank.log.head()}


def test_a_log_from_before_there_were_tracks_is_not_reacted_to_again(bank: Party) -> None:
    """Given predictions that were answered when there was one track alone."""
    ask(bank, 1, "old")
    with bank.log.transaction() as transaction:
        transaction.move_cursor(Track.REGULAR, bank.log.head())
    ask(bank, 1, "new")
    seen = []

    def note(role: Role, history: History, fact: Fact[Event], own: Own) -> Decision:
        seen.append(history.job)
        return []

    reactor = Reactor(bank, note, Track.EXPRESS)
    while reactor.step_once():
        pass
    assert seen == ["new"]


def test_the_express_track_keeps_its_place_while_the_other_goes_on(bank: Party) -> None:
    """Given both began with an empty log, and a crash before the express track got anywhere."""
    begin_tracks(bank.log)
    ask(bank, 1, "waiting")
    with bank.log.transaction() as transaction:
        transaction.move_cursor(Track.REGULAR, bank.log.head())
    begin_tracks(bank.log)
    assert bank.log.cursor(Track.EXPRESS) == 0

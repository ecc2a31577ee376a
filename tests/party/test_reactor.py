"""The react pump: one entry, one decision, one transaction; a crash repeats it to the bit."""

import pytest

from bus.memory import MemoryBroker
from events.catalogue import CATALOGUE, Fact
from events.event import Event
from events.lifecycle import TrainingAccepted, TrainingFailed, TrainingRequested
from events.preparation import DataPrepared, FeaturesPrepared, KeyPairGenerated, PublicKeyIssued
from events.vocabulary import PRIVATE_STREAM, Role
from handlers.drafts import Decision, Draft, Work, blob, draft
from handlers.history import History
from handlers.own import Own
from party import appending, reactor
from party.opening import Party, read_private_key
from party.reactor import CURSOR, Reactor
from tests.party.federation import (
    HEX,
    JOB,
    Node,
    request,
    run,
    say,
    terms,
    toy_decide,
)
from tests.party.reacting import prepare, react, receive, types


def test_a_decision_and_the_cursor_enter_the_log_together(parties: dict[str, Party]) -> None:
    partner = parties["partner"]
    receive(partner, request(parties["bank"]))
    pump = Reactor(partner, prepare)
    assert pump.step_once()
    assert partner.log.cursor(CURSOR) == 1
    assert types(partner) == ["TrainingRequested", "DataPrepared"]


def test_a_crash_before_the_append_repeats_the_same_payloads(
    parties: dict[str, Party], monkeypatch: pytest.MonkeyPatch
) -> None:
    partner = parties["partner"]
    receive(partner, request(parties["bank"]))

    class KilledError(BaseException):
        pass

    def killed(*_: object) -> None:
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(reactor, "append_draft", killed)
        pump = Reactor(partner, prepare)
        with pytest.raises(KilledError):
            react(pump)
    before = list(partner.payloads)
    assert before
    assert types(partner) == ["TrainingRequested"]
    assert partner.log.cursor(CURSOR) == 0

    react(Reactor(partner, prepare))
    assert list(partner.payloads) == before
    assert types(partner) == ["TrainingRequested", "DataPrepared", "FeaturesPrepared"]


def test_a_restart_goes_on_where_the_log_ends(parties: dict[str, Party]) -> None:
    partner = parties["partner"]
    receive(partner, request(parties["bank"]))
    seen: list[str] = []

    def watched(role: Role, history: History, fact: Fact[Event], own: Own) -> Decision:
        seen.append(fact.envelope.type)
        return prepare(role, history, fact, own)

    assert Reactor(partner, watched).step_once()
    react(Reactor(partner, watched))
    react(Reactor(partner, watched))
    assert seen[:3] == ["TrainingRequested", "DataPrepared", "FeaturesPrepared"]
    assert types(partner) == ["TrainingRequested", "DataPrepared", "FeaturesPrepared"]


def test_a_handler_sees_the_history_up_to_its_entry_and_no_further(
    parties: dict[str, Party],
) -> None:
    partner = parties["partner"]
    asked = request(parties["bank"])
    receive(partner, asked)
    for _ in range(3):
        receive(
            partner,
            say(parties["bank"], FeaturesPrepared(variables=1, columns=1), cause=asked.envelope.id),
        )
    seen = []

    def count(role: Role, history: History, fact: Fact[Event], own: Own) -> Decision:
        seen.append(len(history.of(FeaturesPrepared)))
        return []

    react(Reactor(partner, count))
    assert seen == [0, 1, 2, 3]


def test_the_cause_of_a_shared_event_is_the_nearest_shared_one(parties: dict[str, Party]) -> None:
    partner = parties["partner"]
    asked = request(parties["bank"])
    receive(partner, asked)
    react(Reactor(partner, prepare))
    (private,) = partner.log.stream("partner", PRIVATE_STREAM)
    (shared,) = partner.log.stream("partner", JOB)
    assert private.envelope.cause == asked.envelope.id
    assert shared.envelope.cause == asked.envelope.id


def test_time_never_goes_back_even_if_the_clock_does(
    parties: dict[str, Party], monkeypatch: pytest.MonkeyPatch
) -> None:
    partner = parties["partner"]
    asked = request(parties["bank"])
    receive(partner, asked)
    monkeypatch.setattr(appending, "format_time", lambda _: "1999-01-01T00:00:00.000000Z")
    react(Reactor(partner, prepare))
    assert {entry.envelope.time for entry in partner.log.read()} == {asked.envelope.time}


def test_facts_of_unknown_jobs_and_of_other_peoples_jobs_are_skipped(
    parties: dict[str, Party],
) -> None:
    partner = parties["partner"]
    event = DataPrepared(job="elsewhere", variables=1, columns=1)
    blobs = (blob(name, b"") for name in ("bins", "codes", "start", "notes"))
    say(partner, event, *blobs)
    react(Reactor(partner, prepare))
    assert types(partner) == ["DataPrepared"]


def test_a_key_pair_is_made_outside_the_log_and_its_private_half_kept(
    parties: dict[str, Party],
) -> None:
    arbiter = parties["arbiter"]
    agreed = terms().model_copy(update={"key_bits": 256, "short_key_for_tests": True})
    receive(arbiter, request(parties["bank"], agreed))

    def issue(role: Role, history: History, fact: Fact[Event], own: Own) -> Decision:
        match fact.event:
            case TrainingRequested():
                return [Work("key", JOB)]
            case KeyPairGenerated() as made:
                issued = PublicKeyIssued(
                    key_id=made.key_id,
                    modulus=made.modulus,
                    obfuscator_base=made.obfuscator_base,
                )
                return [draft(issued, JOB, history.terms)]
        return []

    react(Reactor(arbiter, issue))
    assert types(arbiter) == ["TrainingRequested", "KeyPairGenerated", "PublicKeyIssued"]
    issued = arbiter.log.stream("arbiter", JOB)[0].envelope
    key = read_private_key(arbiter.folder, str(issued.data["key_id"]))
    assert f"{key.public.n:x}" == issued.data["modulus"]
    assert f"{key.p:x}" not in str(issued.data)


def test_data_that_cannot_be_read_is_a_fact_that_stays_at_home(parties: dict[str, Party]) -> None:
    partner = parties["partner"]
    receive(partner, request(parties["bank"]))

    def snapshot(role: Role, history: History, fact: Fact[Event], own: Own) -> Decision:
        return [Work("snapshot", JOB)] if isinstance(fact.event, TrainingRequested) else []

    react(Reactor(partner, snapshot))
    (failed,) = partner.log.stream("partner", PRIVATE_STREAM)
    assert failed.envelope.type == "WorkFailed"
    assert "no [source]" in str(failed.envelope.data["detail"])


def test_running_the_whole_federation_twice_gives_the_same_events(
    parties: dict[str, Party],
) -> None:
    """Replay: the same secrets and the same history give the same bodies and commitments."""
    broker = MemoryBroker()
    nodes = [Node(party, broker) for party in parties.values()]
    request(parties["bank"])
    run(*nodes)
    partner = parties["partner"]
    said = [e.envelope for e in partner.log.read() if e.envelope.source == "partner"]
    history = History(JOB)
    for entry in partner.log.read():
        fact = CATALOGUE.read(entry.envelope)
        history.add(fact)
        for again in toy_decide(Role.PARTICIPANT, history, fact, partner.own):
            assert isinstance(again, Draft)
            stored = appending.store_payloads(partner, again)
            original = said.pop(0)
            assert stored.payloads == original.payloads
            assert again.event == CATALOGUE.read(original).event
    assert said == []


def test_accepting_twice_is_one_event(parties: dict[str, Party]) -> None:
    """A cursor that was not saved repeats only what decided nothing."""
    partner = parties["partner"]
    receive(partner, request(parties["bank"]))
    accepted = TrainingAccepted(customers=1, secret_commitment=HEX, data_commitment=None)

    def accept(role: Role, history: History, fact: Fact[Event], own: Own) -> Decision:
        if isinstance(fact.event, TrainingRequested):
            return [draft(accepted, JOB, history.terms)]
        return []

    for _ in range(3):
        react(Reactor(partner, accept))
    assert types(partner) == ["TrainingRequested", "TrainingAccepted"]


def test_a_job_that_is_over_leaves_the_memory_and_comes_back_when_needed(
    parties: dict[str, Party],
) -> None:
    partner, bank = parties["partner"], parties["bank"]
    seen: dict[str, list[int]] = {"old": [], "new": []}

    def count(role: Role, history: History, fact: Fact[Event], own: Own) -> Decision:
        requests, prepared = history.of(TrainingRequested), history.of(FeaturesPrepared)
        seen[history.job].append(len(requests) + len(prepared))
        return []

    pump = Reactor(partner, count)
    receive(partner, request(bank, job="old"))
    receive(partner, say(bank, TrainingFailed(code="cancelled", detail="-"), job="old"))
    react(pump)
    receive(partner, request(bank, job="new"))
    react(pump)
    assert set(pump._histories) == {"new"}
    for _ in range(2):  # the second one is in the log already when the first one is reacted to
        receive(partner, say(bank, FeaturesPrepared(variables=1, columns=1), job="old"))
    react(pump)
    assert seen == {"old": [1, 1, 2, 3], "new": [1]}

"""The react pump: one entry, one decision, one transaction; a crash repeats it to the bit."""

from pathlib import Path
from typing import Any

import pytest

from bus.memory import MemoryBroker
from events.catalogue import CATALOGUE, Fact
from events.event import Event
from events.lifecycle import TrainingAccepted, TrainingFailed, TrainingRequested
from events.predictions import PartialScoreReturned
from events.preparation import DataPrepared, FeaturesPrepared, KeyPairGenerated, PublicKeyIssued
from events.vocabulary import PRIVATE_STREAM, Role
from handlers.drafts import Decision, Draft, Work, blob, draft
from handlers.history import History
from handlers.own import Own
from party import appending, reactor
from party.opening import Party, read_private_key
from party.pump import Pump
from party.reactor import CURSOR, Reactor
from store.errors import CommitmentError, StoreFullError
from store.transaction import LogTransaction
from tests.party.federation import (
    HEX,
    JOB,
    Node,
    make_federation,
    request,
    run,
    say,
    terms,
    toy_decide,
)


def receive(party: Party, fact: Fact[Event]) -> None:
    """As if the link had taken it in."""
    with party.log.transaction() as transaction:
        transaction.append(fact.envelope, fact.envelope.canonical_bytes())


def react(pump: Reactor) -> None:
    while pump.step_once():
        pass


def types(party: Party) -> list[str]:
    return [entry.envelope.type for entry in party.log.read()]


def prepare(role: Role, history: History, fact: Fact[Event], own: Own) -> Decision:
    """A private event with payloads, and a shared one that follows from it."""
    match fact.event:
        case TrainingRequested():
            event = DataPrepared(job=JOB, variables=1, columns=2)
            kept = own.generator(JOB, "kept").bytes(20_000)  # more than small: it gets a file
            blobs = blob("bins", kept), blob("codes", b"\0"), blob("start", b"")
            return [draft(event, JOB, history.terms, *blobs, blob("notes", b"[]"))]
        case DataPrepared():
            return [draft(FeaturesPrepared(variables=1, columns=2), JOB, history.terms)]
    return []


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


def fail(role: Role, history: History, fact: Fact[Event], own: Own) -> Decision:
    raise ValueError("customer 4711 is unlucky")


def test_a_fault_of_ours_ends_the_job_for_all_and_tells_no_data(
    parties: dict[str, Party], capsys: pytest.CaptureFixture[str]
) -> None:
    partner = parties["partner"]
    receive(partner, request(parties["bank"]))
    react(Reactor(partner, fail))
    (failed,) = partner.log.stream("partner", JOB)
    assert failed.envelope.type == "TrainingFailed"
    assert failed.envelope.data == {
        "code": "internal",
        "detail": "an internal error at partner; its output says more",
    }
    assert sorted(found.recipient for found in partner.log.pending_deliveries()) == [
        "arbiter",
        "bank",
    ]
    logged = capsys.readouterr().out
    assert "ValueError" in logged
    assert "4711" not in logged + str(failed.envelope.data)


def test_an_event_that_no_member_would_accept_ends_the_job(parties: dict[str, Party]) -> None:
    partner = parties["partner"]
    receive(partner, request(parties["bank"]))

    def forget_payload(role: Role, history: History, fact: Fact[Event], own: Own) -> Decision:
        if history.is_over:
            return []
        return [Draft(PartialScoreReturned(rows=1), JOB)]

    react(Reactor(partner, forget_payload))
    assert types(partner) == ["TrainingRequested", "TrainingFailed"]


def test_an_event_larger_than_an_envelope_ends_the_job(parties: dict[str, Party]) -> None:
    partner = parties["partner"]
    receive(partner, request(parties["bank"]))

    def boast(role: Role, history: History, fact: Fact[Event], own: Own) -> Decision:
        if history.is_over:
            return []
        event = PublicKeyIssued(key_id=HEX, modulus="f" * 70_000, obfuscator_base="f")
        return [draft(event, JOB, history.terms)]

    react(Reactor(partner, boast))
    assert types(partner) == ["TrainingRequested", "TrainingFailed"]


def test_a_payload_that_is_not_what_it_says_ends_the_job(parties: dict[str, Party]) -> None:
    partner = parties["partner"]
    receive(partner, request(parties["bank"]))

    def read_it(role: Role, history: History, fact: Fact[Event], own: Own) -> Decision:
        if history.is_over:
            return []
        raise CommitmentError("the shape does not account for every byte")

    react(Reactor(partner, read_it))
    assert types(partner) == ["TrainingRequested", "TrainingFailed"]


def test_a_full_disk_is_not_the_jobs_fault(
    parties: dict[str, Party], monkeypatch: pytest.MonkeyPatch
) -> None:
    partner = parties["partner"]
    receive(partner, request(parties["bank"]))
    pump = Reactor(partner, prepare)
    full = [True, True]
    true_store = appending.store_payloads

    def sometimes(party: Party, item: Draft) -> appending.StoredDraft:
        if full:
            full.pop()
            raise StoreFullError("no space is left")
        return true_store(party, item)

    monkeypatch.setattr(reactor, "store_payloads", sometimes)
    steps = 0

    def step() -> None:
        nonlocal steps
        steps += 1
        if steps == 6:
            loop.stopping.set()
        pump.step(0)

    loop = Pump("react", step, pump.forget)
    loop.run()
    assert types(partner) == ["TrainingRequested", "DataPrepared", "FeaturesPrepared"]


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


def test_an_auditor_says_nothing_when_its_software_fails(tmp_path: Path) -> None:
    members = ("bank", "partner", "arbiter", "watcher")
    parties = make_federation(tmp_path, *members)
    watcher = parties["watcher"]
    receive(watcher, request(parties["bank"], terms(*members)))
    react(Reactor(watcher, fail))
    assert types(watcher) == ["TrainingRequested"]
    for party in parties.values():
        party.close()


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


def test_a_job_that_is_over_gets_no_second_failure(parties: dict[str, Party]) -> None:
    partner = parties["partner"]
    asked = request(parties["bank"])
    receive(partner, asked)
    failed = TrainingFailed(code="cancelled", detail="-")
    receive(partner, say(parties["bank"], failed, cause=asked.envelope.id))

    def fail_late(role: Role, history: History, fact: Fact[Event], own: Own) -> Decision:
        return fail(role, history, fact, own) if history.is_over else []

    react(Reactor(partner, fail_late))
    assert types(partner) == ["TrainingRequested", "TrainingFailed"]


def accept_once(role: Role, history: History, fact: Fact[Event], own: Own) -> Decision:
    if isinstance(fact.event, TrainingRequested):
        accepted = TrainingAccepted(customers=1, secret_commitment=HEX, data_commitment=None)
        return [draft(accepted, history.job, history.terms)]
    return []


def test_a_job_that_makes_no_sense_does_not_stop_the_others(
    parties: dict[str, Party], capsys: pytest.CaptureFixture[str]
) -> None:
    partner, bank = parties["partner"], parties["bank"]
    for job in ("twice", "twice", "sound"):
        receive(partner, request(bank, job=job))
    pump = Reactor(partner, accept_once)
    react(pump)
    pump.step(0)
    assert [entry.envelope.type for entry in partner.log.stream("partner", "sound")] == [
        "TrainingAccepted"
    ]
    assert partner.log.cursor(CURSOR) == partner.log.head()
    receive(partner, say(bank, FeaturesPrepared(variables=1, columns=1), job="twice"))
    react(pump)
    assert capsys.readouterr().out.count("job_left_alone") == 1


def test_a_fault_that_cannot_even_be_told_does_not_stop_the_others(
    parties: dict[str, Party], monkeypatch: pytest.MonkeyPatch
) -> None:
    partner, bank = parties["partner"], parties["bank"]
    for job in ("bad", "sound"):
        receive(partner, request(bank, job=job))
    true_append = appending.append_draft

    def only_sound(transaction: LogTransaction, *arguments: Any) -> Fact[Event]:
        if arguments[1].draft.job == "bad":
            raise ValueError("nothing can be said about this job")
        return true_append(transaction, *arguments)

    monkeypatch.setattr(reactor, "append_draft", only_sound)
    react(Reactor(partner, accept_once))
    assert not partner.log.stream("partner", "bad")
    assert partner.log.stream("partner", "sound")


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

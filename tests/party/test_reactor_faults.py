"""What goes wrong while reacting ends its own job at most, and no other; a full disk ends none."""

from pathlib import Path
from typing import Any

import pytest

from events.catalogue import Fact
from events.event import Event
from events.lifecycle import TrainingAccepted, TrainingFailed, TrainingRequested
from events.predictions import PartialScoreReturned
from events.preparation import FeaturesPrepared, PublicKeyIssued
from events.vocabulary import Role
from handlers.drafts import Decision, Draft, draft
from handlers.history import History
from handlers.own import Own
from party import appending, reactor
from party.opening import Party
from party.pump import Pump
from party.reactor import CURSOR, Reactor
from store.errors import CommitmentError, StoreFullError
from store.transaction import LogTransaction
from tests.party.federation import (
    HEX,
    JOB,
    make_federation,
    request,
    say,
    terms,
)
from tests.party.reacting import prepare, react, receive, types


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


def test_an_auditor_says_nothing_when_its_software_fails(tmp_path: Path) -> None:
    members = ("bank", "partner", "arbiter", "watcher")
    parties = make_federation(tmp_path, *members)
    watcher = parties["watcher"]
    receive(watcher, request(parties["bank"], terms(*members)))
    react(Reactor(watcher, fail))
    assert types(watcher) == ["TrainingRequested"]
    for party in parties.values():
        party.close()


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

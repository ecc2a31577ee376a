"""Envelopes and payloads between parties, over a bus that misbehaves (requirements D1, D3)."""

from collections import Counter
from pathlib import Path

import pytest

from bus.memory import Disturbance, MemoryBroker
from events.preparation import FeaturesPrepared
from events.vocabulary import PRIVATE_STREAM
from party.opening import Party
from party.receiver import MOST_UNACKNOWLEDGED
from party.running import RunningParty
from party.transport import CHUNK_BYTES
from store.errors import PayloadMissingError
from tests.party import federation
from tests.party.federation import (
    JOB,
    TOY_SEQUENCE,
    Node,
    events,
    make_federation,
    reasons,
    request,
    run,
    say,
    terms,
    toy_decide,
    until,
)


@pytest.mark.parametrize("seed", range(4))
def test_every_log_gets_everything_once_whatever_the_broker_does(
    parties: dict[str, Party], seed: int
) -> None:
    disturbed = Disturbance(seed=seed, reorder=0.4, duplicate=0.4, delay=0.3)
    broker = MemoryBroker(disturbance=disturbed)
    nodes = [Node(party, broker) for party in parties.values()]
    request(parties["bank"])
    run(*nodes)
    for party in parties.values():
        shared = [entry.envelope for entry in party.log.read() if not entry.envelope.is_private]
        said = Counter((envelope.source, envelope.type) for envelope in shared)
        assert said == Counter(dict.fromkeys(TOY_SEQUENCE, 1))
        assert not reasons(party)
        assert not broker.dead_letters(party.name)
        assert not party.log.pending_deliveries()
        assert not party.log.held_streams()


def test_in_each_log_an_event_comes_after_its_cause_and_its_predecessor(
    parties: dict[str, Party],
) -> None:
    broker = MemoryBroker(disturbance=Disturbance(seed=7, reorder=0.5, delay=0.3))
    nodes = [Node(party, broker) for party in parties.values()]
    request(parties["bank"])
    run(*nodes)
    for party in parties.values():
        before: dict[str, str] = {}
        streams: Counter[tuple[str, str]] = Counter()
        for envelope in (entry.envelope for entry in party.log.read()):
            assert envelope.cause is None or before[envelope.cause] <= envelope.time
            assert envelope.sequence == streams[envelope.source, envelope.stream]
            streams[envelope.source, envelope.stream] += 1
            before[envelope.id] = envelope.time


def test_a_payload_of_many_chunks_arrives_whole(
    parties: dict[str, Party], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(federation, "HANDLE_BYTES", 3 * CHUNK_BYTES + 17)
    broker = MemoryBroker(disturbance=Disturbance(seed=3, reorder=0.5, duplicate=0.3))
    nodes = [Node(party, broker) for party in parties.values()]
    request(parties["bank"])
    run(*nodes)
    posted = next(
        entry.envelope
        for entry in parties["bank"].log.read()
        if entry.envelope.type == "IdentifiersPosted"
    )
    commitment = posted.payload("handles").commitment
    sent, received = (parties[name].payloads.read(commitment) for name in ("partner", "bank"))
    assert len(received) == 3 * CHUNK_BYTES + 17
    assert sent == received


def test_nobody_but_the_readers_gets_a_payload(parties: dict[str, Party]) -> None:
    broker = MemoryBroker()
    nodes = [Node(party, broker) for party in parties.values()]
    request(parties["bank"])
    run(*nodes)
    arbiter = parties["arbiter"]
    references = [p for entry in arbiter.log.read() for p in entry.envelope.payloads]
    assert references
    for reference in references:
        with pytest.raises(PayloadMissingError):
            arbiter.payloads.read(reference.commitment)


def test_an_auditor_gets_every_shared_envelope_and_no_payload(tmp_path: Path) -> None:
    names = ("bank", "partner", "arbiter", "watcher")
    parties = make_federation(tmp_path, *names)
    broker = MemoryBroker()
    nodes = [Node(party, broker) for party in parties.values()]
    request(parties["bank"], terms(*names))
    run(*nodes)
    watcher = parties["watcher"]
    assert events(watcher) == TOY_SEQUENCE
    assert list(watcher.payloads) == []
    assert not reasons(watcher)
    for party in parties.values():
        party.close()


def test_private_events_stay_at_home(parties: dict[str, Party]) -> None:
    broker = MemoryBroker()
    nodes = [Node(party, broker) for party in parties.values()]
    request(parties["bank"])
    run(*nodes)
    for name, party in parties.items():
        private = [e.envelope for e in party.log.read() if e.envelope.stream == PRIVATE_STREAM]
        assert {envelope.source for envelope in private} <= {name}
    assert [e.envelope.type for e in parties["partner"].log.stream("partner", PRIVATE_STREAM)] == [
        "DataPrepared"
    ]


def test_nothing_is_left_in_the_spool(parties: dict[str, Party]) -> None:
    broker = MemoryBroker(disturbance=Disturbance(seed=2, reorder=0.4, duplicate=0.5))
    nodes = [Node(party, broker) for party in parties.values()]
    request(parties["bank"])
    run(*nodes)
    for party in parties.values():
        assert [path for path in party.folder.spool.rglob("*") if path.is_file()] == []


def test_what_was_held_is_taken_in_after_a_restart(parties: dict[str, Party]) -> None:
    bank, arbiter = parties["bank"], parties["arbiter"]
    broker = MemoryBroker()
    partner_node = Node(parties["partner"], broker)
    arbiter_node = Node(arbiter, broker)
    asked = request(bank)
    with parties["partner"].log.transaction() as transaction:  # as if received
        transaction.append(asked.envelope, asked.envelope.canonical_bytes())
    partner_node.react()
    partner_node.publish()
    arbiter_node.receive()
    assert arbiter.log.held_streams() == [("partner", JOB)]
    arbiter_node.endpoint.close()

    bank_node, restarted = Node(bank, broker), Node(arbiter, broker)
    bank_node.publish()
    restarted.receive()
    assert events(arbiter) == {("bank", "TrainingRequested"), ("partner", "TrainingAccepted")}
    assert arbiter.log.held_streams() == []


def test_threads_do_what_turning_by_hand_does(parties: dict[str, Party]) -> None:
    broker = MemoryBroker(disturbance=Disturbance(seed=5, reorder=0.3, duplicate=0.3))
    running = [
        RunningParty(party, broker.endpoint(name), toy_decide) for name, party in parties.items()
    ]
    for party in running:
        party.__enter__()
    request(parties["bank"])
    until(lambda: all(events(party) == TOY_SEQUENCE for party in parties.values()))
    until(lambda: not any(party.log.pending_deliveries() for party in parties.values()))
    for party in running:
        party.stop()
    assert not any(reasons(party) for party in parties.values())


def test_parcels_are_acknowledged_together_when_there_is_nothing_else_to_do(
    parties: dict[str, Party],
) -> None:
    broker = MemoryBroker()
    bank, partner = Node(parties["bank"], broker), Node(parties["partner"], broker)
    asked = request(parties["bank"])
    for _ in range(2 * MOST_UNACKNOWLEDGED):
        say(parties["bank"], FeaturesPrepared(variables=1, columns=1), cause=asked.envelope.id)
    for _ in range(10):
        bank.publish()
    waiting = []
    for _ in range(2 * MOST_UNACKNOWLEDGED + 2):
        partner.receive(1)
        waiting.append(len(partner.endpoint.unsettled))
    assert waiting[:3] == [1, 2, 3]
    assert max(waiting) == MOST_UNACKNOWLEDGED - 1
    assert waiting[-1] == 0


def test_several_jobs_do_not_mix(parties: dict[str, Party]) -> None:
    broker = MemoryBroker(disturbance=Disturbance(seed=1, reorder=0.5))
    nodes = [Node(party, broker) for party in parties.values()]
    for number in range(3):
        request(parties["bank"], job=f"job-{number}")
    run(*nodes)
    for party in parties.values():
        for number in range(3):
            shared = {
                (e.envelope.source, e.envelope.type)
                for e in party.log.job(f"job-{number}")
                if not e.envelope.is_private
            }
            assert shared == TOY_SEQUENCE


def test_many_events_of_one_party_enter_the_log_in_order(parties: dict[str, Party]) -> None:
    bank, arbiter = parties["bank"], parties["arbiter"]
    broker = MemoryBroker(disturbance=Disturbance(seed=9, reorder=0.9, delay=0.2))
    node, receiver = Node(bank, broker), Node(arbiter, broker)
    asked = request(bank)
    for _ in range(60):
        say(bank, FeaturesPrepared(variables=1, columns=1), cause=asked.envelope.id)
    for _ in range(20):
        node.publish()
        receiver.receive(20)
    assert [entry.envelope.sequence for entry in arbiter.log.stream("bank", JOB)] == list(range(61))

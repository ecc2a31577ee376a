"""Parties compare heads: what the broker lost comes again, and nobody can make them repeat it."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from bus.memory import MemoryBroker
from bus.parcel import Parcel
from events.lifecycle import MessageRefused, TrainingFailed, TrainingRequested
from events.preparation import FeaturesPrepared
from party import damage, heads, heads_exchange, heads_peer
from party.errors import Reason
from party.heads import HeadsStatement
from party.jobs import job_history
from party.opening import Party
from party.transport import CHUNK_BYTES
from tests.party import federation
from tests.party.federation import (
    HEX,
    JOB,
    TOY_SEQUENCE,
    Node,
    events,
    make_federation,
    reasons,
    request,
    run,
    say,
)


def nodes_of(parties: Mapping[str, Party], broker: MemoryBroker) -> dict[str, Node]:
    return {name: Node(party, broker) for name, party in parties.items()}


def run_with_heads(nodes: Mapping[str, Node], rounds: int = 4) -> None:
    """Everybody works, and compares heads, until the parties have had time to repeat things."""
    run(*nodes.values())
    for _ in range(rounds):
        for node in nodes.values():
            node.compare_heads()
        run(*nodes.values())
        for node in nodes.values():
            node.compare_heads(0.0)
        run(*nodes.values())


def statement(sender: Party, recipient: str = "bank", **changes: object) -> HeadsStatement:
    values = {
        "source": sender.name,
        "recipient": recipient,
        "session": "5" * 32,
        "number": 0,
        "taken": 0,
        "held": {JOB: {"bank": -1, "partner": -1}},
    }
    said = HeadsStatement.model_validate(values | changes)
    return said.signed_with(sender.identity.signing)


def deliver(broker: MemoryBroker, node: Node, sender: str, content: bytes) -> None:
    broker.accept(Parcel(sender, node.party.name, "heads", {}, content))
    node.receive(2)


@pytest.mark.parametrize("lost_after", range(12))
def test_a_broker_wiped_at_any_moment_costs_nothing(
    parties: dict[str, Party], lost_after: int
) -> None:
    """Given a broker that loses everything, when parties compare heads, then all is sent again."""
    broker = MemoryBroker()
    nodes = nodes_of(parties, broker)
    request(parties["bank"])
    steps: list[Callable[[], None]] = [
        step for _ in range(2) for node in nodes.values() for step in (node.publish, node.turn)
    ]
    for step in steps[:lost_after]:
        step()
    broker.wipe()
    run_with_heads(nodes)
    for party in parties.values():
        assert events(party) == TOY_SEQUENCE
        assert not reasons(party)
        assert not party.log.held_streams()


def test_everything_lost_again_and_again_still_arrives(parties: dict[str, Party]) -> None:
    broker = MemoryBroker()
    nodes = nodes_of(parties, broker)
    request(parties["bank"])
    for number in range(40):
        for node in nodes.values():
            node.compare_heads()
            node.publish()
        if number % 3 == 2:
            broker.wipe()
        for node in nodes.values():
            node.turn()
    run_with_heads(nodes)
    assert all(events(party) == TOY_SEQUENCE for party in parties.values())


def test_a_large_payload_that_got_lost_in_part_comes_whole(
    parties: dict[str, Party], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(federation, "HANDLE_BYTES", 3 * CHUNK_BYTES)
    broker = MemoryBroker()
    nodes = nodes_of(parties, broker)
    request(parties["bank"])
    for name in ("bank", "partner", "arbiter", "partner", "arbiter"):
        nodes[name].turn()
    nodes["partner"].turn()
    nodes["bank"].receive(4)  # some of the chunks, not all
    broker.wipe()
    run_with_heads(nodes)
    assert all(events(party) == TOY_SEQUENCE for party in parties.values())
    assert not any(path.is_file() for path in (nodes["bank"].party.folder.spool).rglob("*"))


def test_nothing_is_repeated_while_it_is_only_slow(parties: dict[str, Party]) -> None:
    """Given a recipient far behind what it is sent, then as long as it goes on nothing is lost."""
    broker = MemoryBroker()
    bank, partner = Node(parties["bank"], broker), Node(parties["partner"], broker)
    opened = request(bank.party).envelope
    bank.publish()
    partner.receive()
    for number in range(40):
        say(bank.party, FeaturesPrepared(variables=1, columns=1), cause=opened.id)
        bank.publish()
        if number % 2:
            partner.receive(1)
        partner.compare_heads(1.0)
        bank.receive()
        bank.compare_heads(1.0)
        bank.publish()
    waiting = [message.parcel for message in broker._queues["partner"].ready]
    assert len([parcel for parcel in waiting if parcel.kind == "envelope"]) > 10
    assert len({parcel.body for parcel in waiting}) == len(waiting)


def test_statements_go_out_ever_more_slowly_and_not_in_answer(parties: dict[str, Party]) -> None:
    broker = MemoryBroker()
    nodes = nodes_of(parties, broker)
    request(parties["bank"])
    run_with_heads(nodes)
    before = [node.heads._number for node in nodes.values()]
    for _ in range(600):
        for node in nodes.values():
            node.compare_heads(1.0)
            node.receive(10)
    said = [
        node.heads._number - number for node, number in zip(nodes.values(), before, strict=True)
    ]
    assert all(10 <= statements <= 60 for statements in said), said


def test_a_job_that_is_long_over_is_not_spoken_of(parties: dict[str, Party]) -> None:
    broker = MemoryBroker()
    nodes = nodes_of(parties, broker)
    request(parties["bank"])
    run_with_heads(nodes)
    opened = job_history(parties["bank"].log, JOB).opening.envelope
    say(parties["bank"], TrainingFailed(code="cancelled", detail="-"), cause=opened.id)
    run_with_heads(nodes)
    for node in nodes.values():
        node.compare_heads(1_000)
        node.compare_heads(1_000)
    before = [node.heads._number for node in nodes.values()]
    for node in nodes.values():
        node.compare_heads(1_000)
    assert [node.heads._number for node in nodes.values()] == before


def test_who_keeps_saying_that_nothing_came_is_not_obeyed_for_ever(
    parties: dict[str, Party],
) -> None:
    """Given a partner that always claims to have nothing, then repeats become ever rarer."""
    broker = MemoryBroker()
    nodes = nodes_of(parties, broker)
    request(parties["bank"])
    run_with_heads(nodes)
    bank, repeats = nodes["bank"], 0
    for number in range(300):
        said = statement(parties["partner"], number=number)
        deliver(broker, bank, "partner", said.content())
        bank.compare_heads(2.0)
        repeats += bool(parties["bank"].log.pending_deliveries())
        bank.publish()
        bank.publisher._look_again_at = 0.0
        bank.publish()
    assert 4 <= repeats <= 12


# What is refused


def test_statements_that_are_not_genuine_are_refused_and_counted(tmp_path: Path) -> None:
    parties = make_federation(tmp_path, "bank", "partner", "arbiter")
    broker = MemoryBroker()
    bank = Node(parties["bank"], broker)
    partner, arbiter = parties["partner"], parties["arbiter"]
    true = statement(partner)
    for content in (
        b"",
        b"[]",
        b'{"kind":"tallystick heads"}',
        b" " * (heads.LARGEST_STATEMENT + 1),
        statement(partner, recipient="arbiter").content(),
        statement(partner).model_copy(update={"number": -4}).content(),
    ):
        deliver(broker, bank, "partner", content)
    deliver(broker, bank, "arbiter", true.content())
    deliver(broker, bank, "partner", true.model_copy(update={"taken": 9}).content())
    deliver(broker, bank, "partner", statement(arbiter, source="partner").content())
    deliver(broker, bank, "stranger", true.content())
    counted = {(one.sender, one.reason): one.count for one in bank.party.log.refusals()}
    assert counted == {
        ("partner", str(Reason.BAD_HEADS)): 6,
        ("arbiter", str(Reason.BAD_HEADS)): 1,
        ("partner", str(Reason.FALSE_SIGNATURE)): 2,
        ("stranger", str(Reason.UNKNOWN_ISSUER)): 1,
    }
    assert len(broker.dead_letters("bank")) == 10
    for party in parties.values():
        party.close()


def test_an_old_statement_is_refused_and_a_copy_dropped(parties: dict[str, Party]) -> None:
    broker = MemoryBroker()
    bank = Node(parties["bank"], broker)
    partner = parties["partner"]
    for number in (3, 3, 4, 2):
        deliver(broker, bank, "partner", statement(partner, number=number).content())
    assert reasons(bank.party) == {str(Reason.STALE_HEADS): 1}
    deliver(broker, bank, "partner", statement(partner, session="6" * 32).content())
    assert reasons(bank.party) == {str(Reason.STALE_HEADS): 1}
    deliver(broker, bank, "partner", statement(partner, number=9).content())
    assert reasons(bank.party) == {str(Reason.STALE_HEADS): 2}


def test_a_flood_of_statements_takes_no_room(parties: dict[str, Party]) -> None:
    broker = MemoryBroker()
    bank = Node(parties["bank"], broker)
    for number in range(200):
        unknown = {f"job-{number}-{one}": {"partner": 5} for one in range(200)}
        said = statement(parties["partner"], number=number, held=unknown)
        deliver(broker, bank, "partner", said.content())
    peer = bank.heads._peers["partner"]
    assert len(peer.statements) == heads_peer.MOST_STATEMENTS
    bank.compare_heads()
    assert len(peer.behind) <= heads_exchange.MOST_UNKNOWN
    assert len(peer.gaps) <= heads_exchange.MOST_GAPS


def test_only_members_are_told_of_a_job(tmp_path: Path) -> None:
    """Given a trusted party outside the job, then it hears nothing and gets nothing."""
    parties = make_federation(tmp_path, "bank", "partner", "arbiter", "watcher")
    broker = MemoryBroker()
    nodes = nodes_of(parties, broker)
    request(parties["bank"])
    run_with_heads({name: nodes[name] for name in ("bank", "partner", "arbiter")})
    said = statement(parties["watcher"], held={JOB: {"bank": -1, "watcher": -1}})
    for number in range(3):
        again = said.model_copy(update={"number": number, "signature": ""})
        signed = again.signed_with(parties["watcher"].identity.signing)
        deliver(broker, nodes["bank"], "watcher", signed.content())
        nodes["bank"].compare_heads()
        nodes["bank"].publish()
    heard = []
    while delivery := nodes["watcher"].endpoint.receive(0):
        heard.append(HeadsStatement.model_validate_json(delivery.parcel.body))
        delivery.acknowledge()
    assert [said.held for said in heard] == [{}]  # that somebody is here, and nothing else
    for party in parties.values():
        party.close()


# Damaged on the way


class DamagingBroker(MemoryBroker):
    """Changes a bit of the sealed bytes behind an envelope, some times."""

    times = 0

    def accept(self, parcel: Parcel) -> object:  # type: ignore[override]
        if self.times and parcel.recipient == "bank" and "payload-0" in parcel.headers:
            self.times -= 1
            body = bytearray(parcel.body)
            body[-1] ^= 1
            headers = parcel.headers
            parcel = Parcel(parcel.sender, parcel.recipient, parcel.kind, headers, bytes(body))
        return super().accept(parcel)


@pytest.mark.parametrize("times", [1, damage.MOST_TIMES])
def test_a_payload_damaged_on_the_way_is_asked_for_again(
    parties: dict[str, Party], times: int
) -> None:
    broker = DamagingBroker()
    broker.times = times
    nodes = nodes_of(parties, broker)
    request(parties["bank"])
    run_with_heads(nodes, rounds=12)
    assert all(events(party) == TOY_SEQUENCE for party in parties.values())
    assert reasons(parties["bank"]) == {str(Reason.OTHER_SEALED_BYTES): times}
    assert not job_history(parties["bank"].log, JOB).has(MessageRefused)


def test_what_never_arrives_whole_is_a_breach_after_all(parties: dict[str, Party]) -> None:
    broker = DamagingBroker()
    broker.times = 1_000
    nodes = nodes_of(parties, broker)
    request(parties["bank"])
    run_with_heads(nodes, rounds=40)
    (noted,) = job_history(parties["bank"].log, JOB).of(MessageRefused)
    assert (noted.event.sender, noted.event.reason) == ("partner", str(Reason.OTHER_SEALED_BYTES))


def test_nobody_can_ask_for_anothers_events(parties: dict[str, Party]) -> None:
    """Given somebody who asks for events that are not for it, then nothing is sent."""
    broker = MemoryBroker()
    nodes = nodes_of(parties, broker)
    asked = request(parties["bank"])
    run(*nodes.values())
    private = parties["bank"].log.stream("partner", JOB)[0].envelope.id
    said = statement(parties["partner"], damaged=(HEX, private), held={})
    deliver(broker, nodes["bank"], "partner", said.content())
    nodes["bank"].compare_heads()
    assert not parties["bank"].log.pending_deliveries()
    said = statement(parties["partner"], damaged=(asked.envelope.id,), held={}, number=1)
    deliver(broker, nodes["bank"], "partner", said.content())
    nodes["bank"].compare_heads()
    (again,) = parties["bank"].log.pending_deliveries()
    assert (again.recipient, again.entry.envelope.type) == (
        "partner",
        TrainingRequested.type_name(),
    )

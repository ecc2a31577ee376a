"""Small sealed payloads travel behind their envelope: one parcel, and nothing kept apart."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from bus.memory import MemoryBroker
from bus.parcel import Parcel
from events.catalogue import Fact
from events.event import Event
from events.preparation import FeaturesPrepared, IdentifiersPosted
from handlers.drafts import blob
from party.errors import Reason
from party.opening import Party
from party.transport import ENVELOPE_BYTES, LARGEST_BEHIND
from tests.party.federation import Node, reasons, request, say

CONTENT = b"h" * 32


@dataclass
class Scene:
    """The partner has posted its identifiers; the parcels are still in the test's hand."""

    broker: MemoryBroker
    bank: Node
    partner: Node
    asked: Fact[Event]

    def parcels(self) -> list[Parcel]:
        self.partner.publish()
        found = [self.bank.endpoint.receive(0) for _ in range(5)]
        for delivery in filter(None, found):
            delivery.acknowledge()
        return [delivery.parcel for delivery in found if delivery is not None]

    def post(self, content: bytes = CONTENT) -> Fact[Event]:
        event = IdentifiersPosted(customers=len(content) // 16)
        cause = self.asked.envelope.id
        return say(self.partner.party, event, blob("handles", content), cause=cause)

    def deliver(self, parcel: Parcel, **changes: object) -> None:
        values = {name: getattr(parcel, name) for name in ("kind", "headers", "body")} | changes
        self.broker.accept(Parcel("partner", "bank", **values))
        self.bank.receive(3)

    def has(self, fact: Fact[Event]) -> bool:
        """In the bank's log, with its payload."""
        commitment = fact.payload("handles").commitment
        log, payloads = self.bank.party.log, self.bank.party.payloads
        return log.entry(fact.envelope.id) is not None and payloads.has(commitment)


@pytest.fixture
def scene(parties: dict[str, Party]) -> Scene:
    broker = MemoryBroker()
    bank, partner = (Node(parties[name], broker) for name in ("bank", "partner"))
    return Scene(broker, bank, partner, request(bank.party))


def test_a_small_payload_needs_no_parcel_of_its_own(scene: Scene) -> None:
    posted = scene.post()
    (parcel,) = scene.parcels()
    scene.deliver(parcel)
    assert scene.has(posted)
    assert not list((scene.bank.party.folder.spool / "received").glob("*"))


def test_a_large_one_goes_in_chunks_before_it(scene: Scene) -> None:
    posted = scene.post(b"h" * LARGEST_BEHIND)
    parcels = scene.parcels()
    assert [parcel.kind for parcel in parcels] == ["chunk", "envelope"]
    for parcel in parcels:
        scene.deliver(parcel)
    assert scene.has(posted)


def test_what_came_too_early_waits_with_its_payload_through_a_restart(scene: Scene) -> None:
    """Given the event before it is missing, and the bank is started anew meanwhile."""
    before = say(
        scene.partner.party,
        FeaturesPrepared(variables=1, columns=2),
        cause=scene.asked.envelope.id,
    )
    posted = scene.post()
    first, second = scene.parcels()
    scene.deliver(second)
    assert scene.bank.party.log.entry(posted.envelope.id) is None
    scene.bank.endpoint.close()
    scene.bank = Node(scene.bank.party, scene.broker)
    scene.deliver(first)
    assert scene.bank.party.log.entry(before.envelope.id) is not None
    assert scene.has(posted)


def cut_short(parcel: Parcel) -> dict[str, object]:
    return {"body": parcel.body[:-1]}


def damaged(parcel: Parcel) -> dict[str, object]:
    return {"body": parcel.body[:-1] + bytes([parcel.body[-1] ^ 1])}


def without_the_place(parcel: Parcel) -> dict[str, object]:
    size = int(parcel.headers[ENVELOPE_BYTES])
    headers = {name: parcel.headers[name] for name in parcel.headers if name != ENVELOPE_BYTES}
    return {"headers": headers, "body": parcel.body[:size]}


def beyond_the_end(parcel: Parcel) -> dict[str, object]:
    return {"headers": {**parcel.headers, ENVELOPE_BYTES: len(parcel.body) + 1}}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (cut_short, Reason.OTHER_SEALED_BYTES),
        (damaged, Reason.OTHER_SEALED_BYTES),
        (without_the_place, Reason.NO_TRANSPORT),
        (beyond_the_end, Reason.NOT_AN_ENVELOPE),
    ],
)
def test_a_payload_that_is_not_there_as_announced_is_refused(
    scene: Scene, change: Callable[[Parcel], dict[str, object]], reason: Reason
) -> None:
    posted = scene.post()
    (parcel,) = scene.parcels()
    scene.deliver(parcel, **change(parcel))
    assert reasons(scene.bank.party) == {str(reason): 1}
    assert not scene.has(posted)

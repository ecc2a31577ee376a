"""What must not enter a log: each refused with its own reason, counted and dead-lettered."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import rfc8785

from bus.memory import MemoryBroker
from bus.parcel import Parcel
from events.envelope import Envelope, digest_of, event_id
from events.lifecycle import MessageRefused, TrainingAccepted, TrainingFailed
from events.preparation import FeaturesPrepared
from party import waiting
from party.errors import Reason
from party.opening import Party
from tests.party.attack import ACCEPTED, ALONE, FORGED, Scene, followed_by
from tests.party.federation import (
    HEX,
    JOB,
    MEMBERS,
    Node,
    make_federation,
    reasons,
    request,
    say,
    terms,
)


def test_what_is_right_is_taken_in(scene: Scene) -> None:
    scene.deliver(scene.accepted())
    assert not reasons(scene.bank.party)
    assert scene.bank.party.log.head() == 2


@pytest.mark.parametrize(("reason", "attack"), ALONE)
def test_a_wrong_envelope_is_refused(
    scene: Scene, reason: Reason, attack: Callable[[Scene], Envelope | bytes]
) -> None:
    scene.deliver(attack(scene))
    scene.expect(reason, ends_job=reason not in FORGED)


def test_a_wrong_envelope_of_an_unknown_job_ends_nothing(scene: Scene) -> None:
    scene.deliver(scene.accepted(stream="other", id=event_id("partner", "other", 0)))
    scene.expect(Reason.FOREIGN_CAUSE, ends_job=False)


def test_another_partys_envelope_is_refused_from_whoever_sends_it(scene: Scene) -> None:
    scene.deliver(scene.accepted(), sender="arbiter")
    scene.expect(Reason.OTHER_SENDER, ends_job=False)


def test_a_stranger_is_refused(scene: Scene, tmp_path: Path) -> None:
    strangers = make_federation(tmp_path / "elsewhere", "bank", "watcher")
    stranger = strangers["watcher"]
    envelope = scene.accepted(source="watcher", id=event_id("watcher", JOB, 0))
    scene.deliver(envelope.signed_with(stranger.identity.signing), sender="watcher")
    scene.expect(Reason.UNKNOWN_ISSUER, ends_job=False)
    for party in strangers.values():
        party.close()


def test_a_party_with_another_key_than_trusted_is_refused(scene: Scene, tmp_path: Path) -> None:
    impostors = make_federation(tmp_path / "elsewhere", "partner")
    scene.deliver(scene.accepted().signed_with(impostors["partner"].identity.signing))
    scene.expect(Reason.FALSE_SIGNATURE, ends_job=False)
    impostors["partner"].close()


def test_a_second_event_in_the_same_place_is_equivocation(scene: Scene) -> None:
    scene.deliver(scene.accepted())
    scene.deliver(scene.accepted(time="2999-01-02T00:00:00.000000Z"))
    assert reasons(scene.bank.party) == {str(Reason.EQUIVOCATION): 1}
    assert scene.count(TrainingAccepted) == 1


def test_an_event_before_the_one_that_it_follows_is_back_dated(scene: Scene) -> None:
    """Given a second event with a time after its cause and before the first, it is refused."""
    first = scene.accepted()
    scene.deliver(first)
    between = scene.request.envelope.time
    assert between < first.time
    scene.deliver(followed_by(scene, first, time=between))
    assert reasons(scene.bank.party) == {str(Reason.BACK_DATED): 1}
    assert (scene.count(TrainingFailed), scene.count(MessageRefused)) == (0, 1)


def test_an_event_caused_by_another_jobs_is_refused(scene: Scene) -> None:
    """Given two jobs between the same parties, then what belongs to one follows from its own."""
    other = request(scene.bank.party, job="job-2").envelope
    scene.deliver(scene.accepted(cause=other.id))
    assert reasons(scene.bank.party) == {str(Reason.FOREIGN_CAUSE): 1}
    assert scene.count(TrainingAccepted) == 0


def test_an_event_moved_to_another_job_is_refused(scene: Scene) -> None:
    """Given a genuine event, then it cannot be played into another job, whatever is changed."""
    request(scene.bank.party, job="job-2")
    genuine = scene.accepted()
    for moved in (
        genuine.model_copy(update={"stream": "job-2"}),
        genuine.model_copy(update={"stream": "job-2", "id": event_id("partner", "job-2", 0)}),
    ):
        scene.deliver(moved)
    assert reasons(scene.bank.party) == {
        str(Reason.FALSE_IDENTITY): 1,
        str(Reason.FALSE_SIGNATURE): 1,
    }


def test_two_held_events_in_the_same_place_are_equivocation(scene: Scene) -> None:
    for time in ("2999-01-01T00:00:00.000000Z", "2999-01-02T00:00:00.000000Z"):
        gap = scene.accepted(sequence=1, id=event_id("partner", JOB, 1), previous=HEX, time=time)
        scene.deliver(gap)
    scene.expect(Reason.EQUIVOCATION)


def test_a_replayed_envelope_changes_nothing(scene: Scene) -> None:
    for _ in range(3):
        scene.deliver(scene.accepted())
    assert not reasons(scene.bank.party)
    assert scene.bank.party.log.head() == 2


def test_an_event_after_a_gap_waits_for_the_one_before(scene: Scene) -> None:
    first = scene.accepted()
    failed = TrainingFailed(code="data", detail="-").model_dump(mode="json")
    second = scene.accepted(
        type="TrainingFailed",
        data=failed,
        sequence=1,
        id=event_id("partner", JOB, 1),
        previous=digest_of(first.canonical_bytes()),
    )
    scene.deliver(second)
    assert scene.bank.party.log.head() == 1
    scene.deliver(first)
    assert scene.bank.party.log.head() == 3
    assert not reasons(scene.bank.party)


def test_an_event_held_that_turns_out_wrong_is_refused_when_its_time_comes(scene: Scene) -> None:
    second = scene.accepted(sequence=1, id=event_id("partner", JOB, 1), previous=HEX)
    scene.deliver(second)
    scene.deliver(scene.accepted())
    assert reasons(scene.bank.party) == {str(Reason.EQUIVOCATION): 1}
    assert scene.bank.party.log.held_streams() == []
    assert (scene.count(TrainingAccepted), scene.count(MessageRefused)) == (1, 1)


def test_a_sender_cannot_fill_the_log_with_waiting_events(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "MAXIMUM_HELD", 2)
    for number in (5, 6, 7, 7, 6):
        gap = scene.accepted(sequence=number, id=event_id("partner", JOB, number), previous=HEX)
        scene.deliver(gap)
    assert reasons(scene.bank.party) == {str(Reason.TOO_MANY_HELD): 2}


def test_who_is_no_member_says_nothing_in_a_job(tmp_path: Path) -> None:
    parties = make_federation(tmp_path, *MEMBERS, "watcher")
    broker = MemoryBroker()
    scene = Scene(parties, broker, Node(parties["bank"], broker), request(parties["bank"]))
    failed = TrainingFailed(code="data", detail="-").model_dump(mode="json")
    place = event_id("watcher", JOB, 0)
    envelope = scene.accepted(source="watcher", id=place, type="TrainingFailed", data=failed)
    scene.deliver(envelope.signed_with(parties["watcher"].identity.signing), sender="watcher")
    scene.expect(Reason.NOT_A_MEMBER, ends_job=False)
    for party in parties.values():
        party.close()


# Requests


def asked(parties: Mapping[str, Party], *names: str, receiver: str = "partner") -> dict[str, int]:
    """Why `receiver` refuses the bank's request for a job among these members."""
    broker = MemoryBroker()
    sender, node = Node(parties["bank"], broker), Node(parties[receiver], broker)
    request(parties["bank"], terms(*names))
    sender.publish()
    node.receive(5)
    return reasons(node.party)


def test_a_request_among_trusted_members_is_taken_in(parties: dict[str, Party]) -> None:
    assert asked(parties, *MEMBERS) == {}


def test_a_request_with_a_member_nobody_knows_is_refused(tmp_path: Path) -> None:
    parties = make_federation(tmp_path, *MEMBERS, "watcher")
    (parties["partner"].folder.trusted / "watcher.json").unlink()
    assert asked(parties, *MEMBERS, "watcher") == {str(Reason.UNTRUSTED_MEMBER): 1}
    for party in parties.values():
        party.close()


def test_a_request_that_does_not_invite_this_party_is_refused(tmp_path: Path) -> None:
    parties = make_federation(tmp_path, *MEMBERS, "watcher")
    broker = MemoryBroker()
    node = Node(parties["watcher"], broker)
    envelope = request(parties["bank"]).envelope
    broker.accept(Parcel("bank", "watcher", "envelope", {}, envelope.canonical_bytes()))
    node.receive(2)
    assert reasons(node.party) == {str(Reason.NOT_INVITED): 1}
    for party in parties.values():
        party.close()


def test_the_same_job_cannot_be_requested_twice(scene: Scene) -> None:
    partner = Node(scene.partner, scene.broker)
    scene.bank.publish()
    scene.broker.endpoint("arbiter")
    partner.receive(5)
    request(scene.bank.party)
    scene.bank.publish()
    partner.receive(5)
    assert reasons(scene.partner) == {str(Reason.JOB_TAKEN): 1}


def test_a_refusal_says_nothing_of_the_message(scene: Scene) -> None:
    secret = "customer 4711"
    body = json.loads(scene.accepted().canonical_bytes())
    body["data"] = {secret: secret}
    envelope = Envelope.model_validate_json(rfc8785.dumps(body))
    scene.deliver(envelope.signed_with(scene.partner.identity.signing))
    told = [str(refusal) for refusal in scene.bank.party.log.refusals()]
    assert told
    assert not any("4711" in line for line in told)


def test_the_order_of_arrival_does_not_matter_for_a_cause(scene: Scene) -> None:
    prepared = FeaturesPrepared(variables=1, columns=1)
    first = say(scene.partner, ACCEPTED, cause=scene.request.envelope.id)
    second = say(scene.partner, prepared, cause=first.envelope.id)
    scene.deliver(second.envelope)
    scene.deliver(first.envelope)
    assert scene.bank.party.log.head() == 3

"""A party restored from an old backup tells no second history (design, Events; D4)."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from audit.comparison import compare
from audit.export import export_log
from audit.findings import Check
from audit.opening import open_log
from audit.verification import verify
from bus.memory import MemoryBroker
from bus.parcel import Parcel
from events.catalogue import Fact
from events.event import Event
from events.lifecycle import TrainingFailed
from events.vocabulary import Role
from events.witness import CheckpointPosted, LogRestored, OwnEventsMissed
from handlers.drafts import Decision
from handlers.history import History
from handlers.own import Own
from handlers.reactions import WITNESSING
from party.checkpointing import CheckpointKeeper
from party.errors import Reason
from party.jobs import job_history
from party.opening import open_party
from tests.party.federation import (
    JOB,
    TOY_SEQUENCE,
    Node,
    events,
    make_federation,
    reasons,
    request,
    run,
    toy_decide,
)


def decide(role: Role, history: History, fact: Fact[Event], own: Own) -> Decision:
    """The toy protocol, and what every member does about others' logs."""
    if handler := WITNESSING.get(type(fact.event)):
        return handler(history, fact, own)
    silent = history.is_over or history.has(LogRestored, source=own.name)
    return [] if silent else toy_decide(role, history, fact, own)


class Federation:
    """Three parties turned by hand, any of which can be set back to an earlier day."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.broker = MemoryBroker()
        self.parties = make_federation(folder)
        self.nodes = {name: Node(p, self.broker, decide) for name, p in self.parties.items()}
        for node in self.nodes.values():
            node.heads.agree.set()

    def back_up(self, name: str) -> None:
        self.parties[name].close()
        shutil.copytree(self.folder / name, self.folder / f"{name}.backup")
        self.open(name)

    def restore(self, name: str) -> Node:
        self.parties[name].close()
        shutil.rmtree(self.folder / name)
        shutil.copytree(self.folder / f"{name}.backup", self.folder / name)
        return self.open(name)

    def open(self, name: str) -> Node:
        if name in self.nodes:
            self.nodes[name].endpoint.close()
        self.parties[name] = open_party(self.folder / name)
        self.nodes[name] = Node(self.parties[name], self.broker, decide)
        return self.nodes[name]

    def work(self, rounds: int = 8) -> None:
        """Everybody works; who does not agree on heads yet decides nothing."""
        for _ in range(rounds):
            for node in self.nodes.values():
                node.publish()
                node.receive()
                node.compare_heads()
                if node.heads.agree.is_set():
                    node.react()
        run(*(node for node in self.nodes.values() if node.heads.agree.is_set()))

    def said(self, name: str) -> list[bytes]:
        return [entry.canonical for entry in self.parties["arbiter"].log.stream(name, JOB)]


@pytest.fixture
def federation(tmp_path: Path) -> Iterator[Federation]:
    made = Federation(tmp_path)
    yield made
    for party in made.parties.values():
        party.close()


def turn(federation: Federation, *names: str) -> None:
    for name in names:
        federation.nodes[name].turn()


def lose_events_of(federation: Federation, name: str) -> list[bytes]:
    """A job goes on to its end after the backup; what the others hold of the party by then."""
    request(federation.parties["bank"])
    turn(federation, "bank", "partner", "arbiter", "partner")
    federation.back_up(name)
    federation.nodes[name].heads.agree.set()
    run(*federation.nodes.values())
    assert events(federation.parties["arbiter"]) == TOY_SEQUENCE
    return federation.said(name)


@pytest.mark.parametrize("name", ["bank", "partner"])
def test_it_takes_back_what_it_said_and_ends_the_job_by_name(
    federation: Federation, name: str
) -> None:
    before = lose_events_of(federation, name)
    restored = federation.restore(name)
    assert not restored.heads.agree.is_set()
    federation.work()
    assert restored.heads.agree.is_set()
    for party in federation.parties.values():
        history = job_history(party.log, JOB)
        (failed,) = history.of(TrainingFailed)
        assert f"the log of {name} was restored from a backup" in failed.event.detail
        assert failed.source == "bank"
        assert history.has(LogRestored, source=name)
        held = [entry.canonical for entry in party.log.stream(name, JOB)]
        assert held[: len(before)] == before
        assert not reasons(party)
    (missed,) = job_history(restored.party.log, JOB).of(OwnEventsMissed)
    assert missed.event.size < restored.party.log.head()


def test_a_backup_that_lost_nothing_that_was_said_goes_on(federation: Federation) -> None:
    """Given a backup from before others' events only, then those come again, and the job ends."""
    request(federation.parties["bank"])
    turn(federation, "bank", "partner", "arbiter")
    federation.back_up("bank")
    federation.nodes["bank"].heads.agree.set()
    turn(federation, "partner", "arbiter")
    federation.nodes["bank"].receive(2)
    federation.restore("bank")
    federation.work(20)
    for party in federation.parties.values():
        assert events(party) == TOY_SEQUENCE
        assert not job_history(party.log, JOB).has(LogRestored)


def test_killed_in_the_midst_of_taking_back_it_still_says_so(federation: Federation) -> None:
    lose_events_of(federation, "partner")
    restored = federation.restore("partner")
    while not job_history(restored.party.log, JOB).has(OwnEventsMissed):
        for node in federation.nodes.values():
            node.publish()
            node.compare_heads()
            node.receive(1)
    federation.parties["partner"].close()
    federation.open("partner")
    federation.work(20)
    for party in federation.parties.values():
        assert job_history(party.log, JOB).has(LogRestored, source="partner")
        assert len(job_history(party.log, JOB).of(TrainingFailed)) == 1


def test_logs_show_a_restoration_and_no_rewritten_history(federation: Federation) -> None:
    """Given checkpoints of what was lost, then `audit compare` reports a restoration (D4)."""
    lose_events_of(federation, "partner")
    CheckpointKeeper(federation.parties["partner"]).catch_up()
    keeper = CheckpointKeeper(federation.parties["partner"])
    keeper.catch_up()
    assert keeper.post(JOB) is not None
    run(*federation.nodes.values())
    federation.restore("partner")
    federation.work(12)
    keeper = CheckpointKeeper(federation.parties["partner"])
    keeper.catch_up()
    assert keeper.post(JOB) is not None
    run(*federation.nodes.values())
    for party in federation.parties.values():
        history = job_history(party.log, JOB)
        assert len(history.of(CheckpointPosted, source="partner")) == 2
        assert not [one for one in party.log.read() if one.envelope.type == "CheckpointDisputed"]
    copies = [open_log(str(federation.folder / name)) for name in ("bank", "partner")]
    result = compare(copies)
    assert result.holds, result
    (words,) = [check for check in result.checks if check.check is Check.CHECKPOINTS]
    assert any("restored from a backup" in note for note in words.notes)
    exported = federation.folder / "partner.tally"
    export_log(federation.parties["partner"], exported)
    for place in (exported, federation.folder / "partner"):
        (told,) = [
            check
            for check in verify(open_log(str(place))).checks
            if check.check is Check.CHECKPOINTS
        ]
        assert told.holds, told
        assert any("restored from a backup" in note for note in told.notes)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda body: body[:-9], Reason.NOT_AN_ENVELOPE),
        (
            lambda body: body.replace(b"TrainingAccepted", b"TrainingDeclined"),
            Reason.FALSE_SIGNATURE,
        ),
    ],
)
def test_only_what_it_said_itself_is_taken_back(
    federation: Federation, change: object, reason: Reason
) -> None:
    lose_events_of(federation, "partner")
    said = federation.said("partner")
    others = federation.said("bank")
    node = federation.restore("partner")
    before = node.party.log.head()
    for body in (change(said[0]), others[0]):  # type: ignore[operator]
        federation.broker.accept(Parcel("arbiter", "partner", "returned", {}, body))
        node.receive(3)
    assert reasons(node.party) == {str(reason): 1, str(Reason.OTHER_SENDER): 1}
    assert node.party.log.head() == before


def test_a_false_claim_delays_and_changes_nothing(federation: Federation) -> None:
    """Given a peer that claims to hold more of us than there is, then only time is lost."""
    from tests.party.test_heads import statement

    request(federation.parties["bank"])
    run(*federation.nodes.values())
    node = federation.open("bank")
    said = statement(
        federation.parties["partner"], held={JOB: {"bank": 99}}, heard=node.heads._session
    )
    federation.broker.accept(Parcel("partner", "bank", "heads", {}, said.content()))
    node.receive(3)
    node.compare_heads()
    assert not node.heads.agree.is_set()
    federation.work(40)
    assert node.heads.agree.is_set()
    assert not job_history(node.party.log, JOB).has(LogRestored)


def test_a_peer_that_is_silent_is_not_waited_for_for_ever(federation: Federation) -> None:
    request(federation.parties["bank"])
    run(*federation.nodes.values())
    node = federation.open("bank")
    node.compare_heads(0.0)
    assert not node.heads.agree.is_set()
    node.compare_heads(6.0)
    assert node.heads.agree.is_set()


def test_a_party_that_never_said_anything_waits_for_nobody(tmp_path: Path) -> None:
    parties = make_federation(tmp_path / "new")
    node = Node(parties["bank"], MemoryBroker())
    assert node.heads.agree.is_set()
    for party in parties.values():
        party.close()

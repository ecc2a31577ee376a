"""A party's log is what its handlers say, to the bit; every way to change it is found (D4)."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from audit.reexecution import reexecute
from events.catalogue import Fact
from events.envelope import Envelope, event_id
from events.errors import EnvelopeError
from events.event import Event
from events.lifecycle import TrainingFailed
from events.preparation import RowsAligned
from events.vocabulary import Role
from handlers.drafts import Decision
from handlers.history import History
from handlers.own import Own
from handlers.reactions import decide
from party.opening import Party
from party.requesting import cancel_training
from store.entry import Entry
from tests.audit.conftest import JOB, Federation, terms, trained_federation
from tests.simulation import MemoryPayloads

Entries = list[Entry]
OTHER = "ab" * 32


def log_of(party: Party) -> Entries:
    return party.log.read(limit=10_000)


def changed(entry: Entry, **fields: Any) -> Entry:
    """The same entry, but for some fields of its envelope."""
    return Entry(entry.position, entry.envelope.model_copy(update=fields).canonical_bytes())


def place_of(entries: Entries, source: str, kind: str) -> int:
    """Where the first event of this type stands."""
    return next(
        place
        for place, entry in enumerate(entries)
        if (entry.envelope.source, entry.envelope.type) == (source, kind)
    )


def without(entries: Entries, source: str, *kinds: str) -> Entries:
    return [
        entry
        for entry in entries
        if entry.envelope.source != source or entry.envelope.type not in kinds
    ]


def said_after(entries: Sequence[Entry], like: Envelope, **fields: Any) -> Entry:
    """One more event of the same issuer and stream, at the end of a log."""
    sequence = 1 + max(
        entry.envelope.sequence
        for entry in entries
        if (entry.envelope.source, entry.envelope.stream) == (like.source, like.stream)
    )
    name = event_id(like.source, like.stream, sequence)
    envelope = like.model_copy(update={"id": name, "sequence": sequence, **fields})
    return Entry(entries[-1].position + 1, envelope.canonical_bytes())


def found(entries: Entries, party: Party) -> tuple[str, str]:
    """Type and detail of the one divergence."""
    result = reexecute(entries, party.own)
    assert not result.holds
    return result.divergences[0].type, result.divergences[0].detail


@pytest.mark.parametrize(
    ("name", "from_outside"),
    [
        (
            "bank",
            {
                "DataSnapshotted": 1,
                "TrainingRequested": 1,
                "ModelConverted": 1,
                "CheckpointPosted": 1,
            },
        ),
        ("partner", {"DataSnapshotted": 1, "ModelConverted": 1, "CheckpointPosted": 1}),
        ("arbiter", {"KeyPairGenerated": 1, "CheckpointPosted": 1}),
    ],
)
def test_an_honest_log_holds_and_tells_what_was_believed(
    name: str, from_outside: dict[str, int], federation: Federation
) -> None:
    entries = log_of(federation[name])
    result = reexecute(entries, federation[name].own)
    assert result.divergences == ()
    assert result.from_outside == from_outside
    own = [entry for entry in entries if entry.envelope.source == name]
    assert result.repeated + sum(from_outside.values()) == len(own)


def test_a_job_whose_customers_share_ciphertexts_is_executed_again_as_it_was(
    tmp_path: Path,
) -> None:
    """Masks, cuts and all: the same randomness gives the same events at every party (T4 to T7)."""
    shared = {"profile": "patent", "rows_per_ciphertext": 4}
    federation = trained_federation(tmp_path, job=terms().model_copy(update=shared))
    for name, party in federation.parties.items():
        entries = log_of(party)
        result = reexecute(entries, party.own)
        assert result.divergences == ()
        own = [entry for entry in entries if entry.envelope.source == name]
        assert result.repeated + sum(result.from_outside.values()) == len(own)
    last = entries[place_of(entries, "arbiter", "TrainingStopped")].envelope.data
    assert last == {"round": 2, "reason": "round limit"}


def test_an_altered_body_is_found(federation: Federation) -> None:
    bank = federation["bank"]
    entries = log_of(bank)
    place = place_of(entries, "bank", "RowsAligned")
    data = {**entries[place].envelope.data, "held_out_rows": 0}
    entries[place] = changed(entries[place], data=data)
    assert found(entries, bank) == ("RowsAligned", "the body differs in held_out_rows")
    (first, *_) = reexecute(entries, bank.own).divergences
    assert (first.position, first.stream) == (entries[place].position, f"{JOB}/{JOB}")


@pytest.mark.parametrize("change", [{"commitment": OTHER}, {"readers": ("arbiter", "bank")}])
def test_a_payload_with_other_content_or_readers_is_found(
    change: dict[str, Any], federation: Federation
) -> None:
    partner = federation["partner"]
    entries = log_of(partner)
    place = place_of(entries, "partner", "PartialScoreReturned")
    (scores,) = entries[place].envelope.payloads
    entries[place] = changed(entries[place], payloads=(scores.model_copy(update=change),))
    assert found(entries, partner) == ("PartialScoreReturned", "the payload scores differs")


def test_a_payload_that_is_left_out_is_found(federation: Federation) -> None:
    partner = federation["partner"]
    entries = log_of(partner)
    place = place_of(entries, "partner", "EncryptedScorePosted")
    entries[place] = changed(entries[place], payloads=entries[place].envelope.payloads[:1])
    with pytest.raises(EnvelopeError, match="payload"):
        reexecute(entries, partner.own)


@pytest.mark.parametrize(
    ("name", "suppressed"),
    [
        ("bank", ["ModelEvaluated"]),
        ("partner", ["PartialScoreReturned"]),
        ("partner", ["ModelSaved", "PartialScoreReturned"]),
        ("arbiter", ["TrainingStopped"]),
    ],
)
def test_a_suppressed_last_event_is_found(
    name: str, suppressed: list[str], federation: Federation
) -> None:
    entries = without(log_of(federation[name]), name, *suppressed)
    assert found(entries, federation[name]) == (suppressed[0], f"{suppressed[0]} is missing")


def test_a_suppressed_event_among_others_is_found(federation: Federation) -> None:
    entries = log_of(federation["bank"])
    del entries[place_of(entries, "bank", "LossRecorded")]
    kind, detail = found(entries, federation["bank"])
    assert kind == "ParametersUpdated"
    assert detail == "the handlers say LossRecorded here"


def test_an_event_that_nothing_leads_to_is_found(federation: Federation) -> None:
    arbiter = federation["arbiter"]
    entries = log_of(arbiter)
    completed = entries[place_of(entries, "arbiter", "RoundCompleted")].envelope
    entries.append(said_after(entries, completed, data={"round": 2}))
    assert found(entries, arbiter) == ("RoundCompleted", "nothing in the log leads to this event")


def test_data_that_was_read_unasked_is_found(federation: Federation) -> None:
    """What a snapshot holds is believed, but not a second snapshot."""
    partner = federation["partner"]
    entries = log_of(partner)
    taken = entries[place_of(entries, "partner", "DataSnapshotted")].envelope
    entries.append(said_after(entries, taken))
    assert found(entries, partner) == ("DataSnapshotted", "nothing in the log leads to this event")


def test_another_order_of_own_events_is_found(federation: Federation) -> None:
    bank = federation["bank"]
    entries = log_of(bank)
    first = place_of(entries, "bank", "ParametersUpdated")
    second = place_of(entries, "bank", "LossRecorded")
    assert second == first + 1
    entries[first], entries[second] = entries[second], entries[first]
    assert found(entries, bank) == ("LossRecorded", "the handlers say ParametersUpdated here")


@pytest.mark.parametrize("name", ["bank", "partner", "arbiter"])
def test_a_job_under_way_may_wait_for_its_next_reaction(name: str, federation: Federation) -> None:
    """Given a log that ends anywhere before the last round, then nothing counts as missing."""
    entries = log_of(federation[name])
    stopped = place_of(entries, "arbiter", "TrainingStopped")
    for end in range(0, stopped, 6):
        assert reexecute(entries[:end], federation[name].own).holds


def test_handlers_that_fail_when_they_run_again_are_told(federation: Federation) -> None:
    """Given payloads that are not there any more, then the event that was made of them."""
    partner = federation["partner"]
    own = replace(partner.own, payloads=MemoryPayloads(), remembered={})
    (first, *_) = reexecute(log_of(partner), own).divergences
    assert (first.type, first.detail) == ("IdentifiersPosted", "the handlers, run again, fail here")


def fail_at(kind: type[Event]) -> Callable[[Role, History, Fact[Event], Own], Decision]:
    """Handlers on a machine that fails at events of one type."""

    def deciding(role: Role, history: History, fact: Fact[Event], own: Own) -> Decision:
        if type(fact.event) is kind:
            raise MemoryError
        return decide(role, history, fact, own)

    return deciding


def test_a_fault_of_the_machine_is_believed_and_counted(tmp_path: Path) -> None:
    """What the reaction would have said is not missing: the failure took its place."""
    failed = trained_federation(tmp_path, partner=fail_at(RowsAligned))
    for name, party in failed.parties.items():
        result = reexecute(log_of(party), party.own)
        assert result.divergences == ()
        assert result.from_outside.get("TrainingFailed", 0) == (name == "partner")
        party.close()


def test_a_cancellation_is_believed_and_counted(tmp_path: Path) -> None:
    def silent(_role: Role, _history: History, _fact: Fact[Event], _own: Own) -> Decision:
        return []

    waiting = trained_federation(tmp_path, arbiter=silent)
    cancelled = cancel_training(waiting["bank"], JOB)
    assert isinstance(cancelled.event, TrainingFailed)
    result = reexecute(log_of(waiting["bank"]), waiting["bank"].own)
    assert result.divergences == ()
    assert result.from_outside == {
        "DataSnapshotted": 1,
        "TrainingRequested": 1,
        "TrainingFailed": 1,
    }
    for party in waiting.parties.values():
        party.close()

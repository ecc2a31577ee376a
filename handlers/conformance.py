"""The protocol as one description: who may say what, after what, how often, of which shape.

Every member checks every shared fact against it before any handler answers, so a message that is
signed and well-formed but out of place ends the job and names who sent it. Streams of different
parties may overtake each other; what is demanded here holds in every order of arrival.
"""

from collections.abc import Callable, Mapping
from math import prod
from typing import Any

from events.catalogue import Fact
from events.event import Event
from events.intersection import (
    BlindedIdentifiersPosted,
    DoublyBlindedIdentifiersReturned,
    RowsMatched,
)
from events.lifecycle import TrainingAccepted, TrainingDeclined, TrainingFailed, TrainingStopped
from events.models import ModelSaved, PartialScoreReturned
from events.preparation import FeaturesPrepared, IdentifiersPosted, LabelsShared, RowsAligned
from events.rounds import (
    EncryptedGradientPosted,
    EncryptedResidualPosted,
    EncryptedScorePosted,
    MaskedResultDecrypted,
    RoundCompleted,
    StopFlagRaised,
)
from events.witness import CheckpointDisputed, CheckpointPosted
from handlers.alignment import HANDLE_BYTES
from handlers.errors import ProtocolError
from handlers.history import History
from handlers.intersection_conformance import (
    check_alignment_is_agreed,
    check_all_are_told,
    check_blinded,
    check_matched,
    check_returned,
)
from handlers.ristretto import POINT_BYTES

# What tells two events of one type and source apart; every other type is said once a job.
SAID_ONCE_PER: Mapping[type[Event], tuple[str, ...]] = {
    BlindedIdentifiersPosted: ("batch",),
    DoublyBlindedIdentifiersReturned: ("batch",),
    RowsMatched: ("owner",),
    EncryptedScorePosted: ("round",),
    EncryptedResidualPosted: ("round",),
    EncryptedGradientPosted: ("round",),
    MaskedResultDecrypted: ("round", "owner"),
    StopFlagRaised: ("round",),
    RoundCompleted: ("round",),
    CheckpointPosted: ("size",),
    CheckpointDisputed: ("issuer", "size"),
}

# What must be in the log before: it is among the causes of the event, so it always is.
ONLY_AFTER: Mapping[type[Event], type[Event]] = {
    BlindedIdentifiersPosted: TrainingAccepted,
    RowsMatched: BlindedIdentifiersPosted,
    FeaturesPrepared: RowsAligned,
    LabelsShared: TrainingAccepted,
    EncryptedScorePosted: RowsAligned,
    ModelSaved: TrainingStopped,
    PartialScoreReturned: TrainingStopped,
}

ITEM_BYTES = {"bytes": 1, "uint8": 1, "int64": 8, "float64": 8, "handles": HANDLE_BYTES}
ITEM_BYTES |= {"points": POINT_BYTES}
ITEM_BYTES |= {"ciphertexts": 1, "integers": 1}  # their shape ends with the width of one


def check_conformance(history: History, fact: Fact[Event]) -> None:
    """Raise ProtocolError, naming the source, unless the last fact of the history is legal."""
    if fact.envelope.is_private:
        return
    _check_said_once(history, fact)
    _check_after(history, fact)
    _check_round(history, fact)
    _check_payloads(history, fact)
    if check := CONTENT.get(type(fact.event)):
        check(history, fact)


def _check_said_once(history: History, fact: Fact[Event]) -> None:
    kind = type(fact.event)
    if kind is TrainingFailed:
        return  # several members may see the same reason, or one more than one
    names = SAID_ONCE_PER.get(kind, ())
    same = {name: getattr(fact.event, name) for name in names}
    if len(history.of(kind, source=fact.source, **same)) > 1:
        where = "".join(f", {name} {value}" for name, value in same.items())
        raise ProtocolError(f"{fact.source} says {fact.event.type_name()} twice{where}")


def _check_after(history: History, fact: Fact[Event]) -> None:
    before = ONLY_AFTER.get(type(fact.event))
    if before is not None and not history.has(before):
        raise ProtocolError(
            f"{fact.source} says {fact.event.type_name()} before {before.type_name()}"
        )


def _check_round(history: History, fact: Fact[Event]) -> None:
    """A round begins when the one before it is completed, and there is a limit (T9)."""
    number = getattr(fact.event, "round", None)
    if number is None:
        return
    limit = history.terms.optimiser.maximum_rounds
    begun = number == 1 or history.has(RoundCompleted, round=number - 1)
    goes_on = isinstance(fact.event, RoundCompleted)
    if not begun or number > limit - goes_on:
        raise ProtocolError(
            f"{fact.source} says {fact.event.type_name()} of round {number} out of turn"
        )


def _check_payloads(history: History, fact: Fact[Event]) -> None:
    for reference in fact.envelope.payloads:
        if set(reference.readers) != _agreed_readers(history, fact, reference.name):
            raise ProtocolError(
                f"{fact.source} seals {reference.name} to other readers than agreed"
            )
        width = ITEM_BYTES.get(reference.kind)
        if width is not None and prod(reference.shape) * width != reference.size:
            raise ProtocolError(
                f"{fact.source} sends {reference.name} of another size than it says"
            )


def _agreed_readers(history: History, fact: Fact[Event], payload: str) -> set[str]:
    terms, event = history.terms, fact.event
    readers = set(terms.named(*event.PAYLOADS[payload].readers))
    if isinstance(event, (MaskedResultDecrypted, RowsMatched)):
        return readers & {event.owner}
    if isinstance(event, BlindedIdentifiersPosted):  # the other side
        is_local = fact.source == terms.local
        return readers & set(terms.participants if is_local else (terms.local,))
    return readers


def _check_answer(history: History, fact: Fact[Any]) -> None:
    said_both = history.has(TrainingAccepted, source=fact.source) and history.has(
        TrainingDeclined, source=fact.source
    )
    if said_both:
        raise ProtocolError(f"{fact.source} accepts and declines the same job")


def _check_identifiers(history: History, fact: Fact[IdentifiersPosted]) -> None:
    check_alignment_is_agreed(history, fact)
    accepted = history.of(TrainingAccepted, source=fact.source)
    if not accepted or accepted[0].event.customers != fact.event.customers:
        raise ProtocolError(f"{fact.source} posts other identifiers than it accepted with")


def _check_rows(history: History, fact: Fact[RowsAligned]) -> None:
    event = fact.event
    if event.training_rows + event.held_out_rows != event.rows:
        raise ProtocolError(f"{fact.source} aligns rows that do not add up")
    if event.rows < history.terms.smallest_overlap:
        raise ProtocolError(f"{fact.source} aligns fewer rows than the terms allow")
    check_all_are_told(history, fact)


def _check_features(history: History, fact: Fact[FeaturesPrepared]) -> None:
    fewest = 1 if history.terms.coding == "ordinal" else 2
    if fact.event.columns < fewest * fact.event.variables:
        raise ProtocolError(f"{fact.source} announces too few columns for its variables")


def _check_owner(history: History, fact: Fact[MaskedResultDecrypted]) -> None:
    if fact.event.owner not in history.terms.data_parties:
        raise ProtocolError(f"{fact.source} decrypts for {fact.event.owner}, which has no data")


def _check_returned(history: History, fact: Fact[PartialScoreReturned]) -> None:
    if fact.event.rows != history.one(RowsAligned).event.held_out_rows:
        raise ProtocolError(f"{fact.source} returns scores of other rows than were held out")


CONTENT: Mapping[type[Event], Callable[[History, Fact[Any]], None]] = {
    TrainingAccepted: _check_answer,
    TrainingDeclined: _check_answer,
    IdentifiersPosted: _check_identifiers,
    BlindedIdentifiersPosted: check_blinded,
    DoublyBlindedIdentifiersReturned: check_returned,
    RowsMatched: check_matched,
    RowsAligned: _check_rows,
    FeaturesPrepared: _check_features,
    MaskedResultDecrypted: _check_owner,
    PartialScoreReturned: _check_returned,
}

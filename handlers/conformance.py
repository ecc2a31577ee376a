"""What is legal in a stream: who may say what, after what, how often, of which shape.

Every member checks every shared fact against the stream's protocol before any handler answers, so
a message that is signed and well-formed but out of place ends the job and names who sent it.
Streams of different parties may overtake each other; what is demanded here holds in every order
of arrival.
"""

from collections.abc import Mapping
from math import prod

from events.catalogue import Fact
from events.event import Event
from events.identifying import IdentificationRequested
from events.intersection import BlindedIdentifiersPosted
from events.lifecycle import TrainingRequested
from events.opening import Ending, Opening
from events.predictions import PredictionRequested
from events.rotation import KeyRotated
from events.rounds import RoundCompleted
from events.vocabulary import Role
from handlers.agreement import check_version
from handlers.alignment import HANDLE_BYTES
from handlers.errors import ProtocolError
from handlers.history import History
from handlers.identification_protocol import IDENTIFICATION
from handlers.prediction_protocol import PREDICTION
from handlers.protocol import Protocol
from handlers.ristretto import POINT_BYTES
from handlers.rotation_protocol import ROTATION
from handlers.training_protocol import TRAINING

PROTOCOLS: Mapping[type[Opening], Protocol] = {
    TrainingRequested: TRAINING,
    PredictionRequested: PREDICTION,
    IdentificationRequested: IDENTIFICATION,
    KeyRotated: ROTATION,
}

ITEM_BYTES = {"bytes": 1, "uint8": 1, "int8": 1, "int64": 8, "float64": 8, "handles": HANDLE_BYTES}
ITEM_BYTES |= {"points": POINT_BYTES}
ITEM_BYTES |= {"ciphertexts": 1, "integers": 1}  # their shape ends with the width of one


def check_conformance(history: History, fact: Fact[Event]) -> None:
    """Raise ProtocolError, naming the source, unless the last fact of the history is legal."""
    if fact.envelope.is_private:
        return
    protocol = PROTOCOLS[type(history.opening.event)]
    if type(fact.event) not in protocol.events:
        raise ProtocolError(
            f"{fact.source} says {fact.event.type_name()}, which has no place in {protocol.name}"
        )
    check_version(history, fact)
    _check_said_once(protocol, history, fact)
    _check_after(protocol, history, fact)
    _check_round(history, fact)
    _check_payloads(history, fact)
    if check := protocol.content.get(type(fact.event)):
        check(history, fact)


def _check_said_once(protocol: Protocol, history: History, fact: Fact[Event]) -> None:
    kind = type(fact.event)
    if isinstance(fact.event, Ending):
        return  # several members may see the same reason, or one more than one
    names = protocol.said_once_per.get(kind, ())
    same = {name: getattr(fact.event, name) for name in names}
    if len(history.of(kind, source=fact.source, **same)) > 1:
        where = "".join(f", {name} {value}" for name, value in same.items())
        raise ProtocolError(f"{fact.source} says {fact.event.type_name()} twice{where}")


def _check_after(protocol: Protocol, history: History, fact: Fact[Event]) -> None:
    before = protocol.only_after.get(type(fact.event))
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
    terms, event = history.agreement, fact.event
    readers = set(terms.readers(event.rules()[payload])) - {fact.source}
    if isinstance(event, BlindedIdentifiersPosted):  # the other side
        local = set(terms.named(Role.LOCAL))
        return readers - local if fact.source in local else readers & local
    return readers

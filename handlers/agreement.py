"""The version of the protocol that a job runs in: the newest that all its members speak.

A training's request offers versions, and every acceptance tells what its member speaks. Requests
for scores and labels have no acceptances: they name one version, and who does not speak it says
so. Until everybody has answered, a member writes what all who can read the request can read.
"""

from dataclasses import replace

from pydantic import JsonValue

from events.catalogue import CATALOGUE, Fact
from events.errors import EnvelopeError
from events.event import Event
from events.lifecycle import TrainingAccepted, TrainingRequested
from events.opening import Opening
from events.terms import Agreement
from events.versions import ONLY_THE_FIRST, Versions, only
from handlers.errors import JobError, ProtocolError
from handlers.history import History
from handlers.own import Own
from handlers.protocol_versions import AGREEMENT, is_the_same_in_all, oldest_needed, schema_in


def spoken(history: History) -> dict[str, Versions]:
    """What every member that has said so speaks, the one that asked first."""
    opening = history.opening
    accepted = history.of(TrainingAccepted)
    return {opening.source: opening.event.speaks} | {
        fact.source: fact.event.speaks for fact in accepted
    }


def common_versions(history: History) -> Versions | None:
    """What all speak that have said so; None where there is no such version."""
    common: Versions | None = history.opening.event.speaks
    for fact in history.of(TrainingAccepted):
        common = common.common(fact.event.speaks) if common else None
    return common


def agreed_version(history: History) -> int | None:
    """The version that the job runs in; None until all have answered, or without a common one."""
    common = common_versions(history)
    return common.newest if common and _all_answered(history) else None


def version_to_write(history: History) -> int:
    """The version in which a member says something now."""
    return agreed_version(history) or version_of_request(history.opening.event)


def version_of_request(request: Opening) -> int:
    """The version that the request is written in, and all that comes before the agreement."""
    speaks = request.speaks
    return max(speaks.oldest, min(speaks.newest, AGREEMENT))


def written(event: Event, version: int) -> tuple[int, dict[str, JsonValue]]:
    """Schema and body in a job of this version; a request is in that which it offers.

    Raises EnvelopeError: the version has no such event, or cannot say what it says.
    """
    if event.PRIVATE:
        return event.VERSION, CATALOGUE.write(event, event.VERSION)
    if isinstance(event, Opening):
        version = version_of_request(event)
    if not (schema := schema_in(version, type(event))):
        raise EnvelopeError(f"version {version} of the protocol has no {event.type_name()}")
    return schema, CATALOGUE.write(event, schema)


def check_version(history: History, fact: Fact[Event]) -> None:
    """Raise ProtocolError where somebody says what the job's version does not have."""
    event = fact.event
    if isinstance(event, Opening):
        needed = oldest_needed(event.terms)
        if event.speaks.oldest < needed:
            raise ProtocolError(
                f"{fact.source} asks for what version {needed} of the protocol brought, and "
                f"offers {event.speaks}"
            )
        return
    accepts = isinstance(event, TrainingAccepted)
    if not accepts and is_the_same_in_all(type(event)):
        return
    common = common_versions(history)
    if common is None:
        return
    if accepts:  # what came before it has to be in its version too
        for earlier in history.shared():
            _check_schema(earlier, common.newest)
    else:
        _check_schema(fact, common.newest)


def check_can_speak(history: History, fact: Fact[Event], name: str, own: Versions) -> None:
    """Raise JobError, naming who has to be upgraded, where no version serves the job.

    The request is answered by whoever cannot speak it, the acceptances by the party that asked.
    """
    opening = history.opening
    if isinstance(fact.event, Opening):
        offered = opening.event.speaks
        if own.common(offered) is None:
            raise JobError("protocol", _told({opening.source: offered, name: own}))
    elif name == opening.source and _all_answered(history) and common_versions(history) is None:
        raise JobError("protocol", _told(spoken(history)))


def offer(terms: Agreement, own: Versions) -> Versions:
    """What a training's request offers. Raises JobError: its terms need a newer version."""
    needed = oldest_needed(terms)
    if own.newest < needed:
        raise JobError(
            "protocol",
            f"these terms need version {needed} of the protocol, and this party speaks {own}: "
            "see newest_protocol in party.toml",
        )
    return Versions(oldest=max(own.oldest, needed), newest=own.newest)


def to_be_told(history: History, own: Versions) -> Versions:
    """What an acceptance says; nothing where the request was written before anybody did."""
    return own if version_of_request(history.opening.event) >= AGREEMENT else ONLY_THE_FIRST


def asking_about(model: History, own: Own) -> Own:
    """The party as it asks for scores or labels: in the version of the model's training.

    In its newest one where the log has no such training.
    """
    trained = agreed_version(model) if model.has(TrainingRequested) else None
    if trained is None:
        return own
    version = min(max(trained, own.speaks.oldest), own.speaks.newest)
    return replace(own, speaks=only(version))


def _all_answered(history: History) -> bool:
    requests = history.of(TrainingRequested)
    return not requests or history.has_from_all(TrainingAccepted, requests[0].event.terms.asked)


def _check_schema(fact: Fact[Event], version: int) -> None:
    if isinstance(fact.event, Opening | TrainingAccepted):
        return
    newest = schema_in(version, type(fact.event))
    if fact.envelope.schemaversion > newest:
        raise ProtocolError(
            f"{fact.source} says {fact.envelope.type} {fact.envelope.schemaversion} in a job that "
            f"runs in version {version} of the protocol, which has {newest or 'no such event'}"
        )


def _told(spoken_by: dict[str, Versions]) -> str:
    """Who speaks what, and who is behind the others."""
    needed = max(versions.oldest for versions in spoken_by.values())
    behind = sorted(name for name, versions in spoken_by.items() if versions.newest < needed)
    who = ", ".join(f"{name} speaks {versions}" for name, versions in spoken_by.items())
    return f"no version of the protocol is common to all: {who}; upgrade {', '.join(behind)}"

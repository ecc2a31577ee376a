"""One event, readable: what it says, what holds of it, and what it follows from."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from audit.envelope_checks import EnvelopeChecks
from audit.findings import QUESTIONS, Check
from audit.live_log import LiveLog
from audit.payload_files import FolderPayloads
from events.card_history import CardHistory
from events.envelope import Envelope, PayloadReference, digest_of
from projections.projection import storable
from store.entry import Entry
from store.errors import StoreError
from tallystick.board.watched import Watched
from tallystick.log_lines import job_of

MOST_BYTES_HASHED = 64 << 20
MOST_EFFECTS = 50
EVENTS_SEARCHED = 5_000


@dataclass(frozen=True)
class Held:
    """What holds of the event: `holds` is None where it cannot be seen here."""

    check: str
    question: str
    holds: bool | None
    words: str


@dataclass(frozen=True)
class EventStory:
    entry: Entry
    job: str
    body: tuple[tuple[str, str], ...]
    document: str
    held: tuple[Held, ...]
    cause: Entry | None
    effects: tuple[Entry, ...]
    is_first: bool
    is_last: bool

    @property
    def envelope(self) -> Envelope:
        return self.entry.envelope

    @property
    def holds(self) -> bool:
        return all(one.holds is not False for one in self.held)


def tell_event(watched: Watched, log: LiveLog, event_id: str) -> EventStory | None:
    """None where the log has no such event. Payloads are opened for their digest only."""
    entry = log.event(event_id)
    if entry is None:
        return None
    envelope = entry.envelope
    cause = log.event(envelope.cause) if envelope.cause else None
    job = job_of(envelope)
    return EventStory(
        entry=entry,
        job=job,
        body=tuple((name.replace("_", " "), _text(one)) for name, one in envelope.data.items()),
        document=json.dumps(json.loads(entry.canonical), indent=2, ensure_ascii=False),
        held=tuple(_held(watched, log, entry, cause)),
        cause=cause,
        effects=tuple(_effects(log, entry, job)),
        is_first=entry.position == 1,
        is_last=entry.position >= log.head(),
    )


def _held(watched: Watched, log: LiveLog, entry: Entry, cause: Entry | None) -> Iterator[Held]:
    yield from _by_itself(entry, watched.histories(log))
    yield _chain(log, entry)
    yield _cause(entry, cause)
    payloads = FolderPayloads(watched.folder.payloads, log.kept_payloads)
    for reference in entry.envelope.payloads:
        yield _payload(reference, entry.envelope, payloads, watched.name)


def _by_itself(entry: Entry, histories: Mapping[str, CardHistory]) -> Iterator[Held]:
    found = {one.check: one.detail for one in EnvelopeChecks(histories).examine(entry).findings}
    for check in (Check.FORMAT, Check.SCHEMA, Check.SIGNATURES):
        known = check is not Check.SIGNATURES or entry.envelope.source in histories
        holds = check not in found if known else None
        yield _result(check, found.get(check, ""), holds=holds)


def _chain(log: LiveLog, entry: Entry) -> Held:
    envelope = entry.envelope
    before = None
    if envelope.sequence:
        before = log.before_in_stream(envelope.source, envelope.stream, envelope.sequence)
        if before is None:
            return _result(Check.CHAIN, "the event before it is not in this log", holds=False)
    expected = digest_of(before.canonical) if before else None
    holds = envelope.previous == expected
    return _result(
        Check.CHAIN, "" if holds else "it names the digest of another event", holds=holds
    )


def _cause(entry: Entry, cause: Entry | None) -> Held:
    envelope = entry.envelope
    if envelope.cause is None:
        return _result(Check.CAUSES, "none is named: it begins a job, or is private", holds=None)
    if cause is None or cause.position > entry.position:
        return _result(Check.CAUSES, "its cause is no earlier event of this log", holds=False)
    if cause.envelope.time > envelope.time:
        return _result(Check.TIMES, "it is dated before its cause", holds=False)
    return _result(Check.CAUSES, "", holds=True)


def _payload(
    reference: PayloadReference, envelope: Envelope, payloads: FolderPayloads, party: str
) -> Held:
    name = f"payload {reference.name}"
    if party not in {envelope.source, *reference.readers}:
        words = f"sealed to {', '.join(reference.readers) or 'nobody'}"
        return Held(name, "", None, words)
    if not payloads.has(reference.commitment):
        return Held(name, "", False, f"missing, though {party} should hold it")
    if reference.size > MOST_BYTES_HASHED:
        return Held(name, "", None, "here; too large to be hashed for a page")
    try:
        digest, size = payloads.digest_and_size(reference.commitment)
    except StoreError as error:
        return Held(name, "", False, str(error))
    holds = (digest, size) == (reference.commitment, reference.size)
    return Held(name, "", holds, "" if holds else "the file is not what was committed to")


def _result(check: Check, words: str, *, holds: bool | None) -> Held:
    return Held(str(check), QUESTIONS[check], holds, words)


def _effects(log: LiveLog, entry: Entry, job: str) -> Iterator[Entry]:
    """Later events of the job that name this one as their cause."""
    if not job:
        return
    found = 0
    for later in log.job(job, entry.position)[:EVENTS_SEARCHED]:
        if later.envelope.cause == entry.envelope.id:
            yield later
            found += 1
            if found == MOST_EFFECTS:
                return


def _text(value: object) -> str:
    """A body's value on one line; JSON where it is more than a word."""
    if isinstance(value, str):
        return storable(value)
    return json.dumps(value, ensure_ascii=False)

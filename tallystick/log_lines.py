"""One event of a log as a line to read: who said what, with which payloads, because of what."""

import json

import rfc8785

from events.envelope import Envelope, PayloadReference
from projections.projection import storable
from store import Entry

SHORT_ID = 8
LONGEST_FACT = 40  # longer texts are keys and digests, or are shown by `tally job show`


def log_line(entry: Entry) -> str:
    """`12  2026-01-31 12:00:00.123  bank -> RowsAligned …`, in columns as far as they go."""
    envelope = entry.envelope
    said = f"{envelope.source:<12} -> {envelope.type:<24}"
    place = "private" if envelope.is_private else "shared "
    details = [f"job {job_of(envelope)}", *_facts(envelope)]
    details += [_payload(reference, envelope.source) for reference in envelope.payloads]
    if envelope.cause:
        details.append(f"because of {envelope.cause[:SHORT_ID]}")
    moment = f"{envelope.time[:10]} {envelope.time[11:23]}"
    identity = envelope.id[:SHORT_ID]
    line = f"{entry.position:>5}  {moment}  {identity}  {place}  {said}  {'; '.join(details)}"
    return storable(line)


def log_document(entry: Entry) -> str:
    """The envelope and its position, as canonical JSON (RFC 8785), which is one line."""
    document = {"position": entry.position, **json.loads(entry.canonical)}
    return rfc8785.dumps(document).decode()


def job_of(envelope: Envelope) -> str:
    """The job that an event belongs to, also when it is private to its issuer."""
    return str(envelope.data.get("job", "")) if envelope.is_private else envelope.stream


def _facts(envelope: Envelope) -> list[str]:
    """The round first, then the small facts of the body."""
    facts = []
    if (number := envelope.data.get("round")) is not None:
        facts.append(f"round {number}")
    for name, value in envelope.data.items():
        is_small = isinstance(value, int | float | str) and len(str(value)) <= LONGEST_FACT
        if is_small and name not in ("round", "job"):
            facts.append(f"{name.replace('_', ' ')} {value}")
    return facts


def _payload(reference: PayloadReference, source: str) -> str:
    shape = "x".join(map(str, reference.shape))
    where = (
        f"sealed to {', '.join(reference.readers)}" if reference.readers else f"kept by {source}"
    )
    return f"{reference.name} {reference.kind}[{shape}] {_size(reference.size)}, {where}"


def _size(number: int) -> str:
    for unit, bytes_of_unit in (("MiB", 1 << 20), ("KiB", 1 << 10)):
        if number >= bytes_of_unit:
            return f"{number / bytes_of_unit:.1f} {unit}"
    return f"{number} B"

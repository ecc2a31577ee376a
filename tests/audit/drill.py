"""The tampering drill: every way to falsify a log, as its own function, for tests and the docs.

An outsider has the file and no key. An insider is a party with its own signing key, who makes
everything in its own log fit again: numbers, chain, signatures, tree, checkpoint.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast
from zipfile import ZipFile

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit.export import EVENTS, MANIFEST, POSITIONS, export_log
from audit.payload_files import payload_member
from events.canonical import canonical_json
from events.envelope import Envelope, digest_of, event_id
from party.opening import Party
from store.entry import Entry
from store.log import Log
from tests.audit.conftest import Federation

Entries = list[Entry]
Change = Callable[[Federation, Path], list[str]]


@dataclass(frozen=True)
class Attack:
    """What is done, by whom, and which command finds it by which check, in which words.

    `unseen` is what this check alone cannot tell.
    """

    name: str
    by: str
    make: Change
    command: str
    check: str
    words: str
    unseen: str


class ForgedLog:
    """A log that says what it is told to, for an export that its owner signs."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._entries = list(entries)

    def head(self) -> int:
        return len(self._entries)

    def read(self, after: int = 0, limit: int = 1000) -> Entries:
        return self._entries[after : after + limit]

    def refusals(self) -> list[Any]:
        return []


def log_of(party: Party) -> Entries:
    return party.log.read(limit=10_000)


def place_of(entries: Entries, source: str, kind: str, number: int = 0) -> int:
    """Where the events of this type stand, counted from 0."""
    places = [
        place
        for place, entry in enumerate(entries)
        if (entry.envelope.source, entry.envelope.type) == (source, kind)
    ]
    return places[number]


def honest(party: Party, folder: Path, *, payloads: bool = False) -> str:
    path = folder / f"{party.name}.tally"
    export_log(party, path, payloads=payloads)
    return str(path)


def insider(party: Party, entries: Entries, folder: Path) -> str:
    """An export in which the party has made everything fit again that it can sign."""
    numbered = [Entry(number, one.canonical) for number, one in enumerate(entries, start=1)]
    chained = rechained(numbered, party.name, party.identity.signing)
    forger = replace(party, log=cast("Log", ForgedLog(chained)))
    path = folder / f"{party.name}-forged.tally"
    export_log(forger, path)
    return str(path)


def rechained(entries: Entries, source: str, key: Ed25519PrivateKey) -> Entries:
    """Numbers, chain and signatures of one issuer's events made right again."""
    heads: dict[str, tuple[int, str | None]] = {}
    made = []
    for entry in entries:
        envelope = entry.envelope
        if envelope.source != source:
            made.append(entry)
            continue
        number, digest = heads.get(envelope.stream, (-1, None))
        changed = envelope.model_copy(
            update={
                "sequence": number + 1,
                "previous": digest,
                "id": event_id(source, envelope.stream, number + 1),
            }
        ).signed_with(key)
        canonical = changed.canonical_bytes()
        heads[envelope.stream] = (number + 1, digest_of(canonical))
        made.append(Entry(entry.position, canonical))
    return made


def outsider(original: str, folder: Path, **members: bytes | None) -> str:
    """The same file with some members replaced, or left out; the manifest counts along."""
    path = folder / "forged.tally"
    with ZipFile(original) as source, ZipFile(path, "w") as target:
        for item in source.infolist():
            content = members.get(item.filename, source.read(item))
            if content is not None:
                target.writestr(item, content)
    return str(path)


def with_lines(original: str, folder: Path, entries: Entries) -> str:
    """The events of a file replaced, everything else as it was."""
    with ZipFile(original) as archive:
        manifest = json.loads(archive.read(MANIFEST))
    manifest["events"] = len(entries)
    return outsider(
        original,
        folder,
        **{
            MANIFEST: canonical_json(manifest) + b"\n",
            EVENTS: b"".join(one.canonical + b"\n" for one in entries),
            POSITIONS: b"".join(b"%d\n" % one.position for one in entries),
        },
    )


def altered(entry: Entry, **fields: Any) -> Entry:
    return Entry(entry.position, entry.envelope.model_copy(update=fields).canonical_bytes())


def with_data(entry: Entry, **data: Any) -> Entry:
    return altered(entry, data={**entry.envelope.data, **data})


def edit(federation: Federation, folder: Path) -> list[str]:
    bank = federation["bank"]
    entries = log_of(bank)
    place = place_of(entries, "bank", "RowsAligned")
    entries[place] = with_data(entries[place], rows=entries[place].envelope.data["rows"])
    shown = int(str(entries[place].envelope.data["held_out_rows"])) + 1
    entries[place] = with_data(entries[place], held_out_rows=shown)
    return [with_lines(honest(bank, folder), folder, entries)]


def delete(federation: Federation, folder: Path) -> list[str]:
    bank = federation["bank"]
    entries = log_of(bank)
    del entries[place_of(entries, "partner", "StopFlagRaised")]
    return [with_lines(honest(bank, folder), folder, entries)]


def insert(federation: Federation, folder: Path) -> list[str]:
    """One more event of the arbiter, which the bank would like to have heard."""
    bank = federation["bank"]
    entries = log_of(bank)
    like = entries[place_of(entries, "arbiter", "RoundCompleted")].envelope
    last = max(one.envelope.sequence for one in entries if one.envelope.source == "arbiter")
    false = like.model_copy(
        update={"sequence": last + 1, "id": event_id("arbiter", like.stream, last + 1)}
    )
    entries.append(Entry(len(entries) + 1, false.canonical_bytes()))
    return [insider(bank, entries, folder)]


def reorder(federation: Federation, folder: Path) -> list[str]:
    """Two events of the partner change places."""
    bank = federation["bank"]
    entries = log_of(bank)
    one = place_of(entries, "partner", "EncryptedGradientPosted")
    other = place_of(entries, "partner", "StopFlagRaised")
    entries[one], entries[other] = entries[other], entries[one]
    return [insider(bank, entries, folder)]


def effect_before_cause(federation: Federation, folder: Path) -> list[str]:
    """The bank's residual is put behind the gradient that the partner made of it."""
    partner = federation["partner"]
    entries = log_of(partner)
    cause = place_of(entries, "bank", "EncryptedResidualPosted")
    effect = place_of(entries, "partner", "EncryptedGradientPosted")
    entries.insert(effect, entries.pop(cause))
    return [insider(partner, entries, folder)]


def truncate(federation: Federation, folder: Path) -> list[str]:
    bank = federation["bank"]
    return [with_lines(honest(bank, folder), folder, log_of(bank)[:-4])]


def truncate_and_sign(federation: Federation, folder: Path) -> list[str]:
    bank = federation["bank"]
    forged = insider(bank, log_of(bank)[:-4], folder)
    return [forged, honest(federation["partner"], folder)]


def swap_payload(federation: Federation, folder: Path) -> list[str]:
    partner = federation["partner"]
    original = honest(partner, folder, payloads=True)
    entries = log_of(partner)
    scores = entries[place_of(entries, "partner", "PartialScoreReturned")].envelope.payloads[0]
    name = payload_member(scores.commitment)
    with ZipFile(original) as archive:
        content = archive.read(name)
    return [outsider(original, folder, **{name: content[:-1] + bytes([content[-1] ^ 1])})]


def resign(federation: Federation, folder: Path) -> list[str]:
    """An event of the arbiter altered, and signed with a key that is not the arbiter's."""
    bank = federation["bank"]
    entries = log_of(bank)
    place = place_of(entries, "arbiter", "TrainingStopped")
    false = with_data(entries[place], reason="all flags raised").envelope
    signed = false.signed_with(Ed25519PrivateKey.from_private_bytes(bytes(32)))
    entries[place] = Entry(entries[place].position, signed.canonical_bytes())
    return [insider(bank, entries, folder)]


def resign_with_card(federation: Federation, folder: Path) -> list[str]:
    """The same, and the arbiter's card in the file replaced by one with the false key."""
    key = Ed25519PrivateKey.from_private_bytes(bytes(32))
    import base64

    bank, arbiter = federation["bank"], federation["arbiter"]
    entries = rechained(log_of(bank), "arbiter", key)
    false = base64.b64encode(key.public_key().public_bytes_raw()).decode()
    card = arbiter.card.model_copy(update={"signing_key": false}).model_dump(mode="json")
    path = insider(bank, entries, folder)
    return [outsider(path, folder, **{"cards/arbiter.json": canonical_json(card)})]


def rewrite_suffix(federation: Federation, folder: Path) -> list[str]:
    """The bank says it never evaluated so well, and makes all that follows fit."""
    bank = federation["bank"]
    entries = log_of(bank)
    place = place_of(entries, "bank", "ModelSaved")
    columns = int(str(entries[place].envelope.data["columns"]))
    entries[place] = with_data(entries[place], columns=columns + 1)
    return [insider(bank, entries, folder), honest(federation["partner"], folder)]


def rewrite_private(federation: Federation, folder: Path) -> list[str]:
    """A private event altered: nobody else has it, only its hash is in the root they were told."""
    bank = federation["bank"]
    entries = log_of(bank)
    place = place_of(entries, "bank", "LossRecorded")
    entries[place] = with_data(entries[place], value=0.25)
    return [insider(bank, entries, folder), honest(federation["partner"], folder)]


def equivocate(federation: Federation, folder: Path) -> list[str]:
    """The bank signed one version for the partner and another for the arbiter."""
    arbiter, bank = federation["arbiter"], federation["bank"]
    entries = log_of(arbiter)
    place = place_of(entries, "bank", "FeaturesPrepared")
    columns = int(str(entries[place].envelope.data["columns"]))
    entries[place] = with_data(entries[place], columns=columns + 1)
    other = rechained(entries, "bank", bank.identity.signing)
    return [honest(federation["partner"], folder), insider(arbiter, other, folder)]


def back_date(federation: Federation, folder: Path) -> list[str]:
    bank = federation["bank"]
    entries = log_of(bank)
    place = place_of(entries, "bank", "ModelSaved")
    entries[place] = altered(entries[place], time="2020-01-01T00:00:00.000000Z")
    return [insider(bank, entries, folder)]


def say_twice(federation: Federation, folder: Path) -> list[str]:
    """A second flag in the same round, properly signed and chained."""
    partner = federation["partner"]
    entries = log_of(partner)
    place = place_of(entries, "partner", "StopFlagRaised")
    entries.insert(place + 1, entries[place])
    return [insider(partner, entries, folder)]


def other_data(federation: Federation, folder: Path) -> list[str]:
    """The partner shows other frozen rows than those it committed to."""
    partner = federation["partner"]
    entries = log_of(partner)
    place = place_of(entries, "partner", "DataSnapshotted")
    table, notes = entries[place].envelope.payloads
    false = table.model_copy(update={"commitment": "ab" * 32})
    entries[place] = altered(entries[place], payloads=(false, notes))
    return [insider(partner, entries, folder)]


def unknown_type(federation: Federation, folder: Path) -> list[str]:
    bank = federation["bank"]
    entries = log_of(bank)
    place = place_of(entries, "bank", "ModelSaved")
    entries[place] = altered(entries[place], type="ModelForged")
    return [insider(bank, entries, folder)]


def other_form(federation: Federation, folder: Path) -> list[str]:
    """The same event with white space: other bytes that mean the same."""
    bank = federation["bank"]
    entries = log_of(bank)
    entries[3] = Entry(4, json.dumps(json.loads(entries[3].canonical)).encode())
    return [with_lines(honest(bank, folder), folder, entries)]


def false_checkpoint(federation: Federation, folder: Path) -> list[str]:
    """The bank's own checkpoint with another root, under the signature of the true note."""
    bank = federation["bank"]
    entries = log_of(bank)
    place = place_of(entries, "bank", "CheckpointPosted")
    entries[place] = with_data(entries[place], root="ab" * 32)
    return [insider(bank, entries, folder)]


def hide_private(federation: Federation, folder: Path) -> list[str]:
    """A private event left out of a file that should have it."""
    bank = federation["bank"]
    entries = log_of(bank)
    del entries[place_of(entries, "bank", "LossRecorded")]
    return [with_lines(honest(bank, folder), folder, entries)]


def read_back(path: str) -> list[Envelope]:
    """The envelopes of an export."""
    with ZipFile(path) as archive:
        lines = archive.read(EVENTS).splitlines()
    return [Envelope.model_validate_json(line) for line in lines]


NOT_ITS_OWN = "whether the issuer itself says something else elsewhere: compare"
ATTACKS = (
    Attack(
        "edit an event",
        "outsider",
        edit,
        "verify",
        "signatures",
        "the signature is not by the key on that party's trusted card",
        "an edit by the issuer itself, who signs anew: compare",
    ),
    Attack(
        "write an event in another form",
        "outsider",
        other_form,
        "verify",
        "format",
        "not in canonical form",
        "anything that is said in the right form",
    ),
    Attack(
        "say something that does not exist",
        "insider",
        unknown_type,
        "verify",
        "schema",
        "is not known to this software",
        "a false statement in a known form: re-execution",
    ),
    Attack(
        "delete an event",
        "outsider",
        delete,
        "verify",
        "sequence",
        "1 events of this stream are missing before it",
        "events missing at the end of a stream: compare",
    ),
    Attack(
        "insert an event of another party",
        "insider",
        insert,
        "verify",
        "signatures",
        "the signature is not by the key on that party's trusted card",
        NOT_ITS_OWN,
    ),
    Attack(
        "reorder one party's events",
        "insider",
        reorder,
        "verify",
        "sequence",
        "missing before it",
        "another order of different parties' events that respects all causes: none is wrong",
    ),
    Attack(
        "put an effect before its cause",
        "insider",
        effect_before_cause,
        "verify",
        "causes",
        "its cause is no earlier event of this log",
        "a false cause that stands earlier in the same job: re-execution",
    ),
    Attack(
        "cut off the end of a file",
        "outsider",
        truncate,
        "verify",
        "tree",
        "the events and the omitted parts do not make the tree of the root that is told",
        "a cut after which the owner signs a new checkpoint: compare",
    ),
    Attack(
        "cut off the end and sign it",
        "insider",
        truncate_and_sign,
        "compare",
        "missing",
        "cut off at the end of that log, or not there yet when it was copied",
        "whether the end was cut or had not arrived: ask for a newer file",
    ),
    Attack(
        "swap a payload",
        "outsider",
        swap_payload,
        "verify",
        "payloads",
        "the payload scores is not what its issuer committed to",
        "whether what was committed to is true: re-execution",
    ),
    Attack(
        "sign another party's event with another key",
        "insider",
        resign,
        "verify",
        "signatures",
        "the signature is not by the key on that party's trusted card",
        "false cards in the same file, unless --card gives the right ones",
    ),
    Attack(
        "the same, with a false card in the file",
        "insider",
        resign_with_card,
        "verify with cards",
        "cards",
        "is not the one that came with the log",
        "nothing, once the auditor has the cards from their owners",
    ),
    Attack(
        "rewrite the rest of a shared stream and sign all of it",
        "insider",
        rewrite_suffix,
        "compare",
        "equivocation",
        "bank signed two: one is with bank, another with partner",
        "a rewriting that all holders of other copies agree to",
    ),
    Attack(
        "rewrite a private event and sign all that follows",
        "insider",
        rewrite_private,
        "compare",
        "checkpoints",
        "bank told partner another root: its log was rewritten since",
        "a rewriting before the first checkpoint was given to anybody: re-execution",
    ),
    Attack(
        "tell two parties two things",
        "insider",
        equivocate,
        "compare",
        "equivocation",
        "bank signed two: one is with partner, another with arbiter",
        "a fork between parties whose logs are not at hand: checkpoints tell them live",
    ),
    Attack(
        "date an event back",
        "insider",
        back_date,
        "verify",
        "times",
        "before the event it follows",
        "a clock that is wrong, but never goes back",
    ),
    Attack(
        "say a thing twice in a round",
        "insider",
        say_twice,
        "verify",
        "conformance",
        "partner says StopFlagRaised twice, round 1",
        "a false number in a message that is due: re-execution",
    ),
    Attack(
        "show other rows than were committed to",
        "insider",
        other_data,
        "verify",
        "commitments",
        "commits to other data than the rows that were frozen",
        "false data committed to from the start",
    ),
    Attack(
        "give a false checkpoint",
        "insider",
        false_checkpoint,
        "verify",
        "checkpoints",
        "the note is not signed with the key of its issuer",
        "a checkpoint of a log that nobody has: compare",
    ),
    Attack(
        "leave a private event out of a whole file",
        "outsider",
        hide_private,
        "verify",
        "tree",
        "the events and the omitted parts do not make the tree of the root that is told",
        "a private event that never entered the log: re-execution",
    ),
)

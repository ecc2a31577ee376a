"""Every way to falsify a log that we know of, each as its own function: the logs to be checked."""

import base64
import json
from pathlib import Path
from zipfile import ZipFile

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit.payload_files import payload_member
from events.canonical import canonical_json
from events.envelope import event_id
from store.entry import Entry
from tests.audit.conftest import Federation
from tests.audit.forging import (
    altered,
    honest,
    insider,
    log_of,
    outsider,
    place_of,
    rechained,
    with_data,
    with_lines,
)


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

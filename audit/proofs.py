"""Proofs in files: one event stands in a log, or a log goes on from what it was.

The formats are those of C2SP: a tlog-proof, with the event itself as its extra data, and the
body of a tlog-witness request: old size, consistency path, checkpoint.
"""

import base64
import binascii
from dataclasses import dataclass

from audit.errors import EvidenceError
from audit.log_copy import LogCopy
from audit.partial_tree import PartialTree
from audit.tree_checks import signed_checkpoint
from events.card import PartyCard
from events.card_history import CardHistory
from events.catalogue import CATALOGUE
from events.checkpoint import SignedCheckpoint, read_checkpoint
from events.envelope import Envelope, read_envelope
from events.merkle import MerkleTree, extends, includes, leaf_hash
from events.witness import CheckpointPosted
from store.entry import Entry

INCLUSION = "c2sp.org/tlog-proof@v1"
EXTRA, INDEX, OLD = "extra ", "index ", "old "


@dataclass(frozen=True)
class ProvenEvent:
    """The event is leaf `index` of the log that the checkpoint is of."""

    envelope: Envelope
    index: int
    checkpoint: SignedCheckpoint


@dataclass(frozen=True)
class ProvenGrowth:
    """The log of the checkpoint begins with its first `old` events, under the root given."""

    old: int
    checkpoint: SignedCheckpoint


def prove_event(copy: LogCopy, event: str) -> str:
    """The proof of one event, by its id (its beginning will do) or position.

    Raises EvidenceError: no such event, several, or no checkpoint that covers it.
    """
    history = _history(copy)
    entries = list(copy.entries())
    found = [entry for entry in entries if _is_called(entry, event)]
    if len(found) != 1:
        raise EvidenceError(f"{len(found)} events of {copy.place} are called {event}: name one")
    index = found[0].position - 1
    signed, path = _inclusion(copy, entries, index)
    lines = [INCLUSION, EXTRA + base64.b64encode(found[0].canonical).decode(), f"{INDEX}{index}"]
    lines += [base64.b64encode(one).decode() for one in path]
    return "\n".join(lines) + "\n\n" + signed.note(_signer(history, signed))


def prove_growth(copy: LogCopy, since: int) -> str:
    """That the newest tree with a checkpoint begins with the first `since` events.

    Raises EvidenceError: the log is not whole, or has no checkpoint that large.
    """
    history = _history(copy)
    if not copy.scope.is_whole:
        raise EvidenceError("only a whole log proves how it grew: `tally log export --private`")
    entries = list(copy.entries())
    tree = MerkleTree(entry.canonical for entry in entries)
    signed = _checkpoint(copy, entries, since)
    path = tree.consistency(since, signed.size)
    lines = [f"{OLD}{since}", *(base64.b64encode(one).decode() for one in path)]
    return "\n".join(lines) + "\n\n" + signed.note(_signer(history, signed))


def check_proof(
    text: str, card: PartyCard, old: SignedCheckpoint | None = None
) -> ProvenEvent | ProvenGrowth:
    """What the file proves. Raises EvidenceError where it proves nothing, CheckpointError."""
    head, _, note = text.partition("\n\n")
    signed = read_checkpoint(note, card)
    lines = head.split("\n")
    if lines[0].startswith(OLD):
        return _check_growth(lines, signed, old)
    if lines[0] != INCLUSION:
        raise EvidenceError("this is no proof: its first line names no known kind")
    try:
        extra, index = _after(lines[1], EXTRA), int(_after(lines[2], INDEX))
        leaf = base64.b64decode(extra, validate=True)
        path = [base64.b64decode(line, validate=True) for line in lines[3:]]
    except (ValueError, IndexError, binascii.Error):
        raise EvidenceError("the proof is not in the form of a tlog-proof with an event") from None
    if not includes(leaf, index, signed.size, path, signed.root):
        raise EvidenceError(f"the event is not leaf {index} of the log of {card.name}")
    return ProvenEvent(read_envelope(leaf), index, signed)


def _check_growth(
    lines: list[str], signed: SignedCheckpoint, old: SignedCheckpoint | None
) -> ProvenGrowth:
    if old is None:
        raise EvidenceError("a proof of growth is checked against the earlier checkpoint: give it")
    try:
        size = int(_after(lines[0], OLD))
        path = [base64.b64decode(line, validate=True) for line in lines[1:]]
    except (ValueError, binascii.Error):
        raise EvidenceError("the proof is not in the form of a consistency proof") from None
    if size != old.size or not extends(size, old.root, signed.size, signed.root, path):
        raise EvidenceError(
            f"the log of {signed.size} events does not begin with the one of {old.size} that was "
            "signed before: history was rewritten"
        )
    return ProvenGrowth(size, signed)


def _inclusion(
    copy: LogCopy, entries: list[Entry], index: int
) -> tuple[SignedCheckpoint, list[bytes]]:
    evidence = copy.evidence
    if evidence is not None and evidence.checkpoint is not None:
        leaves = {entry.position - 1: leaf_hash(entry.canonical) for entry in entries}
        path = PartialTree(leaves, evidence.omitted, evidence.size).inclusion(index)
        if path is None:
            raise EvidenceError(f"the proofs in {copy.place} are not whole: `tally audit verify`")
        return evidence.checkpoint, path
    signed = _checkpoint(copy, entries, index + 1)
    tree = MerkleTree(entry.canonical for entry in entries)
    return signed, tree.inclusion(index, signed.size)


def _checkpoint(copy: LogCopy, entries: list[Entry], size: int) -> SignedCheckpoint:
    """The newest one that the party signed and that covers so many events."""
    if copy.evidence is not None and copy.evidence.checkpoint is not None:
        found = [copy.evidence.checkpoint]
    else:
        found = [
            signed_checkpoint(event)
            for entry in entries
            if entry.envelope.source == copy.party
            and isinstance(event := CATALOGUE.read(entry.envelope).event, CheckpointPosted)
        ]
    covering = [one for one in found if one.size >= size]
    if not covering:
        raise EvidenceError(
            f"no checkpoint of {copy.party} covers {size} events: `tally log export` signs one of "
            "the log as it is now"
        )
    return covering[-1]


def _history(copy: LogCopy) -> CardHistory:
    history = copy.histories.get(copy.party)
    if history is None:
        raise EvidenceError(f"the card of {copy.party} is needed: give it with --card")
    return history


def _signer(history: CardHistory, signed: SignedCheckpoint) -> PartyCard:
    """The card whose key signed it: not the newest, where the keys were changed since."""
    return next((one for one in history.cards if signed.is_signed_by(one)), history.current)


def _is_called(entry: Entry, event: str) -> bool:
    if event.isdecimal() and len(event) < 8:
        return entry.position == int(event)
    return entry.envelope.id.startswith(event)


def _after(line: str, word: str) -> str:
    if not line.startswith(word):
        raise ValueError(word)
    return line.removeprefix(word)

"""The Merkle tree over the log, and everything that parties signed about their logs."""

import base64
from collections.abc import Mapping

from audit.findings import Check, Finding, Findings
from audit.job_checks import finding
from audit.log_copy import LogCopy
from audit.order_checks import Seen
from audit.partial_tree import PartialTree
from events.catalogue import Fact
from events.checkpoint import Checkpoint, SignedCheckpoint
from events.envelope import digest_of
from events.merkle import MerkleTree, extends
from events.witness import CheckpointDisputed, CheckpointPosted
from handlers.history import History
from handlers.witness import standing_checkpoints


class Leaves:
    """The leaf hashes of a log by number, growing; the tree alone while none is missing."""

    def __init__(self) -> None:
        self.tree = MerkleTree()
        self._by_number: dict[int, bytes] | None = None

    def __len__(self) -> int:
        return len(self.tree if self._by_number is None else self._by_number)

    def take(self, number: int, leaf: bytes) -> None:
        if self._by_number is None and number != len(self.tree):
            self._by_number = self.by_number()
        if self._by_number is not None:
            self._by_number[number] = leaf
        self.tree.append_hash(leaf)

    def by_number(self) -> dict[int, bytes]:
        if self._by_number is not None:
            return self._by_number
        return {number: self.tree.subtree(number, number + 1) for number in range(len(self.tree))}

    def root_beside(self, omitted: Mapping[tuple[int, int], bytes], size: int) -> bytes | None:
        """With the parts that were left out; None where they do not make a whole tree."""
        if self._by_number is None and not omitted:
            return self.tree.root() if size == len(self.tree) else None
        return PartialTree(self.by_number(), omitted, size).root()


def check_tree(copy: LogCopy, leaves: Leaves, findings: Findings) -> None:
    """Whether the events and the root belong together."""
    findings.count(Check.TREE, len(leaves))
    evidence = copy.evidence
    if evidence is None:
        if len(leaves) != copy.head:
            detail = f"the log counts {copy.head} events and has {len(leaves)}"
            findings.add(Finding(check=Check.TREE, detail=detail))
        findings.note(
            Check.TREE, "a log read in place has no root from elsewhere but in checkpoints"
        )
        return
    root = leaves.root_beside(evidence.omitted, evidence.size)
    if copy.scope.is_whole and len(leaves.tree) != evidence.size:
        root = None
    if root != evidence.root:
        detail = "the events and the omitted parts do not make the tree of the root that is told"
        findings.add(Finding(check=Check.TREE, detail=detail))
    checkpoint = evidence.checkpoint
    if checkpoint is None:
        detail = f"the checkpoint of the file is not signed by {copy.party}"
        findings.add(Finding(check=Check.TREE, detail=detail))
    elif (checkpoint.size, checkpoint.root) != (evidence.size, evidence.root):
        detail = f"the checkpoint that {copy.party} signed is of another tree"
        findings.add(Finding(check=Check.TREE, detail=detail))


class CheckpointChecks:
    """What is said in CheckpointPosted and CheckpointDisputed, over all jobs of a log."""

    def __init__(
        self, copy: LogCopy, tree: MerkleTree | None, seen: Mapping[str, Seen], findings: Findings
    ) -> None:
        self._copy, self._tree, self._findings = copy, tree, findings
        self._seen = seen
        self._roots = {one.size: one for one in copy.evidence.earlier} if copy.evidence else {}

    def check(self, history: History) -> None:
        for posted in history.of(CheckpointPosted):
            self._findings.count(Check.CHECKPOINTS)
            self._check_signature(posted)
            self._check_since(history, posted)
            self._check_heads(history, posted)
            if posted.source == self._copy.party:
                if posted.event in standing_checkpoints(history, posted.source):
                    self._check_own(posted)
                else:
                    self._findings.note(Check.CHECKPOINTS, voided(posted))
        for disputed in history.of(CheckpointDisputed):
            said = f"disputes the checkpoint of {disputed.event.issuer}: {disputed.event.detail}"
            self._add(disputed, said)

    def _check_signature(self, fact: Fact[CheckpointPosted]) -> None:
        history = self._copy.histories.get(fact.source)
        card = history.at(fact.envelope.time) if history is not None else None
        if card is None or not signed_checkpoint(fact.event).is_signed_by(card):
            self._add(fact, "the note is not signed with the key of its issuer")

    def _check_since(self, history: History, fact: Fact[CheckpointPosted]) -> None:
        event = fact.event
        standing = standing_checkpoints(history, fact.source, fact.envelope.sequence)
        earlier = {one.size: one for one in standing if one.size < event.size}
        newest = earlier[max(earlier)] if earlier else None
        path = [bytes.fromhex(one) for one in event.consistency]
        if event.since != (newest.size if newest else 0):
            self._add(fact, "does not go on from the checkpoint before it")
        elif newest and not extends(
            newest.size,
            bytes.fromhex(newest.root),
            event.size,
            bytes.fromhex(event.root),
            path,
        ):
            self._add(fact, f"its log does not begin with that of its checkpoint {newest.size}")

    def _check_heads(self, history: History, fact: Fact[CheckpointPosted]) -> None:
        for head in fact.event.heads:
            known = history.at(head.source, head.sequence)
            if known and digest_of(known.envelope.canonical_bytes()) != head.digest:
                self._add(
                    fact,
                    f"{fact.source} has another event {head.sequence} of {head.source} than this "
                    "log",
                )

    def _check_own(self, fact: Fact[CheckpointPosted]) -> None:
        """The party's own word against its own log."""
        event, root = fact.event, bytes.fromhex(fact.event.root)
        line = self._seen.get(fact.envelope.id)
        if line and event.size >= line.position:
            self._add(fact, "speaks of events that came after it")
        elif self._tree is not None:
            if event.size > len(self._tree) or self._tree.root(event.size) != root:
                self._add(fact, f"this log has another root at {event.size} events")
        elif (evidence := self._copy.evidence) is not None:
            proof = self._roots.get(event.size)
            if proof is None or not extends(
                event.size, root, evidence.size, evidence.root, proof.consistency
            ):
                self._add(
                    fact, f"nothing proves that this log begins with its root at {event.size}"
                )

    def _add(self, fact: Fact[CheckpointPosted] | Fact[CheckpointDisputed], detail: str) -> None:
        line = self._seen.get(fact.envelope.id)
        place = line.position if line else 0
        self._findings.add(finding(Check.CHECKPOINTS, place, fact, detail))


def voided(fact: Fact[CheckpointPosted]) -> str:
    """What to say of a checkpoint that a restoration has made void."""
    return (
        f"{fact.source} says that it was restored from a backup since its checkpoint of "
        f"{fact.event.size} events: that one proves nothing"
    )


def signed_checkpoint(event: CheckpointPosted) -> SignedCheckpoint:
    checkpoint = Checkpoint(event.origin, event.size, bytes.fromhex(event.root))
    return SignedCheckpoint(checkpoint, base64.b64decode(event.signature))

"""Logs against each other: what no single log can show, because its owner could rewrite it (D4)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

from audit.envelope_checks import EnvelopeChecks, Examined, Line, at
from audit.examining import examine_all
from audit.findings import Check, Checked, Findings
from audit.job_checks import finding
from audit.log_copy import LogCopy
from audit.tree_checks import voided
from events.catalogue import CATALOGUE, Fact
from events.errors import EventError
from events.merkle import MerkleTree, extends
from events.opening import Opening
from events.rotation import KeyRotated
from events.witness import CheckpointPosted, LogRestored

NOTED = (Opening, CheckpointPosted, LogRestored)
NOTED_BY_NAME = {name for name, kind in CATALOGUE.types.items() if issubclass(kind, NOTED)}
CHECKS = (Check.EQUIVOCATION, Check.MISSING, Check.ORDER, Check.CHECKPOINTS)


class Comparison(Checked):
    """What several logs say of each other."""

    logs: tuple[str, ...]
    jobs: tuple[str, ...]
    events: int


@dataclass
class _Side:
    """One log, as far as the comparison needs it."""

    copy: LogCopy
    lines: dict[str, Line] = field(default_factory=dict)
    heads: dict[tuple[str, str], int] = field(default_factory=dict)
    openings: dict[str, Opening] = field(default_factory=dict)
    checkpoints: list[Fact[CheckpointPosted]] = field(default_factory=list)
    restorations: list[Fact[LogRestored]] = field(default_factory=list)
    tree: MerkleTree = field(default_factory=MerkleTree)

    @property
    def party(self) -> str:
        return self.copy.party

    @property
    def jobs(self) -> set[str]:
        """What was asked for; a change of keys is nothing of that kind."""
        return {job for job, one in self.openings.items() if not isinstance(one, KeyRotated)}

    def covers(self, job: str) -> bool:
        return self.copy.scope.job in {None, job}


def compare(copies: Sequence[LogCopy], *, cores: int = 1) -> Comparison:
    """Compare what all of these logs should have in common, job by job.

    Signatures are left to `verify`, but for two versions of one event: there they say who lied.
    """
    findings = Findings()
    sides = [_read(copy, cores) for copy in copies]
    for one, other in combinations(sides, 2):
        _compare(one, other, findings)
    for side in sides:
        _check_order(side, findings)
    for holder in sides:
        for fact in holder.checkpoints:
            findings.count(Check.CHECKPOINTS)
            if any(_voids(one, fact) for side in sides for one in side.restorations):
                findings.note(Check.CHECKPOINTS, voided(fact))
                continue
            for side in sides:
                if side.party == fact.source:
                    _check_word(holder, side, fact, findings)
    return Comparison(
        logs=tuple(f"{side.party}: {side.copy.place}" for side in sides),
        jobs=tuple(sorted({job for side in sides for job in side.jobs})),
        events=len({line for side in sides for line in side.lines}),
        checks=tuple(findings.result(check) for check in CHECKS),
    )


def _read(copy: LogCopy, cores: int) -> _Side:
    side = _Side(copy)
    for examined in examine_all(copy.entries(), copy.histories, signatures=False, cores=cores):
        side.tree.append_hash(examined.leaf)
        line = examined.line
        if line is None or line.private:
            continue
        side.lines.setdefault(line.id, line)
        place = (line.source, line.stream)
        side.heads[place] = max(side.heads.get(place, -1), line.sequence)
        if line.type in NOTED_BY_NAME:
            _note(side, examined)
    return side


def _note(side: _Side, examined: Examined) -> None:
    try:
        fact = examined.fact or CATALOGUE.read(examined.entry.envelope)
    except EventError:
        return
    if isinstance(fact.event, Opening):
        side.openings.setdefault(fact.job, fact.event)
    if isinstance(fact.event, CheckpointPosted):
        side.checkpoints.append(Fact(fact.envelope, fact.event))
    if isinstance(fact.event, LogRestored):
        side.restorations.append(Fact(fact.envelope, fact.event))


def _compare(one: _Side, other: _Side, findings: Findings) -> None:
    both = _members(one.openings) | _members(other.openings)
    disputed: list[tuple[Line, Line]] = []
    for left, right in ((one, other), (other, one)):
        for line in left.lines.values():
            members = both.get(line.job, frozenset())
            if not right.covers(line.job) or not {left.party, right.party} <= members:
                continue
            findings.count(Check.MISSING)
            known = right.lines.get(line.id)
            if known is None:
                findings.add(at(line, Check.MISSING, _absence(left, right, line)))
            elif left is one:
                findings.count(Check.EQUIVOCATION)
                if known.digest != line.digest:
                    disputed.append((line, known))
    if disputed:
        false = _unsigned(one, [line for line, _ in disputed])
        false_there = _unsigned(other, [known for _, known in disputed])
        for line, known in disputed:
            signed = (line.digest not in false, known.digest not in false_there)
            detail = _two_versions(one, other, line, signed)
            findings.add(at(line, Check.EQUIVOCATION, detail))


def _unsigned(side: _Side, lines: Sequence[Line]) -> set[str]:
    """The digests of those of these lines that their issuer did not sign."""
    positions = {line.position for line in lines}
    examine = EnvelopeChecks(side.copy.histories).examine
    versions = (examine(one) for one in side.copy.entries() if one.position in positions)
    return {
        one.line.digest
        for one in versions
        if one.line and any(finding.check is Check.SIGNATURES for finding in one.findings)
    }


def _members(openings: Mapping[str, Opening]) -> dict[str, frozenset[str]]:
    return {
        job: frozenset(member.name for member in opening.terms.members)
        for job, opening in openings.items()
    }


def _absence(has: _Side, lacks: _Side, line: Line) -> str:
    last = lacks.heads.get((line.source, line.stream), -1)
    if line.sequence > last:
        return (
            f"{has.party} has it, {lacks.party} does not: cut off at the end of that log, or not "
            "there yet when it was copied"
        )
    return f"{has.party} has it, {lacks.party} does not, but has what came after it"


def _two_versions(one: _Side, other: _Side, line: Line, signed: tuple[bool, bool]) -> str:
    for side, is_genuine in zip((one, other), signed, strict=True):
        if not is_genuine:
            return f"{side.party} has another version, which {line.source} did not sign"
    return f"{line.source} signed two: one is with {one.party}, another with {other.party}"


def _check_order(side: _Side, findings: Findings) -> None:
    """In each log, every event stands behind its cause."""
    for line in side.lines.values():
        findings.count(Check.ORDER)
        cause = side.lines.get(line.cause) if line.cause else None
        if cause is not None and cause.position > line.position:
            detail = f"stands before its cause in the log of {side.party}"
            findings.add(at(line, Check.ORDER, detail))


def _voids(restored: Fact[LogRestored], posted: Fact[CheckpointPosted]) -> bool:
    """Whether a party said openly that its log is not the one of this earlier checkpoint."""
    return (
        restored.source == posted.source
        and restored.envelope.time >= posted.envelope.time
        and restored.event.size < posted.event.size
    )


def _check_word(
    holder: _Side, side: _Side, fact: Fact[CheckpointPosted], findings: Findings
) -> None:
    """What a party told this holder about its log, against that log as we have it."""
    event, copy = fact.event, side.copy
    root = bytes.fromhex(event.root)
    detail = ""
    if copy.scope.is_whole:
        if event.size > len(side.tree):
            detail = f"{side.party} told {holder.party} of {event.size} events, and shows fewer"
        elif side.tree.root(event.size) != root:
            detail = f"{side.party} told {holder.party} another root: its log was rewritten since"
    elif copy.evidence is not None:
        proofs = {one.size: one.consistency for one in copy.evidence.earlier}
        if event.size not in proofs:
            detail = f"{side.party} shows no proof for what it told {holder.party} of its log"
        elif not extends(
            event.size, root, copy.evidence.size, copy.evidence.root, proofs[event.size]
        ):
            detail = f"{side.party} told {holder.party} another root: its log was rewritten since"
    if detail:
        findings.add(finding(Check.CHECKPOINTS, 0, fact, detail))

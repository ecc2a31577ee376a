"""What a check says: what it looked at, what does not hold and where, and what it can't see."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from pydantic import computed_field

from events.vocabulary import Frozen


class Check(StrEnum):
    """One question that is asked of every log; the value is its name for people and programs."""

    FORMAT = "format"
    SCHEMA = "schema"
    SIGNATURES = "signatures"
    SEQUENCE = "sequence"
    CHAIN = "chain"
    CAUSES = "causes"
    TIMES = "times"
    PAYLOADS = "payloads"
    COMMITMENTS = "commitments"
    CONFORMANCE = "conformance"
    TREE = "tree"
    CHECKPOINTS = "checkpoints"
    EQUIVOCATION = "equivocation"
    MISSING = "missing"
    ORDER = "order"


QUESTIONS = {
    Check.FORMAT: "every event is an envelope in canonical form, its id the hash of its place",
    Check.SCHEMA: "every event is of a known type and follows its schema",
    Check.SIGNATURES: "every event is signed with the key on its issuer's card",
    Check.SEQUENCE: "every stream counts 0, 1, 2 … without gap and without a second version",
    Check.CHAIN: "every event names the digest of the one before it in its stream",
    Check.CAUSES: "every event follows from an earlier one of its job, in the order of the log",
    Check.TIMES: "no event is dated before the one it follows",
    Check.PAYLOADS: "every payload that this party holds is the one that was committed to",
    Check.COMMITMENTS: "data and keys noted in private are those told to the others",
    Check.CONFORMANCE: "the members of each job kept to the protocol",
    Check.TREE: "the events stand in the Merkle tree whose root the party signed",
    Check.CHECKPOINTS: "what parties signed about their logs fits together, and fits this log",
    Check.EQUIVOCATION: "everybody has the same version of every event",
    Check.MISSING: "every member of a job has every shared event of it",
    Check.ORDER: "in every log, events stand behind their causes",
}


class Finding(Frozen):
    """One thing that does not hold, and where: position 0 and no event if it has no place."""

    check: Check
    detail: str
    position: int = 0
    event: str = ""
    type: str = ""
    source: str = ""
    job: str = ""

    @property
    def place(self) -> str:
        """`position 12, RowsAligned of bank in spring (ab12cd34)`, as far as it is known."""
        said = f"{self.type} of {self.source}" if self.type else ""
        said += f" in {self.job}" if said and self.job else ""
        said += f" ({self.event[:8]})" if self.event else ""
        return ", ".join(part for part in (f"position {self.position}", said) if part)


class CheckResult(Frozen):
    """`notes` is what this check could not see in this log."""

    check: Check
    question: str
    examined: int
    findings: tuple[Finding, ...]
    notes: tuple[str, ...] = ()

    @computed_field  # type: ignore[prop-decorator]
    @property
    def holds(self) -> bool:
        return not self.findings


class Checked(Frozen):
    """What several checks say together."""

    checks: tuple[CheckResult, ...]

    @computed_field  # type: ignore[prop-decorator]
    @property
    def holds(self) -> bool:
        return all(check.holds for check in self.checks)


@dataclass
class Findings:
    """What the checks note while they go through a log."""

    found: list[Finding] = field(default_factory=list)
    examined: dict[Check, int] = field(default_factory=dict)
    notes: dict[Check, list[str]] = field(default_factory=dict)

    def add(self, finding: Finding) -> None:
        self.found.append(finding)

    def extend(self, findings: Iterable[Finding]) -> None:
        self.found.extend(findings)

    def count(self, check: Check, number: int = 1) -> None:
        self.examined[check] = self.examined.get(check, 0) + number

    def note(self, check: Check, text: str) -> None:
        self.notes.setdefault(check, []).append(text)

    def result(self, check: Check) -> CheckResult:
        found = sorted(
            (one for one in self.found if one.check is check), key=lambda one: one.position
        )
        return CheckResult(
            check=check,
            question=QUESTIONS[check],
            examined=self.examined.get(check, 0),
            findings=tuple(found),
            notes=tuple(self.notes.get(check, ())),
        )

"""Verifying one log: every check there is, in one pass over the events (requirement D4)."""

from contextlib import closing
from dataclasses import dataclass

from audit.envelope_checks import Examined
from audit.examining import examine_all
from audit.findings import Check, Checked, Findings
from audit.job_checks import JobChecks
from audit.key_checks import RetiredKeyChecks
from audit.log_copy import LogCopy
from audit.order_checks import OrderChecks
from audit.payload_checks import PayloadChecks
from audit.tree_checks import CheckpointChecks, Leaves, check_tree

EVERY_CHECK = frozenset(Check) - {Check.EQUIVOCATION, Check.MISSING, Check.ORDER}
QUICK_CHECKS = frozenset(
    {Check.FORMAT, Check.SCHEMA, Check.SEQUENCE, Check.CHAIN, Check.CAUSES, Check.TIMES, Check.TREE}
)


class Verification(Checked):
    """What holds of a log, what does not, and where."""

    place: str
    party: str
    job: str | None
    private: bool
    events: int
    log_size: int
    root: str | None
    fingerprints: dict[str, str]


@dataclass
class _Pass:
    """One pass over a log, and what it gathers."""

    copy: LogCopy
    checks: frozenset[Check]
    findings: Findings

    def __post_init__(self) -> None:
        self.order = OrderChecks(self.findings, self.copy.scope)
        self.jobs = JobChecks(self.findings, self.copy.party)
        self.payloads = PayloadChecks(self.copy, self.findings)
        self.retired_keys = RetiredKeyChecks(self.copy.rotations, self.copy.party, self.findings)
        self.leaves = Leaves()
        self.events = 0

    def take(self, examined: Examined) -> None:
        entry, line = examined.entry, examined.line
        self.events += 1
        self.leaves.take(entry.position - 1, examined.leaf)
        self.findings.extend(examined.findings)
        if line is None:
            return
        self.order.take(line)
        if Check.SIGNATURES in self.checks:
            self.retired_keys.take(line)
        if Check.CONFORMANCE in self.checks:
            self.jobs.take(entry, examined.fact)
        if Check.PAYLOADS in self.checks:
            envelope = examined.fact.envelope if examined.fact else entry.envelope
            self.payloads.take(entry.position, envelope)

    def finish(self, cores: int) -> None:
        copy, findings = self.copy, self.findings
        for check in (Check.FORMAT, Check.SCHEMA, Check.SIGNATURES):
            findings.count(check, self.events)
        self.order.finish()
        if Check.PAYLOADS in self.checks:
            self.payloads.finish(cores)
        check_tree(copy, self.leaves, findings)
        whole = self.leaves.tree if copy.scope.is_whole else None
        self.jobs.finish(CheckpointChecks(copy, whole, self.order.seen, findings).check)
        if copy.own_cards and copy.cards:
            findings.note(
                Check.SIGNATURES,
                "the keys came with the log: compare the fingerprints with their owners, or give "
                "their cards",
            )


def verify(
    copy: LogCopy, *, cores: int = 1, checks: frozenset[Check] = EVERY_CHECK
) -> Verification:
    """Check everything that can be checked of this log alone.

    Raises ExportError for a file that breaks off, and StoreError.
    """
    run = _Pass(copy, checks, Findings())
    signatures = Check.SIGNATURES in checks
    with closing(run.jobs):
        for examined in examine_all(
            copy.entries(), copy.histories, signatures=signatures, cores=cores
        ):
            run.take(examined)
        run.finish(cores)
    root = run.leaves.tree.root() if copy.scope.is_whole else None
    if copy.evidence is not None:
        root = copy.evidence.root
    return Verification(
        place=copy.place,
        party=copy.party,
        job=copy.scope.job,
        private=copy.scope.private,
        events=run.events,
        log_size=copy.head,
        root=root.hex() if root else None,
        fingerprints={name: card.fingerprint for name, card in sorted(copy.cards.items())},
        checks=tuple(run.findings.result(check) for check in Check if check in checks),
    )

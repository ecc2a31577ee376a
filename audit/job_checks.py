"""Job by job: the one description of the protocol, and what was told against what was noted."""

from collections.abc import Callable, Iterator

from audit.findings import Check, Finding, Findings
from audit.histories import Histories
from events.catalogue import CATALOGUE, Fact
from events.errors import EventError
from events.event import Event
from events.lifecycle import TrainingAccepted, TrainingRequested
from events.preparation import DataSnapshotted, KeyPairGenerated, PublicKeyIssued
from events.witness import CheckpointDisputed, CheckpointPosted
from handlers.conformance import check_conformance
from handlers.errors import ProtocolError
from handlers.history import History
from party.checks import check_said_by_member
from party.errors import RefusalError
from store.entry import Entry

AT_THE_END = (DataSnapshotted, KeyPairGenerated, CheckpointPosted, CheckpointDisputed)


class JobChecks:
    """Feed it every entry in the order of the log, and its fact if known."""

    def __init__(self, findings: Findings, party: str) -> None:
        self._findings = findings
        self._party = party
        self._histories = Histories(*AT_THE_END)

    def take(self, entry: Entry, fact: Fact[Event] | None = None) -> None:
        """An event that cannot be read was found by other checks already."""
        try:
            fact = fact or CATALOGUE.read(entry.envelope)
        except EventError:
            return
        self._findings.count(Check.CONFORMANCE)
        history = self._histories.add(entry, fact)
        for detail in self._breaches(history, fact):
            self._findings.add(finding(Check.CONFORMANCE, entry.position, fact, detail))

    def finish(self, also: Callable[[History], None]) -> None:
        """What needs the whole job; `also` is done with each job in which a checkpoint was told."""
        for history in self._histories.awaiting_end():
            if history.is_known:
                self._check_data(history)
                self._check_keys(history)
            also(history)

    def close(self) -> None:
        self._histories.close()

    def _breaches(self, history: History, fact: Fact[Event]) -> Iterator[str]:
        if fact.envelope.is_private:
            if fact.source != self._party:
                yield f"a private event of {fact.source} stands in the log of {self._party}"
            return
        if not history.is_known:
            yield f"nobody has asked for the job {history.job} before it"
            return
        try:
            check_said_by_member(fact, history.agreement)
            check_conformance(history, fact)
        except (ProtocolError, RefusalError) as error:
            yield str(error)

    def _check_data(self, history: History) -> None:
        """The rows that a party froze are those whose commitment it gave to the others (D4)."""
        told: list[Fact[TrainingRequested] | Fact[TrainingAccepted]] = [
            *history.of(TrainingRequested, source=self._party),
            *history.of(TrainingAccepted, source=self._party),
        ]
        for snapshot in history.of(DataSnapshotted, source=self._party):
            self._findings.count(Check.COMMITMENTS)
            frozen = snapshot.payload("table").commitment
            for fact in told:
                if fact.event.data_commitment != frozen:
                    detail = "commits to other data than the rows that were frozen"
                    self._findings.add(finding(Check.COMMITMENTS, 0, fact, detail))

    def _check_keys(self, history: History) -> None:
        """The public key that was issued is that of the pair that was made (T3)."""
        made = {
            (one.event.key_id, one.event.modulus, one.event.obfuscator_base)
            for one in history.of(KeyPairGenerated, source=self._party)
        }
        for issued in history.of(PublicKeyIssued, source=self._party) if made else []:
            self._findings.count(Check.COMMITMENTS)
            event = issued.event
            if (event.key_id, event.modulus, event.obfuscator_base) not in made:
                detail = "issues another key than the one that was made"
                self._findings.add(finding(Check.COMMITMENTS, 0, issued, detail))


def finding(check: Check, position: int, fact: Fact[Event], detail: str) -> Finding:
    return Finding(
        check=check,
        detail=detail,
        position=position,
        event=fact.envelope.id,
        type=fact.envelope.type,
        source=fact.source,
        job=fact.job,
    )

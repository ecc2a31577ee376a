"""Payloads against their commitments, as fast as SHA-256 goes."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from audit.findings import Check, Finding, Findings
from audit.log_copy import LogCopy
from events.envelope import Envelope, PayloadReference
from events.pruning import PayloadsPruned
from party.pruning import PRUNED_KINDS
from store.errors import StoreError

PRUNED = PayloadsPruned.type_name()


class PayloadChecks:
    """Feed it every envelope; the files are read at the end, once each."""

    def __init__(self, copy: LogCopy, findings: Findings) -> None:
        self._copy, self._findings = copy, findings
        self._here: dict[str, list[tuple[int, Envelope, PayloadReference]]] = {}
        self._missing: list[tuple[int, Envelope, PayloadReference]] = []
        self._elsewhere = 0
        self._pruned: dict[str, str] = {}

    def take(self, position: int, envelope: Envelope) -> None:
        if envelope.type == PRUNED and envelope.source == self._copy.party:
            self._note_pruned(envelope)
        for reference in envelope.payloads:
            item = (position, envelope, reference)
            if self._copy.payloads.has(reference.commitment):
                self._here.setdefault(reference.commitment, []).append(item)
            elif self._copy.party in {envelope.source, *reference.readers}:
                self._missing.append(item)
            else:
                self._elsewhere += 1

    def finish(self, cores: int) -> None:
        self._tell_pruned()
        self._findings.count(Check.PAYLOADS, len(self._here))
        with ThreadPoolExecutor(cores) as pool:
            for found in pool.map(self._check, sorted(self._here)):
                self._findings.extend(found)
        if not self._here and self._missing:
            self._findings.note(
                Check.PAYLOADS, f"no payloads came with this log, which refers to {self._referred}"
            )
            return
        for position, envelope, reference in self._missing:
            detail = (
                f"the payload {reference.name} is missing, which {self._copy.party} should hold"
            )
            self._findings.add(_finding(position, envelope, detail))
        if self._elsewhere:
            self._findings.note(
                Check.PAYLOADS, f"{self._elsewhere} payloads are others' and sealed to others"
            )

    def _note_pruned(self, envelope: Envelope) -> None:
        """What the party itself noted in its log; anything else than a list is found elsewhere."""
        commitments = envelope.data.get("commitments")
        if isinstance(commitments, list):
            self._pruned |= dict.fromkeys(map(str, commitments), envelope.time[:10])

    def _tell_pruned(self) -> None:
        """Of what is not here, only that which the log does not explain is missing."""
        days = Counter(
            self._pruned[reference.commitment]
            for _, _, reference in self._missing
            if reference.commitment in self._pruned and reference.kind in PRUNED_KINDS
        )
        self._missing = [
            item
            for item in self._missing
            if item[2].commitment not in self._pruned or item[2].kind not in PRUNED_KINDS
        ]
        for day, count in sorted(days.items()):
            self._findings.note(Check.PAYLOADS, f"{count} payloads were pruned on {day}")

    @property
    def _referred(self) -> int:
        return len(self._missing) + self._elsewhere

    def _check(self, commitment: str) -> list[Finding]:
        return list(self._differences(commitment))

    def _differences(self, commitment: str) -> Iterator[Finding]:
        try:
            digest, size = self._copy.payloads.digest_and_size(commitment)
        except (OSError, StoreError, EOFError, ValueError) as error:
            digest, size = f"unreadable: {error}", -1
        for position, envelope, reference in self._here[commitment]:
            if digest != commitment:
                detail = f"the payload {reference.name} is not what its issuer committed to"
                yield _finding(position, envelope, detail)
            elif size != reference.size:
                detail = f"the payload {reference.name} has {size} bytes, not {reference.size}"
                yield _finding(position, envelope, detail)


def _finding(position: int, envelope: Envelope, detail: str) -> Finding:
    job = str(envelope.data.get("job", "")) if envelope.is_private else envelope.stream
    return Finding(
        check=Check.PAYLOADS,
        detail=detail,
        position=position,
        event=envelope.id,
        type=envelope.type,
        source=envelope.source,
        job=job,
    )

"""Which key holds where in a log: the changes of keys it tells of, and what they forbid (D4)."""

from collections import Counter
from collections.abc import Iterable

from audit.envelope_checks import Line, at
from audit.findings import Check, Findings
from events.card_history import hands_over
from events.catalogue import CATALOGUE, Fact
from events.errors import EnvelopeError, EventError
from events.rotation import KeyRotated
from store.entry import Entry

MARK = f'"type":"{KeyRotated.type_name()}"'.encode()


def rotations_in(entries: Iterable[Entry]) -> list[Fact[KeyRotated]]:
    """Those that were said by both keys; the others change nothing, and `verify` finds them."""
    found = []
    for entry in entries:
        if MARK not in entry.canonical:
            continue
        try:
            fact = CATALOGUE.read(entry.envelope)
        except (EnvelopeError, EventError, ValueError):
            continue
        if isinstance(fact.event, KeyRotated):
            told = Fact(fact.envelope, fact.event)
            if hands_over(told):
                found.append(told)
    return found


class RetiredKeyChecks:
    """With a retired key nothing is added to what its party had said before.

    Its change of keys tells the other party how many events that was.
    """

    def __init__(
        self, rotations: Iterable[Fact[KeyRotated]], party: str, findings: Findings
    ) -> None:
        self._findings = findings
        self._told: dict[str, list[Fact[KeyRotated]]] = {}
        self._said: Counter[str] = Counter()
        for one in rotations:
            if one.source != party and one.event.terms.role_of(party):
                self._told.setdefault(one.source, []).append(one)

    def take(self, line: Line) -> None:
        """One event more; found is the first that is too many."""
        for rotation in self._told.get(line.source, ()) if not line.private else ():
            if line.time < rotation.envelope.time:
                self._said[rotation.envelope.id] += 1
                if self._said[rotation.envelope.id] == rotation.event.said + 1:
                    detail = (
                        f"is one more than the {rotation.event.said} that {line.source} had said "
                        "here before it changed its keys"
                    )
                    self._findings.add(at(line, Check.SIGNATURES, detail))

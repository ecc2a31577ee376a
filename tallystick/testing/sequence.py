"""A sequence of events, narrowed down and asserted about."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from events.catalogue import Fact
from events.event import Event
from tallystick.testing.expectations import Expectation
from tallystick.testing.picture import Kind, fail, name_of, picture


class Events:
    """Facts in the order of one log. Nothing changes it: every selection is a new one.

    An assertion that fails raises AssertionError and shows the sequence.
    """

    def __init__(self, facts: Iterable[Fact[Event]]) -> None:
        self.facts = tuple(facts)

    def __len__(self) -> int:
        return len(self.facts)

    def __iter__(self) -> Iterator[Fact[Event]]:
        return iter(self.facts)

    def __str__(self) -> str:
        return picture(self.facts)

    @property
    def types(self) -> list[str]:
        return [fact.envelope.type for fact in self.facts]

    def of_job(self, job: str) -> "Events":
        return self._those(lambda fact: fact.job == job)

    def said_by(self, *sources: str) -> "Events":
        return self._those(lambda fact: fact.source in sources)

    def of(self, *kinds: Kind) -> "Events":
        names = {name_of(kind) for kind in kinds}
        return self._those(lambda fact: fact.envelope.type in names)

    def without(self, *kinds: Kind) -> "Events":
        names = {name_of(kind) for kind in kinds}
        return self._those(lambda fact: fact.envelope.type not in names)

    def where(self, **fields: Any) -> "Events":  # noqa: ANN401 - any value of a field
        """Those whose event has these field values: `where(round=1)`."""
        return self._those(
            lambda fact: all(
                getattr(fact.event, name, None) == value for name, value in fields.items()
            )
        )

    @property
    def shared(self) -> "Events":
        return self._those(lambda fact: not fact.envelope.is_private)

    @property
    def private(self) -> "Events":
        return self._those(lambda fact: fact.envelope.is_private)

    def expect(self, kind: Kind, **fields: Any) -> Expectation:  # noqa: ANN401
        """What is to be said about the events of one type: `expect("RowsAligned").once()`."""
        return Expectation(self.facts, kind, fields)

    def never(self, *kinds: Kind) -> "Events":
        """None of these types occurs."""
        names = {name_of(kind) for kind in kinds}
        found = [number for number, name in enumerate(self.types, start=1) if name in names]
        if found:
            fail(f"expected no {' nor '.join(sorted(names))}", self.facts, found)
        return self

    def in_order(self, *kinds: Kind) -> "Events":
        """These types occur in this order; others may stand between them."""
        found: list[int] = []
        for kind in kinds:
            name, start = name_of(kind), found[-1] if found else 0
            place = next(
                (at for at, told in enumerate(self.types, start=1) if told == name and at > start),
                None,
            )
            if place is None:
                after = f" after {name_of(kinds[len(found) - 1])}" if found else ""
                fail(f"expected {name}{after}, in the order {_listed(kinds)}", self.facts, found)
            else:
                found.append(place)
        return self

    def exactly(self, *kinds: Kind) -> "Events":
        """These types, in this order, and nothing else."""
        wanted = [name_of(kind) for kind in kinds]
        for number, (told, name) in enumerate(zip(self.types, wanted, strict=False), start=1):
            if told != name:
                fail(f"expected {name} as number {number}, found {told}", self.facts, [number])
        if len(wanted) > len(self):
            fail(f"expected {wanted[len(self)]} after all of this", self.facts, [])
        if len(wanted) < len(self):
            fail(f"expected nothing after number {len(wanted)}", self.facts, [len(wanted) + 1])
        return self

    def same_as(self, other: "Events") -> "Events":
        """The same events, in whatever order: what two members of a job have of it."""
        for one, another, where in ((self, other, "other"), (other, self, "this")):
            known = {fact.envelope.id for fact in another}
            lacking = [n for n, fact in enumerate(one, 1) if fact.envelope.id not in known]
            if lacking:
                fail(f"expected the same events, {where} side lacks some", one.facts, lacking)
        return self

    def causes_first(self) -> "Events":
        """Every event stands behind its cause, where the cause is among them."""
        seen: set[str] = set()
        everything = {fact.envelope.id for fact in self}
        for number, fact in enumerate(self, start=1):
            cause = fact.envelope.cause
            if cause in everything and cause not in seen:
                fail(f"number {number} stands before its cause", self.facts, [number])
            seen.add(fact.envelope.id)
        return self

    def _those(self, wanted: Callable[[Fact[Event]], bool]) -> "Events":
        return Events(fact for fact in self.facts if wanted(fact))


def _listed(kinds: Iterable[Kind]) -> str:
    return ", ".join(name_of(kind) for kind in kinds)

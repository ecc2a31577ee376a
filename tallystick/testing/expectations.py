"""What is expected of the events of one type: how many, from whom, when, because of what."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from events.catalogue import Fact
from events.event import Event
from tallystick.testing.picture import Kind, name_of, picture


class Expectation:
    """`expect("StopFlagRaised", round=1).by("bank").once()`. Each word asserts and goes on."""

    def __init__(
        self,
        facts: Sequence[Fact[Event]],
        kind: Kind,
        fields: Mapping[str, Any],
        source: str | None = None,
    ) -> None:
        self._facts = facts
        self._kind, self._fields, self._source = kind, dict(fields), source
        # Where they stand, counted from 1.
        self.places = [number for number, fact in enumerate(facts, start=1) if self._is_meant(fact)]

    def by(self, source: str) -> "Expectation":
        """Only those that this party said."""
        return Expectation(self._facts, self._kind, self._fields, source)

    @property
    def found(self) -> list[Fact[Event]]:
        return [self._facts[number - 1] for number in self.places]

    def once(self) -> "Expectation":
        return self.times(1)

    def times(self, count: int) -> "Expectation":
        return self._check(len(self.places) == count, "once" if count == 1 else f"{count} times")

    def at_least(self, count: int) -> "Expectation":
        return self._check(len(self.places) >= count, f"at least {count} times")

    def at_most(self, count: int) -> "Expectation":
        return self._check(len(self.places) <= count, f"at most {count} times")

    def never(self) -> "Expectation":
        return self._check(not self.places, "never")

    def at_most_once_per(self, *names: str) -> "Expectation":
        """No two of them agree in these: `at_most_once_per("source", "round")`."""
        keys = Counter(self._key(fact, names) for fact in self.found)
        twice = {key for key, count in keys.items() if count > 1}
        places = [n for n in self.places if self._key(self._facts[n - 1], names) in twice]
        return self._check(not twice, f"at most once per {' and '.join(names)}", places)

    def from_each(self, *sources: str) -> "Expectation":
        """Each of these parties says it exactly once, and nobody else does."""
        said = Counter(fact.source for fact in self.found)
        return self._check(said == Counter(sources), f"once from each of {', '.join(sources)}")

    def before(self, kind: Kind, **fields: Any) -> "Expectation":  # noqa: ANN401
        """All of them stand before the first of those."""
        others = Expectation(self._facts, kind, fields).places
        late = [number for number in self.places if others and number > others[0]]
        self._check(bool(self.places), "at all")
        return self._check(not late, f"before {name_of(kind)}", late + others[:1])

    def after(self, kind: Kind, **fields: Any) -> "Expectation":  # noqa: ANN401
        """All of them stand behind the first of those, which occurs."""
        others = Expectation(self._facts, kind, fields).places
        early = [number for number in self.places if not others or number < others[0]]
        self._check(bool(self.places), "at all")
        return self._check(not early, f"after {name_of(kind)}", early + others[:1])

    def because_of(self, *kinds: Kind) -> "Expectation":
        """Each of them follows from an event of one of these types, directly."""
        names = {name_of(kind) for kind in kinds}
        by_id = {fact.envelope.id: fact.envelope.type for fact in self._facts}
        other = [
            number
            for number in self.places
            if by_id.get(self._facts[number - 1].envelope.cause or "") not in names
        ]
        self._check(bool(self.places), "at all")
        return self._check(not other, f"because of {' or '.join(sorted(names))}", other)

    def _key(self, fact: Fact[Event], names: Sequence[str]) -> tuple[Any, ...]:
        return tuple(
            fact.source if name == "source" else getattr(fact.event, name, None) for name in names
        )

    def _is_meant(self, fact: Fact[Event]) -> bool:
        return (
            fact.envelope.type == name_of(self._kind)
            and self._source in {None, fact.source}
            and all(getattr(fact.event, name, None) == it for name, it in self._fields.items())
        )

    def _check(self, holds: bool, words: str, marked: Sequence[int] | None = None) -> "Expectation":
        if holds:
            return self
        where = "".join(f", {name} {value}" for name, value in self._fields.items())
        whose = f" of {self._source}" if self._source else ""
        raise AssertionError(
            f"expected {name_of(self._kind)}{whose}{where} {words}, found it "
            f"{len(self.places)} times:\n"
            f"{picture(self._facts, self.places if marked is None else marked)}"
        )

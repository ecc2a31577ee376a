"""What the log says so far about one stream's job, as typed questions."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TypeVar, cast

from events.catalogue import Fact
from events.event import Event
from events.identifying import CustomersIdentified, FinalLabelsRecorded, ThresholdsCompared
from events.lifecycle import TrainingRequested, TrainingStopped
from events.opening import Ending, Opening
from events.predictions import PartialScoreReturned, PredictionCompleted
from events.terms import Agreement, Terms
from handlers.errors import ProtocolError

E = TypeVar("E", bound=Event)


class _Index:
    """Facts by the values of some fields; what was added to `facts` since is taken in when asked.

    A job of a thousand rounds is asked about each of them at each event.
    """

    def __init__(self, facts: Sequence[Fact[Event]], names: Iterable[str]) -> None:
        self._facts, self._names = facts, tuple(names)
        self._taken = 0
        self._by_values: dict[tuple[object, ...], list[Fact[Event]]] = defaultdict(list)

    def find(self, values: tuple[object, ...]) -> Sequence[Fact[Event]]:
        while self._taken < len(self._facts):
            fact = self._facts[self._taken]
            own = tuple([getattr(fact.event, name) for name in self._names])
            self._by_values[own].append(fact)
            self._taken += 1
        return self._by_values.get(values, ())


class History:
    """The facts of one job in the order of this party's log; only ever grows."""

    def __init__(self, job: str, facts: Iterable[Fact[Event]] = ()) -> None:
        self.job = job
        self._by_type: dict[type[Event], list[Fact[Event]]] = defaultdict(list)
        self._by_source: dict[tuple[type[Event], str], list[Fact[Event]]] = defaultdict(list)
        self._shared: dict[tuple[str, int], Fact[Event]] = {}
        self._indices: dict[tuple[object, ...], _Index] = {}
        self._openings: list[Fact[Opening]] = []
        self.is_over = False
        for fact in facts:
            self.add(fact)

    def add(self, fact: Fact[Event]) -> None:
        """A failure ends the job unless it has its result: nothing undoes a trained model.

        Nor labels: what the arbiter said stands, also where a timer of somebody else ran out first.
        """
        self._by_type[type(fact.event)].append(fact)
        self._by_source[type(fact.event), fact.source].append(fact)
        if not fact.envelope.is_private:
            self._shared[fact.source, fact.envelope.sequence] = fact
        if isinstance(fact.event, Opening):
            self._openings.append(Fact(fact.envelope, fact.event))
        if isinstance(fact.event, Ending) and not self.is_stopped:
            self.is_over = True
        if isinstance(fact.event, CustomersIdentified):
            self.is_over = False

    def of(self, kind: type[E], *, source: str | None = None, **fields: object) -> list[Fact[E]]:
        """Facts of one type, from one source, whose event has these field values."""
        return list(self._matching(kind, source, fields))

    def one(self, kind: type[E], *, source: str | None = None, **fields: object) -> Fact[E]:
        """The only such fact. Raises ProtocolError when it is missing or not the only one."""
        found = self._matching(kind, source, fields)
        if len(found) != 1:
            raise ProtocolError(f"expected one {kind.type_name()}, the log has {len(found)}")
        return found[0]

    def has(self, kind: type[E], *, source: str | None = None, **fields: object) -> bool:
        return bool(self._matching(kind, source, fields))

    def has_from_all(self, kind: type[Event], sources: Iterable[str], **fields: object) -> bool:
        """True when each of these sources has said it."""
        said = {fact.source for fact in self._matching(kind, None, fields)}
        return said.issuperset(sources)

    def at(self, source: str, sequence: int) -> Fact[Event] | None:
        """The shared fact in this place of its issuer's stream."""
        return self._shared.get((source, sequence))

    def shared(self) -> Iterable[Fact[Event]]:
        """Everything that all members have, as it came here."""
        return self._shared.values()

    def heads(self) -> dict[str, Fact[Event]]:
        """The newest shared fact of every issuer."""
        heads: dict[str, Fact[Event]] = {}
        for (source, sequence), fact in self._shared.items():
            if source not in heads or heads[source].envelope.sequence < sequence:
                heads[source] = fact
        return heads

    def _matching(
        self, kind: type[E], source: str | None, fields: dict[str, object]
    ) -> Sequence[Fact[E]]:
        said = self._by_type[kind] if source is None else self._by_source[kind, source]
        if said and fields:
            place = (kind, source, *fields)
            index = self._indices.get(place)
            if index is None:
                index = self._indices[place] = _Index(said, fields)
            said = cast("list[Fact[Event]]", index.find(tuple(fields.values())))
        return cast("list[Fact[E]]", said)

    @property
    def opening(self) -> Fact[Opening]:
        """What the stream began with. Raises ProtocolError: nothing, or more than one."""
        if len(self._openings) != 1:
            raise ProtocolError(f"expected one opening, the log has {len(self._openings)}")
        return self._openings[0]

    @property
    def agreement(self) -> Agreement:
        """Who takes part, whatever was asked for."""
        return self.opening.event.terms

    @property
    def terms(self) -> Terms:
        """The terms of a training."""
        return self.one(TrainingRequested).event.terms

    @property
    def is_known(self) -> bool:
        return bool(self._openings)

    @property
    def is_stopped(self) -> bool:
        """What was asked for is there: parameters are final, scores combined, labels kept."""
        results = (TrainingStopped, PredictionCompleted, FinalLabelsRecorded, ThresholdsCompared)
        return any(self._by_type[kind] for kind in results)

    def is_settled_for(self, party: str) -> bool:
        """Whether the party has next to nothing more to do here."""
        answered = self.has(PartialScoreReturned, source=party)
        identified = self.has(CustomersIdentified)
        ended = self.is_over or self.is_stopped or identified
        return ended or (answered and self.agreement.asker != party)

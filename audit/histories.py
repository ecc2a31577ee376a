"""The history of every job of a log, of which only those spoken of last are in memory."""

import tempfile
from array import array
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field

from events.catalogue import CATALOGUE, Fact
from events.event import Event
from handlers.history import History
from store.entry import Entry

MOST_FACTS = 20_000  # some 5 KB each
MOST_BYTES = 1 << 25  # of their text, before it goes to a file
LENGTH_BYTES = 4


@dataclass
class _Told:
    """Where the text of a job's events stands, and whether it is to be looked at in the end."""

    places: "array[int]" = field(default_factory=lambda: array("Q"))
    awaits_end: bool = False


class Histories:
    """A job that was not spoken of for long is put aside as text, and read again when it is.

    There is more room from then on, lest jobs that take turns are read again and again.

    `awaiting` are types of events: a job with one of them is looked at again in the end.
    """

    def __init__(self, *awaiting: type[Event]) -> None:
        self._awaiting = awaiting
        self._jobs: dict[str, _Told] = {}
        self._here: OrderedDict[str, History] = OrderedDict()
        self._facts_here, self._most_facts = 0, MOST_FACTS
        self._text = tempfile.SpooledTemporaryFile(MOST_BYTES)  # noqa: SIM115 - see close
        self._end = 0

    def add(self, entry: Entry, fact: Fact[Event]) -> History:
        """The fact's job with the fact."""
        history = self._of(fact.job)
        history.add(fact)
        self._facts_here += 1
        told = self._jobs[fact.job]
        told.places.append(self._end)
        told.awaits_end |= isinstance(fact.event, self._awaiting)
        self._text.write(len(entry.canonical).to_bytes(LENGTH_BYTES) + entry.canonical)
        self._end += LENGTH_BYTES + len(entry.canonical)
        self._make_room(fact.job)
        return history

    def awaiting_end(self) -> Iterator[History]:
        """In the order in which the jobs began."""
        for job, told in self._jobs.items():
            if told.awaits_end:
                yield self._here.get(job) or self._read_again(job)

    def close(self) -> None:
        self._text.close()

    def _of(self, job: str) -> History:
        history = self._here.get(job)
        if history is None:
            again = len(self._jobs.setdefault(job, _Told()).places)
            history = self._here[job] = self._read_again(job)
            self._facts_here += again
            self._most_facts += again
        self._here.move_to_end(job)
        return history

    def _read_again(self, job: str) -> History:
        return History(job, map(self._read, self._jobs[job].places))

    def _read(self, place: int) -> Fact[Event]:
        self._text.seek(place)
        length = int.from_bytes(self._text.read(LENGTH_BYTES))
        canonical = self._text.read(length)
        self._text.seek(self._end)
        return CATALOGUE.read(Entry(0, canonical).envelope)

    def _make_room(self, job: str) -> None:
        while self._facts_here > self._most_facts and next(iter(self._here)) != job:
            other, _ = self._here.popitem(last=False)
            self._facts_here -= len(self._jobs[other].places)

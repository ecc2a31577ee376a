"""Events from wherever they are: a party, its folder, an export file, a log, or facts in memory."""

from collections.abc import Iterable
from pathlib import Path

from audit.export import all_entries
from audit.opening import open_log
from events.catalogue import CATALOGUE, Fact
from events.event import Event
from party.opening import Party
from store.entry import Entry
from store.log import Log
from tallystick.testing.sequence import Events

Source = Party | Log | Path | str | Iterable[Fact[Event]] | Iterable[Entry]


def events_of(source: Source, job: str | None = None) -> Events:
    """All events that stand there, or those of one job.

    A path or an address is opened to read only. Raises AuditError, StoreError, EventError.
    """
    if isinstance(source, Party):
        source = source.log
    if isinstance(source, Log):
        facts = list(map(_fact, all_entries(source)))
    elif isinstance(source, Path | str):
        with open_log(str(source)) as copy:
            facts = list(map(_fact, copy.entries()))
    else:
        facts = list(map(_fact, source))
    events = Events(facts)
    return events if job is None else events.of_job(job)


def _fact(item: Fact[Event] | Entry) -> Fact[Event]:
    return item if isinstance(item, Fact) else CATALOGUE.read(item.envelope)

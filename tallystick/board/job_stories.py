"""The trainings of a log that grows: folded once, and read on from where they were read to."""

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce

from markupsafe import Markup

from audit.findings import Check
from audit.live_log import LiveLog
from audit.log_copy import LogCopy, Scope
from audit.payload_files import FolderPayloads
from audit.report.page import ModelStory, models_of, pictures_of
from audit.report.story import JobStory
from audit.report.telling import read_facts, tell_training
from audit.verification import EVERY_CHECK, Verification, verify
from events.card import PartyCard
from events.catalogue import CATALOGUE
from events.lifecycle import (
    TrainingAccepted,
    TrainingDeclined,
    TrainingRequested,
    TrainingStopped,
)
from events.models import ModelEvaluated
from events.opening import Ending
from events.preparation import PublicKeyIssued
from events.rounds import RoundCompleted
from handlers.history import History
from projections.jobs import Job, fold
from store.entry import Entry
from tallystick.board.watched import MOST_ROTATIONS, Watched

STATES = (
    ModelEvaluated
    | PublicKeyIssued
    | RoundCompleted
    | TrainingAccepted
    | TrainingDeclined
    | TrainingRequested
    | TrainingStopped
)
UNDER_WAY = ("requested", "accepted", "training")
MOST_KEPT = 8
# The events that say where a job stands; the others are many.
TELLING = frozenset(
    kind.type_name() for kind in CATALOGUE.types.values() if issubclass(kind, Ending | STATES)
)
# Payloads may be gigabytes, and a tree is of a whole log: the report checks both.
CHECKS = EVERY_CHECK - {Check.PAYLOADS, Check.TREE}


@dataclass(frozen=True)
class ToldJob:
    """A training as it stood when its newest event was at `position`."""

    position: int
    story: JobStory
    history: History
    diagram: Markup
    curves: Markup
    models: tuple[ModelStory, ...]
    verification: Verification


class JobStories:
    """For several threads."""

    def __init__(self, watched: Watched) -> None:
        self._watched = watched
        self._jobs: dict[str, tuple[Job, int]] = {}
        self._reached = 0
        self._told: OrderedDict[str, ToldJob] = OrderedDict()
        self._changing = threading.Lock()

    def all(self, log: LiveLog) -> list[Job]:
        """Every training, the newest first."""
        with self._changing:
            before, head = self._reached, log.head()
            news = log.jobs_begun(TrainingRequested.type_name(), before, head)
            for name in news:
                self._jobs.setdefault(name, (Job(name), 0))
            for name in dict.fromkeys([*news, *(log.jobs_touched(before, head) if before else [])]):
                if name in self._jobs:
                    job, position = self._jobs[name]
                    facts = read_facts(log.job(name, position, TELLING))
                    self._jobs[name] = reduce(fold, facts, job), head
            self._reached = head
            return [job for job, _ in reversed(self._jobs.values())]

    def told(self, log: LiveLog, name: str) -> ToldJob | None:
        """One training in full; None where the log has no such."""
        position = log.last_position(name)
        with self._changing:
            known = self._told.get(name)
        if known is not None and known.position == position:
            return known
        if not position or (told := self._tell(log, name)) is None:
            return None
        with self._changing:
            self._told[name] = told
            self._told.move_to_end(name)
            while len(self._told) > MOST_KEPT:
                self._told.popitem(last=False)
        return told

    def _tell(self, log: LiveLog, name: str) -> ToldJob | None:
        entries = log.job(name)
        facts = read_facts(entries)
        history = History(name, facts)
        if not history.has(TrainingRequested):
            return None
        cards = self._watched.cards()
        story = tell_training(history, facts, cards)
        diagram, curves = pictures_of(story)
        copy = self._copy(log, entries, name, cards)
        return ToldJob(
            position=entries[-1].position,
            story=story,
            history=history,
            diagram=diagram,
            curves=curves,
            models=tuple(models_of(copy, [story])),
            verification=verify(copy, checks=CHECKS),
        )

    def _copy(
        self, log: LiveLog, entries: list[Entry], job: str, cards: Mapping[str, PartyCard]
    ) -> LogCopy:
        """The events of the job as if they had been exported."""
        return LogCopy(
            place=str(self._watched.folder.path),
            party=self._watched.name,
            cards=cards,
            own_cards=True,
            head=len(entries),
            scope=Scope(job=job),
            entries=lambda: iter(entries),
            payloads=FolderPayloads(self._watched.folder.payloads, log.kept_payloads),
            of_type=lambda kind: log.of_types((kind,), MOST_ROTATIONS)[::-1],
        )

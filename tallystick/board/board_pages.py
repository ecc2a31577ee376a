"""What each page of the board shows, made anew from the log whenever it is asked for."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from urllib.parse import urlencode

from pydantic import ValidationError

from audit.live_log import LiveLog, Selection
from audit.opening import open_log
from audit.report.page import Report, make_report, render
from audit.report.rendering import environment, stylesheet
from events.catalogue import CATALOGUE
from events.envelope import format_time
from handlers.model_life import model_life
from projections.jobs import Job
from store.entry import Entry
from tallystick.board.event_story import tell_event
from tallystick.board.health import Health, HealthReader
from tallystick.board.job_stories import MOST_KEPT, UNDER_WAY, JobStories, ToldJob
from tallystick.board.predictions import MOST_SEARCHED, newest_predictions
from tallystick.board.watched import Watched
from tallystick.log_lines import job_of

REFRESH_SECONDS = 5
EVENTS_A_PAGE = 50
FILTERS = ("type", "party", "job", "private")
EVENTS_ON_OVERVIEW = 12
JOBS_SHOWN = 200


@dataclass(frozen=True)
class Page:
    html: str
    status: int = 200


class BoardPages:
    """For several threads. Raises AuditError, HandlersError, PartyError and StoreError."""

    def __init__(self, watched: Watched) -> None:
        self._watched = watched
        self._stories = JobStories(watched)
        self._health = HealthReader(watched)
        self._environment = environment("tallystick.board")
        self._environment.filters.update(ago=ago, job_of=lambda entry: job_of(entry.envelope))
        self._reporting = threading.Lock()
        own = files("tallystick.board").joinpath("static")
        self.stylesheet = str(stylesheet()) + own.joinpath("board.css").read_text("utf-8")
        self.icon = own.joinpath("icon.svg").read_text("utf-8")
        self.script = own.joinpath("board.js").read_text("utf-8")

    def overview(self) -> Page:
        with self._watched.log() as log:
            jobs = self._stories.all(log)
            health = self._read_health(log, jobs)
            newest = log.newest(Selection(), EVENTS_ON_OVERVIEW)
            under_way = self._under_way(log, jobs)
        return self._page(
            "overview.html.jinja",
            live=True,
            health=health,
            jobs=jobs[:5],
            more_jobs=len(jobs) - 5,
            going=sum(map(_is_under_way, jobs)),
            under_way=under_way,
            newest=_readable(newest),
            cards=self._watched.cards(),
        )

    def jobs(self) -> Page:
        with self._watched.log() as log:
            jobs = self._stories.all(log)
            under_way = self._under_way(log, jobs)
            predictions = newest_predictions(log)
        return self._page(
            "jobs.html.jinja",
            live=True,
            jobs=jobs[:JOBS_SHOWN],
            more_jobs=len(jobs) - JOBS_SHOWN,
            under_way=under_way,
            predictions=predictions,
        )

    def job(self, name: str) -> Page:
        with self._watched.log() as log:
            told = self._stories.told(log, name)
            if told is None:
                return self._missing(f"the log of {self._watched.name} has no training {name}")
            predictions = newest_predictions(log, model=name)
            refusals = log.refusals()
        return self._page(
            "job.page.html.jinja",
            live=told.story.state in UNDER_WAY or not told.story.ended,
            job=told.story,
            diagram=told.diagram,
            curves=told.curves,
            verification=told.verification,
            life=model_life(told.history),
            models=told.models,
            predictions=predictions,
            searched=MOST_SEARCHED,
            refusals=[(self._watched.name, one) for one in refusals],
        )

    def log(self, query: Mapping[str, str]) -> Page:
        """A page of the log, the newest first; `before` and `after` are positions."""
        wanted = Selection(
            type=query.get("type", ""),
            source=query.get("party", ""),
            job=query.get("job", "").strip(),
            only_shared=query.get("private", "") == "no",
        )
        before, after = _position(query.get("before")), _position(query.get("after"))
        with self._watched.log() as log:
            if after is not None:
                found = log.oldest(wanted, EVENTS_A_PAGE + 1, after)[:EVENTS_A_PAGE][::-1]
            else:
                found = log.newest(wanted, EVENTS_A_PAGE, before)
            head = log.head()
            older = bool(found and log.newest(wanted, 1, found[-1].position))
            newer = bool(found and log.oldest(wanted, 1, found[0].position))
        kept = {
            name: query[name] for name in ("type", "party", "job", "private") if query.get(name)
        }
        return self._page(
            "log.html.jinja",
            live=before is None and after is None and not kept,
            entries=_readable(found),
            damaged=[entry.position for entry in found if not _is_readable(entry)],
            wanted=wanted,
            head=head,
            older=_link(kept, before=found[-1].position) if older else "",
            newer=_link(kept, after=found[0].position) if newer else "",
            newest=_link(kept) if newer else "",
            types=sorted(CATALOGUE.types),
            parties=sorted({self._watched.name, *self._watched.cards()}),
        )

    def event(self, event_id: str) -> Page:
        with self._watched.log() as log:
            if event_id.isdecimal() and len(event_id) < 19:  # a position leads to its event
                entry = log.at(int(event_id))
                event_id = entry.envelope.id if entry else event_id
            told = tell_event(self._watched, log, event_id)
        if told is None:
            return self._missing(f"the log of {self._watched.name} has no event {event_id[:64]}")
        return self._page("event.html.jinja", live=False, told=told)

    def report(self) -> Page:
        """The whole report, all checks made: one at a time, as it takes the machine's time."""
        with self._reporting, open_log(str(self._watched.folder.path)) as copy:
            report: Report = make_report([copy])
        return Page(render(report))

    def entrance(self, *, wrong: bool) -> Page:
        return self._page("entrance.html.jinja", 401 if wrong else 200, live=False, wrong=wrong)

    def missing(self, path: str) -> Page:
        return self._missing(f"the board has no page {path[:100]}")

    def damaged(self) -> Page:
        words = (
            "It cannot be told: an event of it is no envelope, so somebody has changed the "
            "database. `tally audit verify` says which."
        )
        return self._page("message.html.jinja", 500, live=False, title="Damaged", words=words)

    def failed(self, detail: str) -> Page:
        words = f"It cannot be read now: {detail}"
        return self._page("message.html.jinja", 503, live=True, title="Not now", words=words)

    def _missing(self, words: str) -> Page:
        return self._page("message.html.jinja", 404, live=False, title="Not here", words=words)

    def _under_way(self, log: LiveLog, jobs: list[Job]) -> list[ToldJob]:
        """The newest of them, as many as are kept."""
        names = [job.job for job in jobs if _is_under_way(job)][:MOST_KEPT]
        return [told for name in names if (told := self._stories.told(log, name))]

    def _read_health(self, log: LiveLog, jobs: list[Job]) -> Health:
        return self._health.read(log, sum(map(_is_under_way, jobs)))

    def _page(self, template: str, status: int = 200, **facts: object) -> Page:
        html = self._environment.get_template(template).render(
            party=self._watched.name,
            role=str(self._watched.settings.role),
            now=format_time(datetime.now(UTC)),
            refresh_seconds=REFRESH_SECONDS,
            **facts,
        )
        return Page(html, status)


def ago(time: str, now: str) -> str:
    """`12 s ago`; empty for no time."""
    if not time:
        return ""
    seconds = (datetime.fromisoformat(now) - datetime.fromisoformat(time)).total_seconds()
    whole = max(0, round(seconds))
    for unit, length in (("d", 86_400), ("h", 3600), ("min", 60)):
        if whole >= 2 * length:
            return f"{whole // length} {unit} ago"
    return f"{whole} s ago" if whole else "just now"


def _readable(entries: list[Entry]) -> list[Entry]:
    return [entry for entry in entries if _is_readable(entry)]


def _is_readable(entry: Entry) -> bool:
    """Somebody may have written into the database by hand."""
    try:
        return bool(entry.envelope)
    except ValidationError:
        return False


def _is_under_way(job: Job) -> bool:
    return job.state in UNDER_WAY


def _position(text: str | None) -> int | None:
    return int(text) if text and text.isdecimal() and len(text) < 19 else None


def _link(kept: Mapping[str, str], **place: int) -> str:
    query = urlencode({**kept, **place})
    return f"/log?{query}" if query else "/log"

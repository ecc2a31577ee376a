"""`tally projections`: the views over a log, rebuilt or shown (requirement D3)."""

import json
from contextlib import closing
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from party.opening import open_party
from projections import Views, jobs, labels, losses, model, timeline, write_model_files
from tallystick.party_views import current_views, open_views
from tallystick.terminal import note, say, show_table

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="The party's folder.")]
EVERYTHING = 2**31 - 1


class View(StrEnum):
    """What can be shown."""

    LOSS = "loss"
    MODEL = "model"
    JOBS = "jobs"
    LABELS = "labels"
    TIMELINE = "timeline"


projections_app = typer.Typer(help="The views over a party's log: rebuild them, show them.")


@projections_app.command()
def rebuild(folder: Folder) -> None:
    """Drop every view and make it again from the log; print each one's digest.

    The same log gives the same tables, so the digests do not change.
    """
    with closing(open_party(folder)) as party, open_views(party) as views:
        position = views.rebuild(party.log)
        write_model_files(views, party.payloads, party.folder.models)
        digests = views.digests()
    for name, digest in digests.items():
        say(f"{digest}  {name}")
    note(f"rebuilt from {position} events")


@projections_app.command()
def show(
    folder: Folder,
    view: Annotated[View, typer.Argument(help="Which view.")],
    job: Annotated[str | None, typer.Option(help="Only this job.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Show a view: losses a round, the model's weights, jobs, labels given, or the timeline.

    Labels are of one model where `--job` names it.
    """
    with closing(open_party(folder)) as party, current_views(party) as views:
        rows = _rows(views, view, job)
    if as_json:
        typer.echo(json.dumps(rows, indent=1, sort_keys=True))
    elif not rows:
        note("nothing there yet")
    else:
        shown = [name for name in rows[0] if name not in ("event_id", "cause", "ordinal")]
        lines = [["" if row[name] is None else str(row[name]) for name in shown] for row in rows]
        show_table(shown, lines, right="position round value weight payload_bytes cause_position")


def _rows(views: Views, view: View, job: str | None) -> list[dict[str, Any]]:
    every_job = views.select(jobs())
    names = [job] if job else [row["job"] for row in every_job]
    if view is View.JOBS:
        return [row for row in every_job if row["job"] in names]
    if view is View.TIMELINE:
        return views.select(timeline(limit=EVERYTHING, job=job))
    if view is View.LABELS:
        return views.select(labels(job))
    query = losses if view is View.LOSS else model
    return [row for name in names for row in views.select(query(name))]

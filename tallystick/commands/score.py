"""`tally score`: probabilities or values for customers, from every party's half of a model (S)."""

import logging
from contextlib import closing
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from events.predictions import Way
from party.opening import open_party
from party.predicting import Wish
from tallystick import scoring_screen
from tallystick.id_file import count_ids, ids_in_parts
from tallystick.log_output import configure_logging
from tallystick.score_file import add_scores, check_writable, table_file
from tallystick.scoring_screen import follow_predictions, show_counts
from tallystick.terminal import note, say
from tallystick.training import at_work

DEFAULT = "customers"


class WithDefault(TyperGroup):
    """A group whose first command goes without its name: `tally score MODEL_ID …`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 - click's own
        if args and args[0] not in {*self.commands, "--help", "-h"}:
            args = [DEFAULT, *args]
        return super().parse_args(ctx, args)


class How(StrEnum):
    """Three ways to serve (requirement S4)."""

    REALTIME = "realtime"
    NEARLINE = "nearline"
    OFFLINE = "offline"


WAYS: dict[How, Way] = {
    How.REALTIME: "realtime",
    How.NEARLINE: "nearline",
    How.OFFLINE: "offline",
}

score_app = typer.Typer(
    cls=WithDefault,
    help="Score customers by a model: `tally score MODEL_ID --as DIR --ids FILE --out FILE`.",
)


@score_app.command(DEFAULT)
def score(
    model_id: Annotated[str, typer.Argument(metavar="MODEL_ID", help="The training's job id.")],
    folder: Annotated[
        Path, typer.Option("--as", metavar="DIR", help="The folder of the party that asks.")
    ],
    ids: Annotated[
        Path, typer.Option(help="The customers: a text file with an id a line, CSV or Parquet.")
    ],
    out: Annotated[Path, typer.Option(help="Where the scores go: FILE.csv or FILE.parquet.")],
    how: Annotated[
        How, typer.Option(help="Score raw samples now, extracted features, or look results up.")
    ] = How.REALTIME,
    threshold: Annotated[
        float | None, typer.Option(help="Label 1 above this probability or value, else -1.")
    ] = None,
    within: Annotated[
        int | None, typer.Option(help="Seconds that every party has to answer.", min=1)
    ] = None,
    identifier: Annotated[
        str | None, typer.Option("--id", help="The column of ids, where it is not plain.")
    ] = None,
    parties: Annotated[
        list[str] | None,
        typer.Option("--party", help="A party of the model, where this party did not train it."),
    ] = None,
) -> None:
    """Ask every party of a model for its part, and combine the parts.

    One line a customer: id, status (scored, or which party does not have the customer),
    probability or value, and a label where a threshold is given. More than 250,000 customers are
    asked for in several requests, one after the other, which take the memory of one. When the party
    is not running (`tally party run`), this command runs it meanwhile. Exit code 1: a party
    refused, or did not answer in time; then there is no file.
    """
    configure_logging(logging.ERROR)
    check_writable(out, ids)
    customers = count_ids(ids, identifier)  # a mistake in the last line is told before all else
    wish = Wish(
        model_id=model_id,
        ids=(),
        way=WAYS[how],
        threshold=threshold,
        seconds=within,
        parties=tuple(parties or ()),
    )
    with closing(open_party(folder)) as party, at_work(party) as begin:
        completed = []
        with table_file(out) as add:
            parts = ids_in_parts(ids, identifier, scoring_screen.AT_ONCE)
            take = partial(add_scores, add, threshold=threshold)
            for one in follow_predictions(party, wish, parts, begin, take):
                completed.append(one)
                if customers > one.rows:
                    note(f"{sum(each.rows for each in completed)} of {customers} are done")
    show_counts(completed)
    say(f"{out}")
    note(f"`tally projections show {folder} labels` shows the labels that were given")

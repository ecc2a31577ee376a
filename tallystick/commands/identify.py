"""`tally identify`: which customers a model of the patent profile picks out (L)."""

import logging
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from party.identifying import PATIENCE_SECONDS, LabelWish, check_wish, last_sweep
from party.opening import open_party
from tallystick.errors import JobFailedError, ModelCommandError
from tallystick.id_file import read_ids
from tallystick.identification_screen import follow_labels, show_labels, show_sweep, warn_of
from tallystick.label_file import label_table
from tallystick.log_output import configure_logging
from tallystick.score_file import check_writable, write_table
from tallystick.terminal import note, say
from tallystick.training import at_work


def identify(
    model_id: Annotated[str, typer.Argument(metavar="MODEL_ID", help="The training's job id.")],
    folder: Annotated[
        Path, typer.Option("--as", metavar="DIR", help="The folder of the party that asks.")
    ],
    ids: Annotated[
        Path | None,
        typer.Option(help="The customers: a text file with an id a line, CSV, Parquet."),
    ] = None,
    tau: Annotated[
        float | None, typer.Option(help="Label 1 where F is above it, else -1; between 0 and 1.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Where the labels go: FILE.csv or FILE.parquet.")
    ] = None,
    sweep: Annotated[
        bool, typer.Option("--sweep", help="At the bank: what thresholds are worth, held out.")
    ] = False,
    scores: Annotated[
        bool,
        typer.Option("--scores", help="F with two digits, if every party's policy allows it."),
    ] = False,
    within: Annotated[
        int, typer.Option(help="Seconds that every party has to answer.", min=1)
    ] = PATIENCE_SECONDS,
    identifier: Annotated[
        str | None, typer.Option("--id", help="The column of ids, where it is not plain.")
    ] = None,
) -> None:
    """Label customers the patent's way, by a logistic model of `profile = "patent"`.

    Every party sends the arbiter its own probabilities, normalised and encrypted; the arbiter
    weighs them to one number F for each customer, compares it with tau, and sends the labels, and
    only the labels, to all parties. Any party with data may ask; each lets a customer be labelled
    so often, and no more (`labels_per_customer` in its [policy]).

    `--sweep`, at the bank, shows for customers held out of the training how many each threshold
    labels and how many of these are right, beside the joint score: look there before choosing tau.
    Exit code 1: a party refused, or did not answer in time.
    """
    configure_logging(logging.ERROR)
    wish = _wish(model_id, ids, tau, out, identifier, sweep=sweep, scores=scores, within=within)
    with closing(open_party(folder)) as party:
        check_wish(party, wish)
        with at_work(party) as begin:
            answer = follow_labels(party, wish, begin)
        known = last_sweep(party, model_id)
    if answer.rejected is not None:
        raise JobFailedError(
            f"no labels: {answer.rejected_by} says {answer.rejected.code}: {answer.rejected.detail}"
        )
    if answer.swept is not None:
        show_sweep(answer.swept)
    if answer.labels is not None and out is not None:
        write_table(out, label_table(answer.labels, wish.customers, party.name))
        show_labels(answer.labels.recorded)
        warn_of(answer.labels.recorded, known)
        say(f"{out}")
        note(f"`tally projections show {folder} labels` shows the labels that were given")


def _wish(
    model_id: str,
    ids: Path | None,
    tau: float | None,
    out: Path | None,
    identifier: str | None,
    *,
    sweep: bool,
    scores: bool,
    within: int,
) -> LabelWish:
    """Raises ModelCommandError for options that do not go together, IdFileError."""
    if sweep:
        if any(one is not None for one in (ids, tau, out)) or scores:
            raise ModelCommandError(
                "--sweep goes alone: its customers are those held out of the training, its "
                "thresholds are fixed"
            )
        return LabelWish(model_id, seconds=within)
    if ids is None or tau is None or out is None:
        raise ModelCommandError("name the customers, the threshold and a file: --ids, --tau, --out")
    if not 0 < tau < 1:
        raise ModelCommandError(f"--tau {tau:g} is no threshold: it lies between 0 and 1")
    check_writable(out, ids)
    customers = read_ids(ids, identifier)
    return LabelWish(model_id, customers, tau, release_scores=scores, seconds=within)

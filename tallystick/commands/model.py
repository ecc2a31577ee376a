"""`tally model`: the models in a party's tables, and which of them serve (C2, C4)."""

import json
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from events.vocabulary import DATA_ROLES
from party.customer_scores import open_scores
from party.model_keeping import activate as activate_version
from party.model_keeping import life_of, retire, roll_back, withdraw
from party.opening import open_party
from party.status import is_running
from scoring.written_statements import Dialect, read_columns, written_statement
from tallystick.model_views import ModelState, model_states, show_scorecard
from tallystick.terminal import note, say, show_table

AsParty = Annotated[Path, typer.Option("--as", metavar="DIR", help="The party's folder.")]
ModelId = Annotated[str, typer.Argument(metavar="MODEL_ID", help="The training's job id.")]
Version = Annotated[int | None, typer.Option(help="The newest unless given.", min=1)]
AsJson = Annotated[bool, typer.Option("--json", help="For programs.")]

model_app = typer.Typer(help="The models in a party's tables: show them, choose what serves.")


@model_app.command("list")
def list_models(folder: AsParty, as_json: AsJson = False) -> None:
    """List the models that this party has, and how each stands."""
    with closing(open_party(folder)) as party:
        states, role = model_states(party), party.role
    if as_json:
        typer.echo(json.dumps([state.model_dump() for state in states], indent=1))
    elif not states:
        has_halves = role in DATA_ROLES
        note("no model yet: `tally convert` adds one" if has_halves else "it keeps no model")
    else:
        show_table(ModelState.headings(), [state.cells() for state in states], right="versions")


@model_app.command()
def show(
    model_id: ModelId, folder: AsParty, version: Version = None, as_json: AsJson = False
) -> None:
    """Show this party's half as a scorecard: each variable's bins and what they add."""
    with closing(open_party(folder)) as party:
        life = life_of(party, model_id)
        number = version or life.active or life.versions[-1].version
        with open_scores(party) as source:
            model = source.model(model_id, number)
    if as_json:
        typer.echo(model.model_dump_json(indent=1))
    else:
        show_scorecard(model, number)


@model_app.command()
def sql(
    model_id: ModelId,
    folder: AsParty,
    dialect: Annotated[Dialect, typer.Option(help="Of the engine that will run it.")],
    version: Version = None,
    features: Annotated[
        str, typer.Option(metavar="TABLE", help="The table of features there, one row a sample.")
    ] = "features",
    weights: Annotated[
        str | None,
        typer.Option(metavar="TABLE", help="Read weights from this table, not from the text."),
    ] = None,
    columns: Annotated[
        bool, typer.Option("--columns", help="Print the columns that it reads, instead.")
    ] = False,
) -> None:
    """Print the statement that scores by this party's half, for an engine of your own.

    It yields sample_id and raw scores, the same as this party answers with: those of all halves are
    summed, then comes the sigmoid or softmax. --weights is of linear models, and names a copy of
    the table that `tally convert` filled, model_weights_SIDEWIDTH.
    """
    with closing(open_party(folder)) as party:
        life = life_of(party, model_id)
        number = version or life.active or life.versions[-1].version
        with open_scores(party) as source:
            model = source.model(model_id, number)
            content = source.stored(model_id, number).content
    if columns:
        typer.echo(read_columns(model, dialect))
    else:
        typer.echo(written_statement(model, dialect, features, weights, content))


@model_app.command()
def activate(model_id: ModelId, folder: AsParty, version: Version = None) -> None:
    """Answer requests by this version from now on; the newest unless one is named."""
    with closing(open_party(folder)) as party:
        event = activate_version(party, model_id, version)
    say(f"{model_id} version {event.version} serves from now on")
    note("all parties of a model serve the same version")


@model_app.command()
def rollback(model_id: ModelId, folder: AsParty) -> None:
    """Answer by the version again that served before the present one."""
    with closing(open_party(folder)) as party:
        event = roll_back(party, model_id)
    say(f"{model_id} version {event.version} serves again, instead of {event.instead_of}")


@model_app.command("retire")
def retire_model(model_id: ModelId, folder: AsParty) -> None:
    """Answer no request for this model any more; `activate` serves it again."""
    with closing(open_party(folder)) as party:
        retire(party, model_id)
    say(f"{model_id} serves no more")


@model_app.command("withdraw")
def withdraw_consent(model_id: ModelId, folder: AsParty) -> None:
    """Withdraw this participant's consent to the model, for all to hear, and for good."""
    with closing(open_party(folder)) as party:
        withdraw(party, model_id)
        say(f"the consent to {model_id} is withdrawn: it serves no more")
        if not is_running(party):
            note(f"the others hear of it when the party runs: `tally party run {folder}`")

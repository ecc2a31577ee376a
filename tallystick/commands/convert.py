"""`tally convert`: a model file's parameters become rows of the party's own tables (C2)."""

from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from party.model_keeping import Conversion, convert_document, convert_trained
from party.opening import open_party
from scoring.files.reading import read_model_file
from tallystick.errors import ModelCommandError
from tallystick.terminal import note, say


def convert(
    folder: Annotated[Path, typer.Option("--as", metavar="DIR", help="The party's folder.")],
    model_id: Annotated[
        str | None, typer.Argument(metavar="[MODEL_ID]", help="A model that was trained here.")
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(
            help="A model file instead: XGBoost's .json or .ubj, LightGBM's text, scikit-learn's "
            "pickle or joblib (read, never executed), or one that our training wrote."
        ),
    ] = None,
    name: Annotated[
        str | None, typer.Option("--model-id", help="The id of the model in the file.")
    ] = None,
    features: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,…",
            help="The columns in the order of training, for a file that does not name them.",
        ),
    ] = None,
) -> None:
    """Store a model in the tables of this party's engines, where SQL scores by it.

    The same model twice changes nothing; a changed file of the same id is a new version, which
    serves once it is activated (`tally model activate`). Training converts by itself unless
    party.toml says `convert = false` in `[scoring]`. Of a model from elsewhere each party converts
    a file of its own, over its own columns only; the parties' raw scores are added up.
    """
    with closing(open_party(folder)) as party:
        if file is None and model_id is not None and name is None:
            conversion = convert_trained(party, model_id)
        elif file is not None and name is not None and model_id is None:
            names = tuple(features.split(",")) if features else None
            model = read_model_file(file, model_id=name, role=party.role, feature_names=names)
            conversion = convert_document(party, model)
        else:
            raise ModelCommandError(
                "name a model that was trained here, or give --file FILE with --model-id ID"
            )
    _show(conversion, folder)


def _show(conversion: Conversion, folder: Path) -> None:
    event = conversion.event
    told = "is in the tables now" if conversion.is_new else "was in the tables already"
    say(f"{event.job} version {event.version} ({event.kind}) {told}")
    if event.version > 1:
        note(f"`tally model activate {event.job} --as {folder}` serves the newest version")

"""Every model's score of every sample, computed ahead (requirement S4, offline)."""

import hashlib

from sqlglot import exp

from scoring.engines.engine import Engine, Value
from scoring.errors import MissingTableError
from scoring.features import SAMPLE_ID, column
from scoring.loading import replace_rows
from scoring.model_tables import score_query
from scoring.models import ScoringModel
from scoring.sample_inputs import inputs_of, kept_source
from scoring.samples import Samples
from scoring.tables import Column, ColumnType, Table

MODEL_ID, VERSION, PREDICT_VALUE = "model_id", "version", "predict_value"


def predictions_table(model: ScoringModel, kind: str) -> Table:
    """model_id, version, sample_id, predict_value; predict_value_1 … for further outputs."""
    plain = model.model_id.replace("-", "_")[:30]
    whole = f"{model.model_id}/{model.outputs}/{kind}"
    name = f"predictions_{plain}_{hashlib.sha256(whole.encode()).hexdigest()[:8]}"
    columns = [
        Column(MODEL_ID, ColumnType.TEXT),
        Column(VERSION, ColumnType.INTEGER),
        Column(SAMPLE_ID, ColumnType.TEXT),
        *(Column(value_name(output), ColumnType.NUMBER) for output in range(model.outputs)),
    ]
    return Table(name, tuple(columns), (SAMPLE_ID,))


def value_name(output: int) -> str:
    return PREDICT_VALUE if output == 0 else f"{PREDICT_VALUE}_{output}"


def precompute(samples: Samples, model: ScoringModel, version: int) -> int:
    """Score every sample that has features, inside the batch engine; tells how many.

    The results of the model change all at once. Ids and scores are copied to the look-up engine.
    Doing it twice changes nothing.
    """
    batch, table = samples.batch, predictions_table(model, samples.name)
    inputs = inputs_of(model, kept_source(samples, batch), samples.name)
    scored = score_query(batch, model, inputs).subquery("scored", copy=False)
    values = [
        column(f"score_{output}").as_(value_name(output), quoted=True)
        for output in range(model.outputs)
    ]
    query = exp.select(
        exp.Literal.string(model.model_id).as_(MODEL_ID, quoted=True),
        exp.cast(exp.Literal.number(version), "BIGINT").as_(VERSION, quoted=True),
        column(SAMPLE_ID),
        *values,
    ).from_(scored)
    batch.ensure(table)
    batch.replace_query(table, query)
    everything = exp.select(*(column(one.name) for one in table.columns))
    everything = everything.from_(exp.table_(table.name, quoted=True))
    return replace_rows(samples.lookup, table, batch.stream(everything))


def predictions_of(
    engine: Engine, model: ScoringModel, version: int | None, kind: str, wanted: exp.Expression
) -> exp.Select:
    """sample_id, scores and version as they were computed. Raises MissingTableError.

    A query that is kept outlives the results it was made for: look at its version.
    """
    table = predictions_table(model, kind)
    place = exp.table_(table.name, quoted=True)
    any_version = exp.select(column(VERSION)).from_(place.copy()).limit(1)  # all have the same
    found = engine.rows(any_version) if engine.columns(table.name) is not None else ()
    if not found:
        raise no_results(model, version)
    check_version(model, version, found[0][0])
    scores = [
        column(value_name(output)).as_(f"score_{output}", quoted=True)
        for output in range(model.outputs)
    ]
    return exp.select(column(SAMPLE_ID), *scores, column(VERSION)).from_(place).where(wanted)


def check_version(model: ScoringModel, version: int | None, found: Value) -> None:
    """Raises MissingTableError: results are those of another version."""
    if version not in (None, found):
        raise no_results(model, version)


def no_results(model: ScoringModel, version: int | None) -> MissingTableError:
    return MissingTableError(
        f"there are no results of {model.model_id}"
        f"{'' if version is None else f', version {version},'} yet: "
        "run `tally score precompute`"
    )

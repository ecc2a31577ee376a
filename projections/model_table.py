"""Model table: a party's half of every model as rows of weights (requirements D3, C1, C2).

It reads of a model's document: `intercept`, and of each of `variables` its `name` and `bins`, of
each bin its `label` and `weight`. What else the document says is for others.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError
from sqlalchemy import (
    Column,
    Connection,
    Double,
    Select,
    String,
    Table,
    Text,
    func,
    insert,
    select,
)

from events.catalogue import Fact
from events.models import ModelSaved
from projections.errors import ModelDocumentError
from projections.projection import METADATA, WHOLE_NUMBER, Payloads, Placed, Projection

INTERCEPT = "(intercept)"

MODELS = Table(
    "projection_models",
    METADATA,
    Column("position", WHOLE_NUMBER, primary_key=True, autoincrement=False),
    Column("job", Text, nullable=False, index=True),
    Column("party", Text, nullable=False),
    Column("version", WHOLE_NUMBER, nullable=False),
    Column("time", Text, nullable=False),
    Column("columns", WHOLE_NUMBER, nullable=False),
    Column("commitment", String(64), nullable=False),
)
WEIGHTS = Table(
    "projection_model_table",
    METADATA,
    Column("job", Text, primary_key=True),
    Column("party", Text, primary_key=True),
    Column("version", WHOLE_NUMBER, primary_key=True, autoincrement=False),
    Column("ordinal", WHOLE_NUMBER, primary_key=True, autoincrement=False),
    Column("variable", Text, nullable=False),
    Column("bin", Text, nullable=False),
    Column("weight", Double, nullable=False),
)


class _Read(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class BinWeight(_Read):
    label: str
    weight: float


class VariableWeights(_Read):
    name: str
    bins: tuple[BinWeight, ...]


class ModelDocument(_Read):
    """The part of a model's document that is a table."""

    intercept: float | None
    variables: tuple[VariableWeights, ...]

    def weights(self) -> Iterator[tuple[str, str, float]]:
        """Variable, bin label and weight, in the model's order; the intercept comes first."""
        if self.intercept is not None:
            yield INTERCEPT, "", self.intercept
        for variable in self.variables:
            for one in variable.bins:
                yield variable.name, one.label, one.weight


def apply(connection: Connection, facts: Sequence[Placed], payloads: Payloads) -> None:
    """Every party's models are listed; the weights are those of the halves that we hold."""
    for position, fact in facts:
        if isinstance(fact.event, ModelSaved):
            _list(connection, position, Fact(fact.envelope, fact.event), payloads)


def _list(
    connection: Connection, position: int, fact: Fact[ModelSaved], payloads: Payloads
) -> None:
    commitment = fact.payload("model").commitment
    same = (MODELS.c.job == fact.job) & (MODELS.c.party == fact.source)
    earlier = connection.scalar(select(func.count()).select_from(MODELS).where(same)) or 0
    key = {"job": fact.job, "party": fact.source, "version": earlier + 1}
    connection.execute(
        insert(MODELS).values(
            **key,
            position=position,
            time=fact.envelope.time,
            columns=fact.event.columns,
            commitment=commitment,
        )
    )
    if payloads.has(commitment):
        document = read_model(fact.job, payloads.read(commitment))
        rows = [
            {**key, "ordinal": ordinal, "variable": variable, "bin": label, "weight": weight}
            for ordinal, (variable, label, weight) in enumerate(document.weights())
        ]
        if rows:
            connection.execute(insert(WEIGHTS), rows)


def read_model(job: str, document: bytes) -> ModelDocument:
    """Raises ModelDocumentError naming the places that do not fit, never a value."""
    try:
        return ModelDocument.model_validate_json(document)
    except ValidationError as error:
        places = sorted({".".join(map(str, detail["loc"])) for detail in error.errors()})
        raise ModelDocumentError(
            f"the model document of {job} cannot be read at: {', '.join(places) or 'its start'}"
        ) from None


def model(job: str) -> Select[*tuple[Any, ...]]:
    """The newest weights of a job's model, in the model's order."""
    newest = select(func.max(WEIGHTS.c.version)).where(WEIGHTS.c.job == job).scalar_subquery()
    query = select(WEIGHTS).where(WEIGHTS.c.job == job, WEIGHTS.c.version == newest)
    return query.order_by(WEIGHTS.c.party, WEIGHTS.c.ordinal)


MODEL_TABLE = Projection("model_table", 1, (MODELS, WEIGHTS), apply)

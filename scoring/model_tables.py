"""Models as tables of the party's own engine: stored once, never updated, read back whole (C2).

A model's rows carry the digest of its document. Its version is one row of `model_versions`, added
last: half a conversion is never seen, and the next try finishes it.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic import TypeAdapter
from sqlglot import exp

from events.vocabulary import Role
from scoring.engines.engine import Engine
from scoring.errors import ModelTableError
from scoring.expressions import partial_score_query
from scoring.linear_tables import linear_rows, read_linear, weight_tables
from scoring.literals import column, text
from scoring.model_rows import Fetch, Filled, Head, batch
from scoring.models import LinearModel, NetworkModel, ScoringModel, TreeModel
from scoring.models.document import Combination
from scoring.network_tables import network_rows, read_network
from scoring.tables import Column, ColumnType, Table
from scoring.tree_tables import read_trees, tree_rows
from scoring.wide_expressions import wide_score_query
from scoring.wide_tables import QueryOf

VERSIONS = Table(
    "model_versions",
    (
        Column("model_id", ColumnType.TEXT),
        Column("version", ColumnType.INTEGER),
        Column("kind", ColumnType.TEXT),
        Column("role", ColumnType.TEXT),
        Column("combination", ColumnType.TEXT),
        Column("outputs", ColumnType.INTEGER),
        Column("digest", ColumnType.TEXT),
        Column("content", ColumnType.TEXT),
        Column("converted_at", ColumnType.TIME),
    ),
    key=("model_id", "version"),
)
# Where literals score twice as fast as weights joined from a table.
COMPILED = frozenset({"spark"})
READ: dict[str, Callable[[Head, Fetch], ScoringModel]] = {
    "trees": read_trees,
    "network": read_network,
}
ROWS_A_BATCH = 10_000


@dataclass(frozen=True)
class StoredModel:
    """One version of a model: `digest` of its file, `content` of its document."""

    model_id: str
    version: int
    kind: str
    role: Role
    combination: Combination
    outputs: int
    digest: str
    content: str
    converted_at: datetime


STORED = TypeAdapter(StoredModel)


class ModelTables:
    """The models in one engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def store(self, model: ScoringModel, converted_at: datetime | None = None) -> StoredModel:
        """Add the model as its next version; a document that is there already stays as it is."""
        content = _content_of(model)
        versions = self.versions(model.model_id)
        for stored in versions:
            if stored.content == content:
                return stored
        for filled in _rows_of(model, content):
            self._fill(filled, content)
        stored = StoredModel(
            model_id=model.model_id,
            version=max((one.version for one in versions), default=0) + 1,
            kind=model.kind,
            role=model.role,
            combination=model.combination,
            outputs=model.outputs,
            digest=model.digest,
            content=content,
            converted_at=converted_at or datetime.now(UTC),
        )
        row = tuple(getattr(stored, one.name) for one in VERSIONS.columns)
        self._engine.ensure(VERSIONS)
        self._engine.append(VERSIONS, [batch(VERSIONS, [row])])
        return stored

    def versions(self, model_id: str | None = None) -> tuple[StoredModel, ...]:
        """Of one model, or of all: by model, the oldest first."""
        if self._engine.columns(VERSIONS.name) is None:
            return ()
        query = _rows(VERSIONS)
        if model_id is not None:
            query = query.where(_is("model_id"))
        names = [one.name for one in VERSIONS.columns]
        rows = self._engine.rows(query, {} if model_id is None else {"model_id": model_id})
        return tuple(STORED.validate_python(dict(zip(names, row, strict=True))) for row in rows)

    def stored(self, model_id: str, version: int | None = None) -> StoredModel:
        """A version, else the newest. Raises ModelTableError."""
        found = [one for one in self.versions(model_id) if version in (None, one.version)]
        if not found:
            what = model_id if version is None else f"version {version} of {model_id}"
            raise ModelTableError(f"there is no model {what} here: convert it first")
        return found[-1]

    def load(self, model_id: str, version: int | None = None) -> ScoringModel:
        """The document again, from the tables alone. Raises ModelTableError."""
        return self._load(self.stored(model_id, version))

    def score_query(
        self, model_id: str, features: exp.Query, version: int | None = None
    ) -> exp.Select:
        """scoring.expressions.partial_score_query of a stored model, by its rows of weights."""
        model = self.load(model_id, version)
        return partial_score_query(
            model, features, self._engine.dialect, _weights(self._engine, model)
        )

    def _load(self, stored: StoredModel) -> ScoringModel:
        head: Head = {
            name: getattr(stored, name)
            for name in ("model_id", "kind", "role", "combination", "outputs", "digest")
        }
        try:
            read = READ.get(stored.kind, read_linear)
            model = read(head, lambda table: self._fetch(table, stored.content))
        except ValueError:
            raise _unfit(stored) from None
        if _content_of(model) != stored.content:
            raise _unfit(stored)
        return model

    def _fill(self, filled: Filled, content: str) -> None:
        """All rows of a document in one table at once, unless an earlier try has added them."""
        table, rows = filled
        self._engine.ensure(table)
        if not _count(self._engine, table, content):
            batches = (
                batch(table, rows[start : start + ROWS_A_BATCH])
                for start in range(0, len(rows), ROWS_A_BATCH)
            )
            self._engine.append(table, batches)

    def _fetch(self, table: Table, content: str) -> Sequence[Sequence[Any]]:
        return self._engine.rows(_rows(table).where(_is("content")), {"content": content})


def score_query(engine: Engine, model: ScoringModel, inputs: QueryOf) -> exp.Select:
    """scoring.expressions.partial_score_query, with weights as this engine likes them (C2, C3).

    From the model's own rows where the engine has them; as literals where it scores twice as fast
    so, or where a row is spread over several tables. `inputs` yields sample_id and some inputs of
    the model: not more at a time than the engine reads.
    """
    if len(model.inputs) > engine.most_inputs:
        return wide_score_query(model, inputs, engine.dialect, engine.most_inputs)
    features = inputs(model.inputs)
    return partial_score_query(model, features, engine.dialect, _weights(engine, model))


def _weights(engine: Engine, model: ScoringModel) -> exp.Query | None:
    if not isinstance(model, LinearModel) or engine.dialect in COMPILED:
        return None
    table, *more = weight_tables(model.role, len(model.weights_of(0)))
    if more or engine.columns(table.name) is None:
        return None
    content = _content_of(model)
    found = _count(engine, table, content)
    return _all(table).where(_is("content", content)) if found == model.outputs else None


def _count(engine: Engine, table: Table, content: str) -> int:
    query = exp.select(exp.Count(this=exp.Star())).from_(_name(table)).where(_is("content"))
    [(count,)] = engine.rows(query, {"content": content})
    return int(str(count))


def _rows_of(model: ScoringModel, content: str) -> list[Filled]:
    if isinstance(model, TreeModel):
        return tree_rows(model, content)
    if isinstance(model, NetworkModel):
        return network_rows(model, content)
    return linear_rows(model, content)


def _content_of(model: ScoringModel) -> str:
    return hashlib.sha256(model.model_dump_json().encode()).hexdigest()


def _unfit(stored: StoredModel) -> ModelTableError:
    return ModelTableError(
        f"the tables of model {stored.model_id}, version {stored.version}, are not as they were "
        "stored: convert it again under another model id, and find out who changed them"
    )


def _name(table: Table) -> exp.Table:
    return exp.to_table(table.name)


def _all(table: Table) -> exp.Select:
    columns = [column(one.name, table.name) for one in table.columns]
    return exp.select(*columns).from_(_name(table))


def _rows(table: Table) -> exp.Select:
    """In the order of the key."""
    return _all(table).order_by(*(column(name, table.name) for name in table.key))


def _is(name: str, value: str | None = None) -> exp.Expression:
    """`name` equals the value, or the parameter of its own name."""
    wanted = exp.Placeholder(this=name) if value is None else text(value)
    return exp.EQ(this=exp.column(name, quoted=True), expression=wanted)

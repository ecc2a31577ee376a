"""A party's own scores, the three ways to serve them (requirements S2, S4, S7).

The ids go into the engine and are joined there; positions, found-flags and scores come out.
"""

import itertools
import secrets
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

import numpy as np
import pyarrow as pa
from sqlglot import exp

from scoring.engines.arrow import arrow_schema
from scoring.engines.engine import Engine, Prepared
from scoring.errors import ExtractionError, MissingTableError
from scoring.features import SAMPLE_ID, column
from scoring.loading import load_raw, load_some
from scoring.model_tables import score_query
from scoring.models import ScoringModel
from scoring.precomputed import check_version, predictions_of
from scoring.sample_features import look_at
from scoring.sample_inputs import extracted_source, inputs_of, kept_features, kept_source
from scoring.samples import Samples
from scoring.tables import Column, ColumnType, Table

Way = Literal["realtime", "nearline", "offline"]

FEW = 1000  # ids that are looked up one by one
AT_ONCE = 1_000_000  # ids that are joined in one query: what an engine keeps in memory
IDS_A_BATCH = 65_536
ID, ASKED_ID = "id", "asked_id"
Scores = tuple[float, ...]


class Scorer:
    """One model's scores of one kind of sample, one way; single look-ups are prepared once."""

    def __init__(
        self, model: ScoringModel, way: Way, samples: Samples, version: int | None = None
    ) -> None:
        self._model = model
        self._way = way
        self._samples = samples
        self._version = version
        self._look_up: Prepared | None = None

    def score(self, ids: Iterable[str]) -> Iterator[pa.RecordBatch]:
        """Position int64, found bool, score_0 … float64; in any order. Raises ScoringError.

        Memory is that of AT_ONCE ids, whatever their number.
        """
        remaining = iter(ids)
        first = list(itertools.islice(remaining, FEW + 1))
        if len(first) <= FEW:
            yield from self._few(first)
            return
        if self._way == "realtime":
            load_raw(self._samples)
        every, start = itertools.chain(first, remaining), 0
        while chunk := list(itertools.islice(every, 1)):
            chunk_ids = itertools.chain(chunk, itertools.islice(every, AT_ONCE - 1))
            yield from self._many(self._samples.batch, chunk_ids, start)
            start += AT_ONCE

    def one(self, sample_id: str) -> Scores | None:
        """The scores of a single sample, None where there is none. Raises MissingTableError."""
        if self._look_up is None:
            self._look_up = self._samples.lookup.prepare(self._single())
        found = self._look_up({ID: sample_id})
        if not found:
            if self._way == "offline":
                self._single()  # are these still the version's results?
            return None
        _, *scores = found[0]
        if self._way == "offline":
            check_version(self._model, self._version, scores.pop())
        return tuple(np.nan if value is None else float(value) for value in scores)  # type: ignore[arg-type]

    def _single(self) -> exp.Query:
        wanted = exp.EQ(this=column(SAMPLE_ID), expression=exp.Placeholder(this=ID))
        return self._scores(self._samples.lookup, wanted)

    def _few(self, ids: Sequence[str]) -> Iterator[pa.RecordBatch]:
        if self._way == "realtime":
            load_some(self._samples, ids)
        try:
            found = [self.one(one) for one in ids]
        except (MissingTableError, ExtractionError):
            if self._way == "realtime":
                load_raw(self._samples)
            yield from self._many(self._samples.batch, ids, 0)
            return
        if self._way == "realtime" and self._samples.source is None and None in found:
            yield from self._many(self._samples.batch, ids, 0)
            return
        yield self._batch(range(len(ids)), found)

    def _many(self, engine: Engine, ids: Iterable[str], start: int) -> Iterator[pa.RecordBatch]:
        """Join the ids with what the engine holds."""
        asked = Table(
            f"asked_{secrets.token_hex(6)}",
            (Column("position", ColumnType.INTEGER), Column(ASKED_ID, ColumnType.TEXT)),
            ("position",),
        )
        engine.ensure(asked)
        try:
            engine.append(asked, _numbered(ids, start, asked))
            place = exp.table_(asked.name, quoted=True)
            among = exp.select(column(ASKED_ID, asked.name)).from_(place.copy())
            wanted = exp.In(this=column(SAMPLE_ID), query=among.subquery())
            scored = self._scores(engine, wanted).subquery("scored", copy=False)
            names = [f"score_{output}" for output in range(self._model.outputs)]
            known = exp.Not(this=exp.Is(this=column(SAMPLE_ID, "scored"), expression=exp.Null()))
            flag = exp.Case().when(known, exp.Literal.number(1)).else_(exp.Literal.number(0))
            query = (
                exp.select(column("position", "asked"), flag.as_("found"))
                .select(*(column(name, "scored") for name in names))
                .from_(place.as_("asked"))
                .join(
                    scored,
                    on=column(ASKED_ID, "asked").eq(column(SAMPLE_ID, "scored")),
                    join_type="left",
                )
            )
            for batch in engine.stream(query):
                yield _as_answer(batch)
        finally:
            engine.drop(asked.name)

    def _scores(self, engine: Engine, wanted: exp.Expression) -> exp.Query:
        """sample_id and scores of the wanted samples."""
        if self._way == "offline":
            return predictions_of(engine, self._model, self._version, self._samples.name, wanted)
        if self._way == "nearline":
            source = kept_source(self._samples, engine, wanted)
        else:
            if self._samples.script is not None and engine is self._samples.lookup:
                kept_features(self._samples, engine)  # by which its few rows are read
            extracted = look_at(self._samples, engine)
            source = extracted_source(self._samples, engine, extracted, wanted)
        return score_query(engine, self._model, inputs_of(self._model, source, self._samples.name))

    def _batch(self, positions: Iterable[int], found: Sequence[Scores | None]) -> pa.RecordBatch:
        nothing = (np.nan,) * self._model.outputs
        scores = np.array([nothing if one is None else one for one in found], np.float64)
        scores = scores.reshape(len(found), self._model.outputs)
        return pa.record_batch(
            {
                "position": pa.array(positions, pa.int64()),
                "found": pa.array([one is not None for one in found], pa.bool_()),
                **{f"score_{output}": scores[:, output] for output in range(self._model.outputs)},
            }
        )


def score(
    model: ScoringModel,
    way: Way,
    ids: Iterable[str],
    samples: Samples,
    version: int | None = None,
) -> Iterator[pa.RecordBatch]:
    """One request; see `Scorer.score`. A row is there for every id, in any order."""
    return Scorer(model, way, samples, version).score(ids)


def _numbered(ids: Iterable[str], start: int, asked: Table) -> Iterator[pa.RecordBatch]:
    remaining, schema = iter(ids), arrow_schema(asked.columns)
    while chunk := list(itertools.islice(remaining, IDS_A_BATCH)):
        positions = pa.array(range(start, start + len(chunk)), pa.int64())
        start += len(chunk)
        yield pa.record_batch([positions, pa.array(chunk, pa.string())], schema)


def _as_answer(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Flags as booleans, missing scores as NaN."""
    arrays = [batch.column("position"), batch.column("found").cast(pa.bool_())]
    arrays += [array.fill_null(np.nan) for array in batch.columns[2:]]
    return pa.record_batch(arrays, names=batch.schema.names)

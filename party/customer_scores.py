"""Where a party's models and customers are: its engines, opened for scoring (C2, S2, S4)."""

import contextlib
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from sqlglot import exp

from events.predictions import Way
from party.opening import Party
from party.samples import open_samples
from party.turns import takes_long
from scoring.engines.engine import Engine
from scoring.errors import EngineUnavailableError, MissingTableError, ModelTableError
from scoring.features import SAMPLE_ID, column
from scoring.loading import load_raw
from scoring.model_tables import ModelTables, StoredModel
from scoring.models import ScoringModel
from scoring.sample_features import features_of, look_at
from scoring.sample_inputs import kept_features
from scoring.samples import Samples
from scoring.serving import Scorer

MOST_SCORERS = 100
LOADING = threading.Lock()  # one track of this process at a time
CALM_SHARE = 20  # loading takes at most a twentieth of the time


@dataclass(frozen=True)
class ScoredRows:
    """Of some of the customers asked for, by their positions: found or not, and the scores."""

    positions: NDArray[np.int64]
    found: NDArray[np.bool_]
    scores: NDArray[np.float64]


class CustomerScores:
    """One kind of sample and the models over it; a context manager, for one thread.

    The look-up engine stays open; the batch engine is let go after each use, since an embedded one
    admits a single process. Every method raises ScoringError.
    """

    def __init__(self, samples: Samples) -> None:
        self._samples = samples
        self._scorers: dict[tuple[str, int, Way], Scorer] = {}
        self._not_before = 0.0
        self._loaded: str | None = None

    @property
    def lookup(self) -> Engine:
        return self._samples.lookup

    def ids(self) -> Iterator[str]:
        """All own customers that can be scored; their raw rows are brought up to date at once."""
        samples = self._samples
        load_raw(samples)
        try:
            extracted = look_at(samples, samples.batch)
            query = features_of(samples, samples.batch, extracted, columns=())
        except MissingTableError:
            query = kept_features(samples, samples.batch).relation([])
        return self._ids_of(exp.select(column(SAMPLE_ID)).from_(query.subquery("own")))

    def _ids_of(self, query: exp.Query) -> Iterator[str]:
        try:
            for batch in self._samples.batch.stream(query):
                yield from batch.column(SAMPLE_ID).to_pylist()
        finally:
            self._samples.release()

    def store(self, model: ScoringModel) -> StoredModel:
        """Convert the model, once, into the tables of both engines, which score by them."""
        try:
            in_batch = ModelTables(self._samples.batch).store(model)
            stored = ModelTables(self._samples.lookup).store(model)
        finally:
            self._samples.release()
        if in_batch.version != stored.version:
            raise ModelTableError(
                f"model {model.model_id} has version {in_batch.version} in the batch engine and "
                f"{stored.version} in the look-up engine: one of them was made anew without its "
                "models"
            )
        return stored

    def model(self, model_id: str, version: int) -> ScoringModel:
        return ModelTables(self._samples.lookup).load(model_id, version)

    def stored(self, model_id: str, version: int) -> StoredModel:
        return ModelTables(self._samples.lookup).stored(model_id, version)

    def score(
        self, model: ScoringModel, version: int, way: Way, ids: Iterable[str]
    ) -> Iterator[ScoredRows]:
        """Partial scores of these customers, in any order."""
        if way == "realtime":
            self._bring_up_to_date()
        try:
            for batch in self._scorer(model, version, way).score(ids):
                scores = [batch.column(f"score_{one}") for one in range(model.outputs)]
                yield ScoredRows(
                    positions=batch.column("position").to_numpy(),
                    found=batch.column("found").to_numpy(zero_copy_only=False),
                    scores=np.stack([one.to_numpy() for one in scores], axis=1),
                )
        finally:
            self._samples.release()

    def _bring_up_to_date(self) -> None:
        """Load a source that has changed as a whole: looking into it for each request is slower."""
        source, now = self._samples.source, time.monotonic()
        if source is None or now < self._not_before:
            return
        fingerprint = source.fingerprint()
        if fingerprint is not None and fingerprint != self._loaded:
            takes_long()
            with contextlib.suppress(EngineUnavailableError), LOADING:
                load_raw(self._samples)  # or, while others have the engine, only what is asked for
                self._loaded = fingerprint
            self._samples.release()
            self._not_before = now + CALM_SHARE * (time.monotonic() - now)

    def close(self) -> None:
        self._scorers.clear()
        self._samples.__exit__()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _scorer(self, model: ScoringModel, version: int, way: Way) -> Scorer:
        """Kept, since single look-ups are prepared once."""
        key = (model.model_id, version, way)
        if key not in self._scorers:
            if len(self._scorers) >= MOST_SCORERS:
                self._scorers.clear()
            self._scorers[key] = Scorer(model, way, self._samples, version)
        return self._scorers[key]


def open_scores(party: Party) -> CustomerScores:
    """Raises SettingsError where the party has nothing to score."""
    settings = party.settings
    return CustomerScores(open_samples(settings, party.folder.path, settings.scoring.samples))

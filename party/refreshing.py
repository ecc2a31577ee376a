"""Features and results ahead of time, at a party: locked, and told to its log (S4)."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from events.features import MOST_INDICES, FeaturesRefreshed, VariableStability
from events.models import ModelSaved
from events.preparation import DataPrepared
from events.terms import WithNobody
from handlers.drafts import Draft
from handlers.model_life import model_life
from handlers.prepared import own_prepared
from party.appending import Causes, StoredDraft, append_draft
from party.errors import AlreadyRunningError, BusyError
from party.jobs import job_history
from party.lock import running_alone
from party.opening import Party
from party.samples import open_samples, sample_kinds
from scoring.arriving import settle
from scoring.model_tables import ModelTables
from scoring.precomputed import precompute
from scoring.refreshing import Refreshed, refresh
from scoring.sample_inputs import lacks
from scoring.samples import Samples
from scoring.stability import WARNING, TrainingBins

PATIENCE_SECONDS = 60.0


@dataclass(frozen=True)
class Computed:
    """How many samples have a result of this version of a model."""

    model_id: str
    version: int
    samples: int


def refresh_features(
    party: Party,
    kind: str | None = None,
    *,
    anew: bool = False,
    patience: float = PATIENCE_SECONDS,
) -> tuple[str, Refreshed]:
    """Bring a kind's features up to its raw rows, and note it in the log; tells the kind's name.

    Raises SettingsError, SourceError, ScoringError, and BusyError: another one is at it.
    """
    samples = open_samples(party.settings, party.folder.path, kind)
    with refreshing_alone(party, patience), samples:
        return samples.name, _refresh(party, samples, anew=anew)


def precompute_scores(
    party: Party, kind: str | None = None, *, patience: float = PATIENCE_SECONDS
) -> tuple[Computed, ...]:
    """Refresh the features, then score every sample by every active model (S4, offline).

    Raises as `refresh_features`. Twice changes nothing; what broke off is done the next time.
    """
    samples = open_samples(party.settings, party.folder.path, kind)
    with refreshing_alone(party, patience), samples:
        _refresh(party, samples, anew=False)
        computed = []
        for model_id, version in active_models(party, samples).items():
            model = ModelTables(samples.lookup).load(model_id, version)
            if len(sample_kinds(party.settings)) > 1 and lacks(samples, samples.batch, model):
                continue  # a model of another kind of samples
            computed.append(Computed(model_id, version, precompute(samples, model, version)))
    return tuple(computed)


@contextmanager
def refreshing_alone(party: Party, patience: float) -> Iterator[None]:
    """One refresh at a time, from cron or by hand. Raises BusyError."""
    try:
        with running_alone(party.folder.path / "features.lock", patience):
            yield
    except AlreadyRunningError:
        raise BusyError(
            f"the features of {party.name} are being refreshed by another process: "
            "try again when it is done"
        ) from None


def active_models(party: Party, samples: Samples) -> Mapping[str, int]:
    """The models that answer requests now, and their versions."""
    active = {}
    for model_id in sorted({one.model_id for one in ModelTables(samples.lookup).versions()}):
        life = model_life(job_history(party.log, model_id))
        if life.active is not None and not life.withdrawn_by:
            active[model_id] = life.active
    return active


def note_refreshed(party: Party, event: FeaturesRefreshed) -> None:
    """A private event: it goes to nobody."""
    stored = StoredDraft(Draft(event, ""), ())
    with party.log.transaction() as transaction:
        append_draft(transaction, party, stored, Causes(), WithNobody())


def training_bins(party: Party, models: Sequence[str]) -> list[TrainingBins]:
    """What the trainings of these models found in the bins of their variables."""
    found = []
    for model_id in models:
        history = job_history(party.log, model_id)
        if not history.has(ModelSaved, source=party.name) or not history.has(DataPrepared):
            continue  # a model from elsewhere
        prepared = own_prepared(history, party.own)
        codes = prepared.training_codes
        for bins, of_variable in zip(prepared.variables, codes, strict=True):
            counts = np.bincount(of_variable, minlength=bins.bins)
            found.append(TrainingBins(model_id, bins, tuple(counts.tolist())))
        party.own.forget(model_id)
    return found


def _refresh(party: Party, samples: Samples, *, anew: bool) -> Refreshed:
    settle(samples)
    trainings = training_bins(party, list(active_models(party, samples)))
    done = refresh(samples, trainings, anew=anew)
    indices = sorted(done.stability.items(), key=lambda item: -item[1])
    note_refreshed(
        party,
        FeaturesRefreshed(
            kind=samples.name,
            origin="refresh",
            rows=done.rows,
            samples=done.samples,
            digest=done.digest,
            observed_until=done.until.isoformat() if done.until else None,
            unstable=sum(index > WARNING for _, index in indices),
            stability=tuple(
                VariableStability(model_id=model_id, variable=variable[:200], index=index)
                for (model_id, variable), index in indices[:MOST_INDICES]
            ),
        ),
    )
    return done

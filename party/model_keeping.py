"""What an operator does with models: convert, activate, go back, retire, withdraw (C1, C2, C4)."""

from dataclasses import dataclass

from events.event import Event
from events.models import (
    ConsentRevoked,
    ModelActivated,
    ModelConverted,
    ModelOrigin,
    ModelRetired,
    ModelSaved,
)
from events.vocabulary import DATA_ROLES, Role
from handlers.agreement import version_to_write
from handlers.drafts import Draft
from handlers.history import History
from handlers.model_life import ModelLife, model_life
from handlers.protocol_versions import SPOKEN
from party.appending import Causes, StoredDraft, append_draft
from party.customer_scores import open_scores
from party.errors import RequestError, SourceError
from party.jobs import job_history
from party.opening import Party
from party.samples import open_samples, sample_kinds
from scoring.errors import ScoringError
from scoring.files.trained import read_trained
from scoring.models import ScoringModel
from scoring.sample_inputs import check_inputs


@dataclass(frozen=True)
class Conversion:
    """What is in the model tables now, and whether it came there by this conversion."""

    event: ModelConverted
    is_new: bool


def convert_trained(party: Party, model_id: str) -> Conversion:
    """The party's half of a model that was trained here; twice changes nothing.

    Raises RequestError where there is no such half, and ScoringError.
    """
    history = job_history(party.log, model_id)
    return keep_conversion(party, store_trained(party, history))


def convert_document(party: Party, model: ScoringModel) -> Conversion:
    """A model that was read from a file; a changed one is a new version.

    Raises ScoringError, also where it reads columns that no sample of the party has.
    """
    check_has_data(party)
    _check_inputs(party, model)
    return keep_conversion(party, store_model(party, model, "file"))


def store_trained(party: Party, history: History) -> ModelConverted:
    """Put the half that training saved into the model tables. Raises as `convert_trained`."""
    saved = history.of(ModelSaved, source=party.name)
    if not saved:
        raise RequestError(
            f"{party.name} has no half of a model {history.job}: `tally job list` shows what was "
            "trained, `tally convert --file` takes models from elsewhere"
        )
    content = party.payloads.read(saved[-1].payload("model").commitment)
    return store_model(party, read_trained(content, history.job), "training")


def store_model(party: Party, model: ScoringModel, origin: ModelOrigin) -> ModelConverted:
    with open_scores(party) as source:
        stored = source.store(model)
    return ModelConverted(
        job=stored.model_id,
        version=stored.version,
        kind=stored.kind,
        outputs=stored.outputs,
        digest=stored.digest,
        origin=origin,
    )


def keep_conversion(party: Party, converted: ModelConverted) -> Conversion:
    """Say it in the log, once a version."""
    history = job_history(party.log, converted.job)
    if known := model_life(history).version(converted.version):
        return Conversion(known, is_new=False)
    _say(party, converted, history)
    return Conversion(converted, is_new=True)


def life_of(party: Party, model_id: str) -> ModelLife:
    """Raises RequestError: no version of the model is in this party's tables."""
    life = model_life(job_history(party.log, model_id))
    if not life.versions:
        raise RequestError(
            f"{party.name} has no model {model_id} in its tables: `tally model list` shows what "
            "it has, `tally convert` adds one"
        )
    return life


def activate(party: Party, model_id: str, version: int | None = None) -> ModelActivated:
    """Answer by this version, or the newest. Raises RequestError: there is no such version."""
    life = life_of(party, model_id)
    number = version or life.versions[-1].version
    if life.version(number) is None:
        known = ", ".join(str(one.version) for one in life.versions)
        raise RequestError(f"{model_id} has no version {number}: there are {known}")
    if life.active == number:
        raise RequestError(f"version {number} of {model_id} answers requests already")
    instead_of = life.before if life.last == number else life.last  # a retirement changes neither
    event = ModelActivated(job=model_id, version=number, instead_of=instead_of)
    _say(party, event, job_history(party.log, model_id))
    return event


def roll_back(party: Party, model_id: str) -> ModelActivated:
    """Answer by the version that was active before. Raises RequestError: there was none."""
    life = life_of(party, model_id)
    if life.is_retired:
        raise RequestError(
            f"{model_id} is retired: `tally model activate {model_id} --version {life.last}` "
            "takes it back as it was"
        )
    if life.before is None:
        raise RequestError(f"no other version of {model_id} was active before")
    return activate(party, model_id, life.before)


def retire(party: Party, model_id: str) -> None:
    """Answer no request for the model any more. Raises RequestError: none is answered now."""
    life = life_of(party, model_id)
    if life.active is None:
        raise RequestError(f"{model_id} is retired already")
    _say(party, ModelRetired(job=model_id), job_history(party.log, model_id))


def withdraw(party: Party, model_id: str) -> None:
    """A participant takes back its consent, for all members to hear, for good.

    Raises RequestError where this party took no part in a training of the model.
    """
    history = job_history(party.log, model_id)
    if not history.is_known or not history.has(ModelSaved, source=party.name):
        raise RequestError(
            f"{party.name} took no part in a training of {model_id}: `tally model retire` stops "
            "serving a model from elsewhere"
        )
    if party.role is not Role.PARTICIPANT:
        raise RequestError(
            f"{party.name} is a {party.role}: it retires the model, `tally model retire`"
        )
    if history.has(ConsentRevoked, source=party.name):
        raise RequestError(f"{party.name} has withdrawn its consent to {model_id} already")
    _say(party, ConsentRevoked(), history)


def check_has_data(party: Party) -> None:
    if party.role not in DATA_ROLES:
        raise RequestError(f"{party.name} is a {party.role}: only a party with data holds a model")


def _check_inputs(party: Party, model: ScoringModel) -> None:
    """Any kind of samples may be the model's; the one that requests are answered from tells why."""
    kinds = sorted(sample_kinds(party.settings), key=party.settings.scoring.samples.__eq__)
    for kind in kinds:
        with open_samples(party.settings, party.folder.path, kind) as samples:
            try:
                check_inputs(samples, model)
            except (ScoringError, SourceError):
                if kind == kinds[-1]:
                    raise
            else:
                return


def _say(party: Party, event: Event, history: History) -> None:
    opening = history.opening.envelope if history.is_known else None
    causes = Causes(
        shared=opening.id if opening else None,
        private=opening.id if opening else None,
        not_before=opening.time if opening else "",
    )
    agreement = history.agreement if history.is_known else None
    version = version_to_write(history) if history.is_known else SPOKEN.newest
    with party.log.transaction() as transaction:
        stored = StoredDraft(Draft(event, history.job), ())
        append_draft(transaction, party, stored, causes, agreement, version)

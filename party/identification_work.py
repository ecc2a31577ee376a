"""A data party's and an arbiter's work on a request for labels (requirements L1, L3).

Scores come from the party's tables, or, of customers held out, from its training; how often each
customer was identified, from its own log, brought up to date first.
"""

from collections.abc import Sequence
from contextlib import closing
from functools import partial

import numpy as np

from events.identifying import IdentificationTerms
from events.predictions import PartialScoreReturned
from events.preparation import RowsAligned
from events.vocabulary import Role
from handlers.errors import JobError
from handlers.evaluation import held_out_outcomes
from handlers.history import History
from handlers.identification_arbiter import recall
from handlers.identification_model import Objection
from handlers.identification_request import (
    own_customers,
    own_task,
    requested,
    swept_places,
)
from handlers.identifier import OwnRows, carry_out
from handlers.model_life import model_life
from handlers.prepared import held_out_mask, own_snapshot
from handlers.preparing import common_rows
from handlers.refusals import rejection
from handlers.scores import held_out_scores
from handlers.tasks import read_task
from learning.fixed_point import to_grid
from party.appending import StoredDraft, store_payloads
from party.jobs import job_history
from party.opening import Party
from party.projecting import views_address
from party.scoring_desk import ScoringDesk
from projections import IDENTIFIED, Views, exhausted
from projections.identified import PAGE


def take_part(party: Party, history: History, desk: ScoringDesk) -> StoredDraft:
    """What the party needs for its part of a request, or why it takes none.

    Raises ScoringError, SourceError, SettingsError, StoreError.
    """
    terms = requested(history)
    model = job_history(party.log, terms.model_id)
    try:
        if party.role is Role.ARBITER:
            return store_payloads(party, recall(history, party.own, model))
        rows = partial(_swept if terms.purpose == "sweep" else _scored, party, history, model, desk)
        drafted = carry_out(history, party.own, model, rows, partial(_exhausted, party, terms))
    except JobError as error:
        drafted = rejection(history, error.code, error.detail)
    except BaseException:
        desk.close()
        raise
    finally:
        party.own.forget(terms.model_id)
    return store_payloads(party, drafted)


def _scored(
    party: Party, history: History, model: History, desk: ScoringDesk
) -> OwnRows | Objection:
    """From the raw rows as they are now, by the tables."""
    terms, life = requested(history), model_life(model)
    version = life.version(life.active) if life.active is not None else None
    if version is None:
        word = "retired" if life.is_retired else "not converted"
        return "retired", f"{party.name} has {word} the model {terms.model_id}"
    if version.origin != "training":
        return "unknown-model", (
            f"{party.name} serves a version of {terms.model_id} that is not the training's: its "
            "weights and ranges do not belong to it (`tally model activate`)"
        )
    wanted = _wanted(party, history, terms, desk)
    part = desk.score(terms.model_id, version.version, "realtime", wanted)
    customers = [one if here else None for one, here in zip(wanted, part.found, strict=True)]
    scores = to_grid(np.where(part.found, part.scores[:, 0], 0.0))
    return OwnRows(customers, scores, version.version)


def _wanted(
    party: Party, history: History, terms: IdentificationTerms, desk: ScoringDesk
) -> Sequence[str | None]:
    if terms.requester == party.name:
        return own_customers(history, party.own)
    return desk.find(*read_task(own_task(history, party.own)))


def _swept(
    party: Party, history: History, model: History, _desk: ScoringDesk
) -> OwnRows | Objection:
    """The customers held out of the training, as the training scored them."""
    own, terms = party.own, requested(history)
    held_out = model.one(RowsAligned).event.held_out_rows
    if held_out != terms.rows:
        return "data", f"{held_out} customers were held out of {terms.model_id}, not {terms.rows}"
    places = swept_places(history, own)
    rows = common_rows(model, own)[held_out_mask(model, own)][places]
    ids = own_snapshot(model, own).ids
    scores = held_out_scores(model, own)[places]
    customers = [ids[row] for row in rows.tolist()]
    if terms.requester != party.name:
        return OwnRows(customers, scores)
    if not model.has_from_all(PartialScoreReturned, model.terms.participants):
        return "data", f"{terms.model_id} was not measured on the customers held out"
    outcomes, joint = held_out_outcomes(model, own)
    return OwnRows(customers, scores, outcomes=np.stack([outcomes[places], joint[places]]))


def _exhausted(party: Party, terms: IdentificationTerms, customers: Sequence[str]) -> int:
    """How many of them the quota forbids, by the log as it is now."""
    limit = party.settings.policy.labels_per_customer
    address = views_address(party.settings, party.folder)
    with closing(Views(address, party.payloads, [IDENTIFIED])) as views:
        views.catch_up(party.log)
        pages = (customers[start : start + PAGE] for start in range(0, len(customers), PAGE))
        if limit == 0:
            return len(customers)
        return sum(
            views.select(exhausted(terms.model_id, page, limit))[0]["customers"] for page in pages
        )

"""Asking from outside the log which customers a model identifies, and the answer (L1, L3)."""

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError

from events.catalogue import CATALOGUE
from events.identifying import (
    FinalLabelsRecorded,
    IdentificationRejected,
    IdentificationTerms,
    Purpose,
    ThresholdsCompared,
)
from events.preparation import RowsAligned
from events.terms import Member
from events.vocabulary import DATA_ROLES, Role
from handlers.agreement import asking_about
from handlers.history import History
from handlers.identification_model import objection, unfit
from handlers.identification_request import label_request, own_customers, sweep_request
from handlers.model_life import model_life
from handlers.policy import Policy
from party.appending import Causes, append_draft, store_payloads
from party.errors import RequestError
from party.jobs import job_history
from party.opening import Party
from party.predicting import model_name

PATIENCE_SECONDS = 600


@dataclass(frozen=True)
class LabelWish:
    """Labels of these customers by this model at a threshold; without one, a sweep."""

    model_id: str
    customers: Sequence[str] = ()
    tau: float | None = None
    release_scores: bool = False
    seconds: int = PATIENCE_SECONDS

    @property
    def purpose(self) -> Purpose:
        return "sweep" if self.tau is None else "labels"


@dataclass(frozen=True)
class Labels:
    """Of every customer asked for: 1 or -1, or None; F in hundredths where it was released.

    `own` names the customers whom the asking party has itself.
    """

    recorded: FinalLabelsRecorded
    labels: Mapping[str, int | None]
    scores: Mapping[str, int | None] | None
    parties: tuple[str, ...]
    own: frozenset[str] = field(repr=False)


@dataclass(frozen=True)
class LabelAnswer:
    """How a request ended: with labels, with a sweep's figures, or rejected and why."""

    labels: Labels | None = None
    swept: ThresholdsCompared | None = None
    rejected: IdentificationRejected | None = None
    rejected_by: str = ""


def request_labels(party: Party, wish: LabelWish) -> str:
    """Send a task to every party of the model, and the rows' handles to the arbiter.

    Returns the job's id. Raises RequestError before anything is said: a model that cannot identify,
    a party that is not trusted, a threshold outside (0, 1), a customer named twice.
    """
    model = job_history(party.log, model_name(wish.model_id))
    terms = identification_terms(party, wish, model)
    job = f"identify-{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(4)}"
    own = asking_about(model, party.own)
    if terms.purpose == "sweep":
        drafted = sweep_request(terms, own, job)
    else:
        drafted = label_request(terms, own, wish.customers, job)
    stored = store_payloads(party, drafted)
    with party.log.transaction() as transaction:
        append_draft(transaction, party, stored, Causes(), terms)
    return job


def check_wish(party: Party, wish: LabelWish) -> None:
    """Raises RequestError as `request_labels` would, and says nothing to anybody."""
    identification_terms(party, wish, job_history(party.log, model_name(wish.model_id)))


def identification_terms(party: Party, wish: LabelWish, model: History) -> IdentificationTerms:
    """Raises RequestError; see `request_labels`."""
    if party.role not in DATA_ROLES:
        raise RequestError(f"{party.name} is a {party.role}: a party with data asks for labels")
    if wish.purpose == "sweep" and party.role is not Role.LOCAL:
        raise RequestError(f"{party.name} has no outcomes: only the local party sweeps thresholds")
    if told := unfit(model):
        raise RequestError(told)
    if wish.purpose == "labels":
        _check_customers(party, wish, model)
    trained = [one for one in model.terms.members if one.role is not Role.AUDITOR]
    auditors = [
        Member(name=card.name, role=card.role)
        for card in party.trusted
        if card.role is Role.AUDITOR
    ]
    try:
        terms = IdentificationTerms(
            members=(*trained, *auditors),
            requester=party.name,
            model_id=wish.model_id,
            purpose=wish.purpose,
            tau=wish.tau,
            rows=_rows(wish, model),
            release_scores=wish.release_scores,
            answer_within_seconds=wish.seconds,
        )
    except ValidationError as error:
        raise RequestError(f"this cannot be asked for: {_faults(error)}") from None
    _check_members(party, terms)
    if told_of_model := objection(terms, model, Policy()):
        raise RequestError(told_of_model[1])
    return terms


def answer_of(party: Party, history: History) -> LabelAnswer | None:
    """How the request ended; None while it is under way."""
    if found := history.of(FinalLabelsRecorded):
        content = party.payloads.read(found[0].payload("labels").commitment)
        return LabelAnswer(labels=_labels(party, history, found[0].event, json.loads(content)))
    if swept := history.of(ThresholdsCompared):
        return LabelAnswer(swept=swept[0].event)
    if history.is_over:
        rejected = history.of(IdentificationRejected)[0]
        return LabelAnswer(rejected=rejected.event, rejected_by=rejected.source)
    return None


def last_sweep(party: Party, model_id: str) -> ThresholdsCompared | None:
    """What this party's newest sweep over a model found."""
    for entry in reversed(party.log.said_since(party.name, ThresholdsCompared.type_name(), "")):
        event = CATALOGUE.read(entry.envelope).event
        if isinstance(event, ThresholdsCompared) and event.model_id == model_id:
            return event
    return None


def _labels(
    party: Party, history: History, recorded: FinalLabelsRecorded, document: Mapping[str, Any]
) -> Labels:
    """By the ids that were asked for; who is not here is in the request alone."""
    asked = own_customers(history, party.own)
    scores = document["scores"]
    return Labels(
        recorded=recorded,
        labels={one: label or None for one, label in zip(asked, document["labels"], strict=True)},
        scores=None if scores is None else dict(zip(asked, scores, strict=True)),
        parties=history.agreement.data_parties,
        own=frozenset(one for one in document["customers"] if one is not None),
    )


def _rows(wish: LabelWish, model: History) -> int:
    if wish.purpose == "labels":
        return len(wish.customers)
    if rows := model.one(RowsAligned).event.held_out_rows:
        return rows
    raise RequestError(f"no customers were held out of {wish.model_id}: nothing to sweep over")


def _check_customers(party: Party, wish: LabelWish, model: History) -> None:
    if not wish.customers or not all(wish.customers):
        raise RequestError("name the customers to be identified: there are none, or an empty id")
    if len(set(wish.customers)) != len(wish.customers):
        count = len(wish.customers) - len(set(wish.customers))
        raise RequestError(f"customers are named more than once ({count} times too often)")
    life = model_life(model)
    if life.active is None:
        remedy = f"`tally model activate {wish.model_id}`" if life.is_retired else "`tally convert`"
        raise RequestError(f"{party.name} does not serve {wish.model_id}: {remedy} puts that right")


def _check_members(party: Party, terms: IdentificationTerms) -> None:
    for member in terms.members:
        card = party.trusted.card(member.name)
        if member.name != party.name and (card is None or card.role is not member.role):
            raise RequestError(
                f"{member.name} is not trusted here as {member.role}: get its card, compare "
                "fingerprints, and run `tally party trust`"
            )


def _faults(error: ValidationError) -> str:
    """In a user's words; pydantic's own for tau quotes the bounds."""
    faults = []
    for detail in error.errors(include_input=False):
        place = ".".join(str(one) for one in detail["loc"])
        message = detail["msg"].removeprefix("Value error, ")
        faults.append(f"{place}: {message}" if place else message)
    return "; ".join(faults)

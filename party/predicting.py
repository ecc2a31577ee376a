"""Asking for predictions from outside the log: the members, the first event, the results (S1)."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from pydantic import TypeAdapter, ValidationError

from events.predictions import (
    PredictionCompleted,
    PredictionRejected,
    PredictionTerms,
    Way,
)
from events.terms import Member
from events.vocabulary import ASKING_ROLES, DATA_ROLES, PRIVATE_STREAM, Role, StreamName
from handlers.agreement import asking_about
from handlers.history import History
from handlers.initiator import Order, prediction_request
from handlers.model_life import model_life
from party.appending import Causes, append_draft, store_payloads
from party.errors import RequestError
from party.jobs import job_history
from party.opening import Party
from scoring.results import Results, decode_results

PATIENCE_SECONDS: dict[Way, int] = {"realtime": 60, "nearline": 60, "offline": 3600}


@dataclass(frozen=True)
class Wish:
    """What somebody wants to know: scores of these customers, by this model, served this way.

    `parties` are the data parties of a model that this party has not seen trained; those that it
    trusts unless named.
    """

    model_id: str
    ids: Sequence[str]
    way: Way = "realtime"
    threshold: float | None = None
    seconds: int | None = None
    parties: Sequence[str] = ()


@dataclass(frozen=True)
class Answer:
    """How a prediction ended: with results, or rejected and why."""

    completed: PredictionCompleted | None = None
    results: Results | None = None
    rejected: PredictionRejected | None = None
    rejected_by: str = ""


def request_prediction(party: Party, wish: Wish, model: History | None = None) -> str:
    """Send one task to every party of the model; returns the job's id.

    `model` is what the log says under the model's id, where the caller has it. Raises RequestError
    before anything is said: a model that does not serve, a member that is not trusted, bad ids.
    """
    model = model or job_history(party.log, model_name(wish.model_id))
    terms = prediction_terms(party, wish, model)
    job = f"score-{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(4)}"
    order, own = Order(wish.ids, wish.threshold), asking_about(model, party.own)
    stored = store_payloads(party, prediction_request(terms, own, order, job))
    with party.log.transaction() as transaction:
        append_draft(transaction, party, stored, Causes(), terms)
    return job


def prediction_terms(party: Party, wish: Wish, model: History) -> PredictionTerms:
    """Raises RequestError; see `request_prediction`."""
    if party.role not in ASKING_ROLES:
        raise RequestError(
            f"{party.name} is a {party.role}: a local party or an initiator asks for scores"
        )
    if not wish.ids or any(not one for one in wish.ids):
        raise RequestError("name the customers to be scored: there are none, or an empty id")
    _check_serves(party, wish, model)
    members = [Member(name=party.name, role=party.role)]
    for name in _others(party, wish, model):
        card = party.trusted.card(name)
        if card is None:
            raise RequestError(
                f"{name} is not a party that {party.name} trusts: get its card, compare "
                "fingerprints, and run `tally party trust`"
            )
        members.append(Member(name=name, role=card.role))
    try:
        return PredictionTerms(
            members=tuple(members),
            initiator=party.name,
            model_id=wish.model_id,
            way=wish.way,
            rows=len(wish.ids),
            answer_within_seconds=wish.seconds or PATIENCE_SECONDS[wish.way],
        )
    except ValidationError as error:
        told = "; ".join(detail["msg"].removeprefix("Value error, ") for detail in error.errors())
        raise RequestError(f"these parties cannot be asked for scores: {told}") from None


def answer_of(party: Party, history: History) -> Answer | None:
    """How the prediction ended; None while it is under way."""
    if found := history.of(PredictionCompleted):
        content = party.payloads.read(found[0].payload("results").commitment)
        return Answer(completed=found[0].event, results=decode_results(content))
    if rejected := history.of(PredictionRejected):
        return Answer(rejected=rejected[0].event, rejected_by=rejected[0].source)
    return None


def _check_serves(party: Party, wish: Wish, model: History) -> None:
    life = model_life(model)
    if life.withdrawn_by:
        raise RequestError(
            f"{', '.join(life.withdrawn_by)} withdrew the consent to {wish.model_id}"
        )
    if party.role not in DATA_ROLES:
        return
    if not life.versions:
        raise RequestError(
            f"{party.name} has no model {wish.model_id} in its tables: `tally model list` shows "
            "what it has, `tally convert` adds one"
        )
    if life.active is None:
        raise RequestError(
            f"{party.name} has retired {wish.model_id}: `tally model activate` serves it again"
        )


def _others(party: Party, wish: Wish, model: History) -> list[str]:
    """The data parties to be asked, and the auditors that this party trusts."""
    if model.is_known:
        parties = list(model.terms.data_parties)
    elif wish.parties:
        parties = list(wish.parties)
    else:
        parties = [card.name for card in party.trusted if card.role in DATA_ROLES]
    auditors = [card.name for card in party.trusted if card.role is Role.AUDITOR]
    return [name for name in dict.fromkeys([*parties, *auditors]) if name != party.name]


def model_name(text: str) -> str:
    """The text, if it can name a model. Raises RequestError."""
    try:
        name: str = TypeAdapter(StreamName).validate_python(text)
    except ValidationError:
        name = PRIVATE_STREAM
    if name == PRIVATE_STREAM:
        raise RequestError(f"{text!r} cannot name a model: it is the id of a training job")
    return name

"""How a party with a table answers a request: its policy, its quota, its data (D2, A2)."""

from events.catalogue import Fact
from events.intersection import IntersectionsCounted
from events.lifecycle import TrainingAccepted, TrainingDeclined, TrainingRequested, WorkFailed
from events.preparation import DataSnapshotted
from events.vocabulary import Role
from handlers.agreement import to_be_told
from handlers.drafts import Decision, Draft, Work, draft
from handlers.history import History
from handlers.own import Own, secret_commitment
from handlers.policy import refusal


def answer_request(history: History, fact: Fact[TrainingRequested], own: Own) -> Decision:
    terms = fact.event.terms
    if reason := refusal(terms, own.policy):
        return [_declined(history, reason)]
    if terms.mart is not None and own.name != terms.mart:
        return [accepted(history, own, customers=0, data=None)]  # the mart brings the data
    if fact.event.customers > own.policy.largest_set:
        reason = f"{fact.event.customers} customers are more than this party compares at once"
        return [_declined(history, reason)]
    tells_members = terms.alignment in {"psi", "mart"}
    return [Work("intersections" if tells_members else "snapshot", history.job)]


def keep_quota(history: History, fact: Fact[IntersectionsCounted], own: Own) -> Decision:
    """Every comparison tells the requester who is a customer here: so many a day, no more."""
    if fact.event.within_a_day < own.policy.intersections_per_day:
        return [Work("snapshot", history.job)]
    reason = (
        f"{fact.event.requester} has had {fact.event.within_a_day} sets compared within a day, "
        "as many as this party allows: ask again tomorrow"
    )
    return [_declined(history, reason)]


def accept(history: History, fact: Fact[DataSnapshotted], own: Own) -> Decision:
    """How many customers a mart has is nobody's business."""
    is_mart = history.terms.role_of(own.name) is Role.MART
    customers = 0 if is_mart else fact.event.customers
    return [accepted(history, own, customers, fact.payload("table").commitment)]


def accepted(history: History, own: Own, customers: int, data: str | None) -> Draft:
    event = TrainingAccepted(
        customers=customers,
        secret_commitment=secret_commitment(own.secret, history.job),
        data_commitment=data,
        speaks=to_be_told(history, own.speaks),
    )
    return draft(event, history.job, history.terms)


def decline_without_data(history: History, fact: Fact[WorkFailed], own: Own) -> Decision:
    if fact.event.work != "snapshot":
        return []
    reason = f"{own.name} cannot read its data; its operator finds the reason in its log"
    return [_declined(history, reason)]


def _declined(history: History, reason: str) -> Draft:
    return draft(TrainingDeclined(reason=reason), history.job, history.terms)

"""Whether customers can be identified by a model, as this party's log knows it (L1, L4)."""

from events.identification import WeightsAnnounced
from events.identifying import IdentificationCode, IdentificationTerms
from events.models import ConsentRevoked
from handlers.history import History
from handlers.identification import identifies
from handlers.policy import Policy

Objection = tuple[IdentificationCode, str]


def objection(terms: IdentificationTerms, model: History, policy: Policy) -> Objection | None:
    """Why a member of a request takes no part in it, or None; `model` is what its log says."""
    admitted = policy.identification_requesters
    if admitted and terms.requester not in admitted:
        return "untrusted-requester", (
            f"{terms.requester} is not among the parties for whom customers are identified"
        )
    if told := unfit(model):
        return "unknown-model", told
    trained = (*model.terms.data_parties, model.terms.arbiter)
    if set(trained) != {*terms.data_parties, terms.arbiter}:
        return "not-a-member", (
            f"the model {terms.model_id} is one of {', '.join(trained)}, all together"
        )
    if withdrawn := model.of(ConsentRevoked):
        parties = ", ".join(fact.source for fact in withdrawn)
        return "consent-withdrawn", f"{parties} withdrew the consent to use {terms.model_id}"
    return None


def unfit(model: History) -> str | None:
    """Why nobody can be identified by this model, or None (requirement L4)."""
    name = model.job
    if not model.is_known:
        return f"no model {name} was trained here: customers are identified by trained models"
    if not identifies(model.terms):
        return (
            f"{name} is a {model.terms.kind} model of the {model.terms.profile} profile: customers "
            'are identified by a logistic model of profile = "patent"'
        )
    if model.terms.mart is not None:
        return f"{name} has its columns from a mart: its participant knows no customers"
    if not model.has(WeightsAnnounced):
        return f"{name} has no weights of the parties: the training has not ended, or is an old one"
    return None

"""What an operator does to a job from outside the log: ask for a training, and call it off."""

from pydantic import TypeAdapter, ValidationError

from events.catalogue import Fact
from events.event import Event
from events.lifecycle import TrainingFailed, TrainingRequested
from events.terms import Terms
from events.vocabulary import PRIVATE_STREAM, Role, StreamName
from handlers.agreement import offer, version_to_write
from handlers.drafts import draft
from handlers.errors import JobError
from handlers.local import training_request
from handlers.policy import refusal
from party.appending import Causes, append_draft, store_payloads
from party.contributions import read_mart_key
from party.errors import RequestError
from party.jobs import job_history
from party.opening import Party
from party.work import snapshot


def request_training(party: Party, job: str, terms: Terms) -> Fact[Event]:
    """Ask the members of `terms` for a joint model; the link sends it when the party runs.

    Reads the party's own data first, and writes everything or nothing. Raises RequestError (also
    when somebody else asked under this name meanwhile), SourceError, SettingsError, StoreError.
    """
    check_request(party, job, terms)
    event, stored_data = snapshot(party, job, terms)
    request = training_request(terms, party.own, event.customers, stored_data.payloads[0], job)
    stored_request = store_payloads(party, request)
    with party.log.transaction() as transaction:
        if transaction.stream_head(party.name, job):  # reading the data took its time
            raise _requested_before(job)
        snapshotted = append_draft(transaction, party, stored_data, Causes(), terms)
        causes = Causes(not_before=snapshotted.envelope.time)
        return append_draft(transaction, party, stored_request, causes, terms)


def cancel_training(party: Party, job: str, detail: str = "") -> Fact[Event]:
    """Call a job off for all members. Raises RequestError when there is nothing to call off."""
    history = job_history(party.log, job)
    if not history.is_known:
        raise RequestError(f"there is no job {job} in the log of {party.name}")
    if history.is_over:
        raise RequestError(f"job {job} is over already")
    if history.is_stopped:
        raise RequestError(f"the training of job {job} has ended: nothing undoes a trained model")
    if party.role is Role.AUDITOR:
        raise RequestError("an auditor watches jobs and cancels none")
    failed = TrainingFailed(code="cancelled", detail=detail or f"cancelled by {party.name}")
    requested = history.one(TrainingRequested).envelope
    stored = store_payloads(party, draft(failed, job, history.terms))
    with party.log.transaction() as transaction:
        causes = Causes(shared=requested.id, not_before=requested.time)
        version = version_to_write(history)
        return append_draft(transaction, party, stored, causes, history.terms, version)


def check_request(party: Party, job: str, terms: Terms) -> None:
    """Raise RequestError unless this party may ask these members for this job.

    Raises KeyFileError where a mart takes part and the key of its members is not here.
    """
    try:
        TypeAdapter(StreamName).validate_python(job)
    except ValidationError:
        job_is_name = False
    else:
        job_is_name = job != PRIVATE_STREAM
    if not job_is_name:
        raise RequestError(
            f"{job!r} cannot name a job: use lower-case letters, digits and dashes, at most 64"
        )
    if party.role is not Role.LOCAL:
        raise RequestError(
            f"{party.name} is a {party.role}: only a local party asks for a training"
        )
    if terms.local != party.name:
        raise RequestError(f"the job's local party is {terms.local}, this party is {party.name}")
    if job_history(party.log, job).is_known:
        raise _requested_before(job)
    if objection := refusal(terms, party.settings.policy):
        raise RequestError(f"this party's own policy does not allow it: {objection}")
    try:
        offer(terms, party.settings.speaks)
    except JobError as error:
        raise RequestError(error.detail) from None
    _check_members(party, terms)


def _requested_before(job: str) -> RequestError:
    return RequestError(f"job {job} was requested before: give the new one another name")


def _check_members(party: Party, terms: Terms) -> None:
    if terms.mart is not None:
        read_mart_key(party.folder.mart_key)
    for member in terms.members:
        if member.name != party.name:
            _check_member(party, member.name, member.role)


def _check_member(party: Party, name: str, role: Role) -> None:
    card = party.trusted.card(name)
    if card is None:
        raise RequestError(
            f"{name} is not a party that {party.name} trusts: get its card, compare fingerprints, "
            "and run `tally party trust`"
        )
    if card.role is not role:
        raise RequestError(f"{name} is a {card.role}, the job wants it as {role}")

"""The end of a demo of the patent profile: customers held out are identified (L1 to L4)."""

import time
from collections.abc import Mapping

from events.identifying import ThresholdFigures
from events.vocabulary import Frozen
from party.identifying import LabelAnswer, LabelWish, answer_of, request_labels
from party.jobs import job_history
from party.opening import Party
from tallystick.demo.scoring import held_out_customers, wait_until_converted
from tallystick.errors import DemoError

TAU = 0.03  # of the source
PATIENCE_SECONDS = 300.0


class IdentifiedCustomers(Frozen):
    """Labels of some held-out customers at one threshold, and what thresholds are worth."""

    customers: int
    known: int
    labelled: int
    tau: float
    seconds: float
    auc: float
    auc_joint: float
    thresholds: tuple[ThresholdFigures, ...]


def identify_held_out(parties: Mapping[str, Party], job: str) -> IdentifiedCustomers | None:
    """A sweep of the bank's, then labels that a participant asks for.

    None where nobody can be identified by the model, or nobody was held out. Raises DemoError.
    """
    bank = parties["bank"]
    history = job_history(bank.log, job)
    terms = history.terms
    customers = held_out_customers(history, bank)
    if terms.profile != "patent" or terms.mart is not None or not customers:
        return None
    wait_until_converted(parties, job)
    swept = _answer(bank, LabelWish(job)).swept
    began = time.monotonic()
    asker = parties[terms.participants[0]]
    labels = _answer(asker, LabelWish(job, customers, TAU)).labels
    if swept is None or labels is None:
        raise DemoError("the model identifies nobody: see `tally log show`")
    recorded = labels.recorded
    return IdentifiedCustomers(
        customers=recorded.rows,
        known=recorded.known,
        labelled=recorded.labelled,
        tau=recorded.tau,
        seconds=round(time.monotonic() - began, 3),
        auc=swept.auc,
        auc_joint=swept.joint_auc,
        thresholds=swept.points,
    )


def _answer(asker: Party, wish: LabelWish) -> LabelAnswer:
    job = request_labels(asker, wish)
    give_up = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < give_up:
        answer = answer_of(asker, job_history(asker.log, job))
        if answer is not None and answer.rejected is not None:
            raise DemoError(f"nobody is identified: {answer.rejected.detail}")
        if answer is not None:
            return answer
        time.sleep(0.02)
    raise DemoError("no answer to the request for labels: see `tally log show`")

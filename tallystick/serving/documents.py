"""What business systems say and are told, as JSON documents."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from events.predictions import Way
from party.predicting import Answer, Wish
from scoring.results import Results, labels_of
from tallystick.score_file import statuses

MOST_IDS = 100_000


class ScoreRequest(BaseModel):
    """Scores of these customers by a model; `within` is how many seconds the parties have."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    model: str = Field(min_length=1, max_length=64)
    ids: list[str] = Field(min_length=1, max_length=MOST_IDS)
    how: Way = "realtime"
    threshold: float | None = None
    within: int | None = Field(default=None, ge=1, le=86_400)

    def wish(self) -> Wish:
        return Wish(self.model, tuple(self.ids), self.how, self.threshold, self.within)


class ScoredCustomer(BaseModel):
    """`probability`, `value` or `probabilities`, by the kind of model; none unless scored."""

    id: str
    status: str
    probability: float | None = None
    value: float | None = None
    probabilities: list[float] | None = None
    label: int | None = None


class ScoreReply(BaseModel):
    model: str
    version: int
    results: list[ScoredCustomer]


class Refusal(BaseModel):
    """Why there are no scores; `party` is who says so."""

    error: str
    detail: str
    party: str | None = None


Status = Literal[200, 403, 404, 409, 429, 502, 504]
STATUS_OF: dict[str, Status] = {
    "unknown-model": 404,
    "not-a-member": 403,
    "untrusted-requester": 403,
    "rate-limit": 429,
    "retired": 409,
    "consent-withdrawn": 409,
    "deadline": 504,
}


def reply_to(answer: Answer, threshold: float | None) -> tuple[Status, dict[str, Any]]:
    """An HTTP status, and the document."""
    if answer.rejected is not None:
        code = answer.rejected.code
        refusal = Refusal(error=code, detail=answer.rejected.detail, party=answer.rejected_by)
        return STATUS_OF.get(code, 502), refusal.model_dump(exclude_none=True)
    assert answer.completed is not None, "an answer is a result or a rejection"  # noqa: S101
    assert answer.results is not None, "a result has rows"  # noqa: S101
    reply = ScoreReply(
        model=answer.completed.model_id,
        version=answer.completed.model_version,
        results=_customers(answer.results, threshold),
    )
    return 200, reply.model_dump(exclude_none=True)


def _customers(results: Results, threshold: float | None) -> list[ScoredCustomer]:
    outputs = results.values.shape[1]
    labels = labels_of(results, threshold or 0.0)
    told = threshold is not None or outputs > 1
    scored = results.scored
    customers = []
    for row, (customer, status) in enumerate(zip(results.ids, statuses(results), strict=True)):
        values = results.values[row].tolist() if scored[row] else None
        single = values[0] if values and outputs == 1 else None
        is_value = results.combination == "sum"
        customers.append(
            ScoredCustomer(
                id=customer,
                status=status,
                probability=None if is_value else single,
                value=single if is_value else None,
                probabilities=values if outputs > 1 else None,
                label=labels[row] if told else None,
            )
        )
    return customers

"""The trained model, and how good it is (requirements C1, S2)."""

from typing import ClassVar

from pydantic import Field

from events.event import Event, kept, payload_rules, sealed_to
from events.vocabulary import DATA_ROLES, Frozen, Role


class ModelSaved(Event):
    """A party keeps its half of the model; the job's id is the model's id (C1)."""

    ISSUERS: ClassVar = DATA_ROLES
    PAYLOADS: ClassVar = payload_rules(model=kept("json", "bins and parameters of this half"))
    columns: int = Field(ge=1)


class PartialScoreReturned(Event):
    """A participant's partial scores of the held-out rows, for the local party to combine (S2)."""

    ISSUERS: ClassVar = frozenset({Role.PARTICIPANT})
    PAYLOADS: ClassVar = payload_rules(
        scores=sealed_to(Role.LOCAL, "int64", "partial scores on the grid, in the common order")
    )
    rows: int = Field(ge=1)


class CalibrationBin(Frozen):
    predicted: float
    observed: float
    rows: int


class Quality(Frozen):
    """Figures on rows held out of training; None where the kind of model has no such figure."""

    auc: float | None = None
    ks: float | None = None
    lift: float | None = None
    log_loss: float | None = None
    r2: float | None = None
    rmse: float | None = None


class ModelEvaluated(Event):
    """The joint model and the local party's own model on the held-out rows; private."""

    PRIVATE: ClassVar = True
    ISSUERS: ClassVar = frozenset({Role.LOCAL})
    job: str
    rows: int = Field(ge=1)
    joint: Quality
    alone: Quality
    calibration: tuple[CalibrationBin, ...]

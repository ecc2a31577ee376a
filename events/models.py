"""The trained model, how good it is, and its life as a table (requirements C1, C2)."""

from typing import ClassVar, Literal

from pydantic import Field

from events.event import Event, kept, payload_rules
from events.vocabulary import DATA_ROLES, Digest, Frozen, Role, StreamName

ModelOrigin = Literal["training", "file"]


class ModelSaved(Event):
    """A party keeps its half of the model; the job's id is the model's id (C1)."""

    ISSUERS: ClassVar = DATA_ROLES
    PAYLOADS: ClassVar = payload_rules(model=kept("json", "bins and parameters of this half"))
    columns: int = Field(ge=1)


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


class ModelConverted(Event):
    """A party's half of a model is a row of its model table (C2); private, and no weight is told.

    `digest` is that of the model's document; the same document is never converted twice.
    """

    PRIVATE: ClassVar = True
    ISSUERS: ClassVar = DATA_ROLES
    job: StreamName
    version: int = Field(ge=1)
    kind: str = Field(max_length=100)
    outputs: int = Field(ge=1)
    digest: Digest
    origin: ModelOrigin


class ModelActivated(Event):
    """Requests are answered by this version from now on; `instead_of` is what a rollback is to."""

    PRIVATE: ClassVar = True
    ISSUERS: ClassVar = DATA_ROLES
    job: StreamName
    version: int = Field(ge=1)
    instead_of: int | None = Field(default=None, ge=1)


class ModelRetired(Event):
    """No request for the model is answered here any more, until a version is activated again."""

    PRIVATE: ClassVar = True
    ISSUERS: ClassVar = DATA_ROLES
    job: StreamName


class ConsentRevoked(Event):
    """A participant withdraws its consent to the use of the model: it serves it no more."""

    ISSUERS: ClassVar = frozenset({Role.PARTICIPANT})

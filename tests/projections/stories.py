"""What a bank's log says of a job, from the request to the quality of the model."""

import hashlib
from collections.abc import Iterable, Iterator

import rfc8785

from events.envelope import Envelope
from events.event import Event
from events.lifecycle import TrainingAccepted, TrainingRequested, TrainingStopped
from events.models import ModelEvaluated, ModelSaved, Quality
from events.preparation import PublicKeyIssued
from events.rounds import EncryptedScorePosted, LossRecorded, RoundCompleted
from store import Log, PayloadStore
from tests.envelopes import SOME_DIGEST, Issuer, reference, terms

MODEL = {
    "model_id": "job-1",
    "party": "bank",
    "role": "local",
    "kind": "logistic",
    "profile": "default",
    "intercept": -2.25,
    "variables": [
        {
            "name": "balance",
            "rule": "zero / non-zero",
            "edges": [0.0],
            "bins": [
                {"label": "= 0", "weight": 0.5, "rows": 100},
                {"label": "> 0", "weight": -0.25, "rows": 200},
            ],
        },
        {"name": "age", "rule": "constant", "bins": [{"label": "all", "weight": 2.0**-24}]},
    ],
}


class Story:
    """The three parties of a job, each with its key."""

    def __init__(self) -> None:
        self.bank, self.partner, self.arbiter = map(Issuer, ("bank", "partner", "arbiter"))

    def requested(self, job: str = "job-1") -> Envelope:
        event = TrainingRequested(
            terms=terms(),
            customers=1000,
            secret_commitment=SOME_DIGEST,
            data_commitment=SOME_DIGEST,
        )
        return self.bank.says(event, job)

    def accepted(self, issuer: Issuer, job: str = "job-1") -> Envelope:
        event = TrainingAccepted(
            customers=900, secret_commitment=SOME_DIGEST, data_commitment=SOME_DIGEST
        )
        return issuer.says(event, job)

    def key_issued(self, job: str = "job-1") -> Envelope:
        event = PublicKeyIssued(key_id="a" * 64, modulus="f" * 512, obfuscator_base="e" * 1024)
        return self.arbiter.says(event, job)

    def loss(self, number: int, value: float, job: str = "job-1") -> Envelope:
        return self.bank.says(LossRecorded(job=job, round=number, measure="loss", value=value))

    def model_saved(
        self, payloads: PayloadStore, document: object = MODEL, job: str = "job-1"
    ) -> Envelope:
        content = rfc8785.dumps(document)  # type: ignore[arg-type]
        salt = hashlib.sha256(job.encode()).digest()
        stored = payloads.put(salt, [content])
        model = reference("model", "json", stored.commitment, (stored.size,), stored.size)
        return self.bank.says(ModelSaved(columns=3), job, payloads={"model": model})

    def evaluated(self, job: str = "job-1") -> Envelope:
        quality = Quality(auc=0.75)
        event = ModelEvaluated(job=job, rows=200, joint=quality, alone=quality, calibration=())
        return self.bank.says(event)

    def whole(self, payloads: PayloadStore) -> Iterator[Envelope]:
        """Two rounds, to the end; the partner's half of the model stays with the partner."""
        yield self.requested()
        yield self.accepted(self.partner)
        yield self.accepted(self.arbiter)
        yield (key := self.key_issued())
        yield self.partner.says(EncryptedScorePosted(round=1), cause=key)
        yield self.loss(1, 0.693)
        yield self.arbiter.says(RoundCompleted(round=1))
        yield self.loss(2, 0.5)
        yield self.arbiter.says(TrainingStopped(round=2, reason="all flags raised"))
        yield self.model_saved(payloads)
        yield self.partner.says(ModelSaved(columns=5))
        yield self.evaluated()


def append(log: Log, *envelopes: Envelope) -> None:
    with log.transaction() as transaction:
        for envelope in envelopes:
            transaction.append(envelope, envelope.canonical_bytes())


def say(log: Log, issuer: Issuer, events: Iterable[Event]) -> None:
    append(log, *(issuer.says(event) for event in events))

"""What a bank's log says of a job, from the request to the quality of the model."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
import rfc8785

from events.envelope import Envelope, PayloadReference
from events.event import Event
from events.identifying import (
    CustomersIdentified,
    CustomersScored,
    EncryptedProbabilitiesPosted,
    FinalLabelsRecorded,
    IdentificationRequested,
    IdentificationTerms,
)
from events.lifecycle import TrainingAccepted, TrainingRequested, TrainingStopped
from events.models import ModelEvaluated, ModelSaved, Quality
from events.predictions import (
    Missing,
    PartialScoreReturned,
    PredictionCompleted,
    PredictionRequested,
    PredictionTerms,
)
from events.preparation import PublicKeyIssued
from events.rounds import EncryptedScorePosted, LossRecorded, RoundCompleted
from scoring.results import Results, encode_results
from store import Log, PayloadStore
from tests.envelopes import MEMBERS, SOME_DIGEST, Issuer, reference, terms

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

    def prediction(
        self,
        payloads: PayloadStore,
        values: Sequence[float],
        *,
        threshold: float | None = 0.5,
        job: str = "score-1",
    ) -> Iterator[Envelope]:
        """The bank asks for customers "1", "2" …; NaN where the partner does not have one."""
        members = (MEMBERS[0], MEMBERS[1])
        rows = len(values)
        terms = PredictionTerms(
            members=members, initiator="bank", model_id="spring", way="realtime", rows=rows
        )
        asked = PredictionRequested(terms=terms, secret_commitment=SOME_DIGEST)
        yield (request := self.bank.says(asked, job))
        part = PartialScoreReturned(rows=rows, combination="sigmoid", model_version=1)
        yield self.bank.says(part, job, cause=request)
        yield self.partner.says(part, job, cause=request)
        missing = np.isnan(values)
        status = np.stack([np.zeros(rows), missing], axis=1).astype(np.uint8)
        results = Results(
            ids=tuple(str(number + 1) for number in range(rows)),
            parties=("bank", "partner"),
            combination="sigmoid",
            values=np.array(values)[:, None],
            status=status,
        )
        stored = payloads.put(hashlib.sha256(job.encode()).digest(), [encode_results(results)])
        kept = reference("results", "results", stored.commitment, (stored.size,), stored.size)
        completed = PredictionCompleted(
            job=job,
            model_id="spring",
            model_version=1,
            rows=rows,
            scored=rows - int(missing.sum()),
            missing=(Missing(party="partner", rows=int(missing.sum())),),
            threshold=threshold,
        )
        yield self.bank.says(completed, payloads={"results": kept})

    def identification(
        self,
        payloads: PayloadStore,
        labels: Mapping[str, int],
        *,
        tau: float = 0.03,
        scores: Sequence[int | None] | None = None,
        job: str = "identify-1",
    ) -> Iterator[Envelope]:
        """The bank asks; label 0 is that of a customer whom the partner lacks."""
        rows, counts = len(labels), Counter(labels.values())
        terms = IdentificationTerms(
            members=MEMBERS, requester="bank", model_id="spring", tau=tau, rows=rows
        )
        asked = IdentificationRequested(terms=terms, secret_commitment=SOME_DIGEST)
        yield (request := self.bank.says(asked, job))
        scored = CustomersScored(
            job=job,
            model_id="spring",
            version=1,
            found=rows,
            key_id=SOME_DIGEST,
            modulus="f",
            obfuscator_base="e",
        )
        known = self._document(payloads, "customers", list(labels))
        yield self.bank.says(scored, cause=request, payloads=known)
        posted = EncryptedProbabilitiesPosted(rows=rows, key_id=SOME_DIGEST)
        for issuer in (self.bank, self.partner):
            yield (last := issuer.says(posted, job, cause=request))
        identified = CustomersIdentified(
            model_id="spring",
            purpose="labels",
            tau=tau,
            rows=rows,
            known=rows - counts[0],
            labelled=counts[1],
        )
        yield (told := self.arbiter.says(identified, job, cause=last))
        recorded = FinalLabelsRecorded(
            job=job,
            model_id="spring",
            version=1,
            tau=tau,
            rows=rows,
            known=rows - counts[0],
            labelled=counts[1],
        )
        document = {"customers": list(labels), "labels": list(labels.values()), "scores": scores}
        kept = self._document(payloads, "labels", document)
        yield self.bank.says(recorded, cause=told, payloads=kept)

    def _document(
        self, payloads: PayloadStore, name: str, document: object
    ) -> dict[str, PayloadReference]:
        stored = payloads.put(bytes(32), [json.dumps(document).encode()])
        return {name: reference(name, "json", stored.commitment, (stored.size,), stored.size)}


def append(log: Log, *envelopes: Envelope) -> None:
    with log.transaction() as transaction:
        for envelope in envelopes:
            transaction.append(envelope, envelope.canonical_bytes())


def say(log: Log, issuer: Issuer, events: Iterable[Event]) -> None:
    append(log, *(issuer.says(event) for event in events))

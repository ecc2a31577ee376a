"""The protocol of a training (requirements T, A): what its members may say, and when."""

from typing import Any

from events.catalogue import Fact
from events.identification import LossPosted, WeightsAnnounced
from events.intersection import (
    BlindedIdentifiersPosted,
    DoublyBlindedIdentifiersReturned,
    RowsMatched,
)
from events.lifecycle import (
    TrainingAccepted,
    TrainingDeclined,
    TrainingFailed,
    TrainingRequested,
    TrainingStopped,
)
from events.mart import FeaturesDelivered, IdentifiersMatched
from events.models import ConsentRevoked, ModelSaved
from events.predictions import PartialScoreReturned
from events.preparation import (
    FeaturesPrepared,
    IdentifiersPosted,
    LabelsShared,
    PublicKeyIssued,
    RowsAligned,
)
from events.rounds import (
    EncryptedGradientPosted,
    EncryptedResidualPosted,
    EncryptedScorePosted,
    MaskedResultDecrypted,
    RoundCompleted,
    StopFlagRaised,
)
from handlers.errors import ProtocolError
from handlers.history import History
from handlers.identification import check_loss, check_weights
from handlers.intersection_conformance import (
    check_alignment_is_agreed,
    check_all_are_told,
    check_blinded,
    check_matched,
    check_returned,
)
from handlers.mart_conformance import (
    check_aligned_with_mart,
    check_delivery,
    check_identifiers_matched,
    check_posted_to_mart,
)
from handlers.protocol import WITNESSED, Protocol
from handlers.round_conformance import (
    check_gradient,
    check_residuals,
    check_result,
    check_scores,
)


def _check_answer(history: History, fact: Fact[Any]) -> None:
    said_both = history.has(TrainingAccepted, source=fact.source) and history.has(
        TrainingDeclined, source=fact.source
    )
    if said_both:
        raise ProtocolError(f"{fact.source} accepts and declines the same job")


def _check_identifiers(history: History, fact: Fact[IdentifiersPosted]) -> None:
    check_alignment_is_agreed(history, fact)
    if fact.source == history.terms.local:
        check_posted_to_mart(history, fact)
        return
    accepted = history.of(TrainingAccepted, source=fact.source)
    if not accepted or accepted[0].event.customers != fact.event.customers:
        raise ProtocolError(f"{fact.source} posts other identifiers than it accepted with")


def _check_rows(history: History, fact: Fact[RowsAligned]) -> None:
    event = fact.event
    if event.training_rows + event.held_out_rows != event.rows:
        raise ProtocolError(f"{fact.source} aligns rows that do not add up")
    if event.rows < history.terms.smallest_overlap:
        raise ProtocolError(f"{fact.source} aligns fewer rows than the terms allow")
    check_all_are_told(history, fact)
    check_aligned_with_mart(history, fact)


def _check_features(history: History, fact: Fact[FeaturesPrepared]) -> None:
    fewest = 1 if history.terms.coding == "ordinal" else 2
    if fact.event.columns < fewest * fact.event.variables:
        raise ProtocolError(f"{fact.source} announces too few columns for its variables")


def _check_returned(history: History, fact: Fact[PartialScoreReturned]) -> None:
    if not fact.event.is_held_out or fact.source not in history.terms.participants:
        raise ProtocolError(f"{fact.source} returns scores that nobody asked for")
    if fact.event.rows != history.one(RowsAligned).event.held_out_rows:
        raise ProtocolError(f"{fact.source} returns scores of other rows than were held out")


TRAINING = Protocol(
    name="a training",
    events=frozenset(
        {
            TrainingRequested,
            TrainingAccepted,
            TrainingDeclined,
            TrainingStopped,
            TrainingFailed,
            FeaturesDelivered,
            IdentifiersMatched,
            LossPosted,
            WeightsAnnounced,
            PublicKeyIssued,
            IdentifiersPosted,
            LabelsShared,
            RowsAligned,
            FeaturesPrepared,
            EncryptedScorePosted,
            EncryptedResidualPosted,
            EncryptedGradientPosted,
            MaskedResultDecrypted,
            StopFlagRaised,
            RoundCompleted,
            ModelSaved,
            PartialScoreReturned,
            BlindedIdentifiersPosted,
            DoublyBlindedIdentifiersReturned,
            RowsMatched,
            ConsentRevoked,
            *WITNESSED,
        }
    ),
    said_once_per={
        BlindedIdentifiersPosted: ("batch",),
        DoublyBlindedIdentifiersReturned: ("batch",),
        RowsMatched: ("owner",),
        FeaturesDelivered: ("delivery",),
        EncryptedScorePosted: ("round",),
        EncryptedResidualPosted: ("round",),
        EncryptedGradientPosted: ("round",),
        MaskedResultDecrypted: ("round", "owner"),
        StopFlagRaised: ("round",),
        RoundCompleted: ("round",),
        **WITNESSED,
    },
    only_after={
        BlindedIdentifiersPosted: TrainingAccepted,
        RowsMatched: BlindedIdentifiersPosted,
        FeaturesDelivered: IdentifiersPosted,
        IdentifiersMatched: FeaturesDelivered,
        FeaturesPrepared: RowsAligned,
        LabelsShared: TrainingAccepted,
        EncryptedScorePosted: RowsAligned,
        ModelSaved: TrainingStopped,
        LossPosted: TrainingStopped,
        WeightsAnnounced: LossPosted,
        PartialScoreReturned: TrainingStopped,
        ConsentRevoked: TrainingStopped,
    },
    content={
        TrainingAccepted: _check_answer,
        TrainingDeclined: _check_answer,
        IdentifiersPosted: _check_identifiers,
        BlindedIdentifiersPosted: check_blinded,
        DoublyBlindedIdentifiersReturned: check_returned,
        RowsMatched: check_matched,
        FeaturesDelivered: check_delivery,
        LossPosted: check_loss,
        WeightsAnnounced: check_weights,
        IdentifiersMatched: check_identifiers_matched,
        RowsAligned: _check_rows,
        FeaturesPrepared: _check_features,
        EncryptedScorePosted: check_scores,
        EncryptedResidualPosted: check_residuals,
        EncryptedGradientPosted: check_gradient,
        MaskedResultDecrypted: check_result,
        PartialScoreReturned: _check_returned,
    },
)

"""The catalogue of events: every type once, every schema version readable, checked at start-up."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from pydantic import JsonValue, ValidationError
from pydantic_core import to_json

from events import (
    features,
    identification,
    identifying,
    intersection,
    lifecycle,
    mart,
    models,
    predictions,
    preparation,
    pruning,
    rotation,
    rounds,
    witness,
)
from events.downcasters import DOWNCASTERS, Downcaster
from events.envelope import Envelope, PayloadReference
from events.errors import CatalogueError, EnvelopeError, UnknownEventError
from events.event import Event
from events.upcasters import UPCASTERS, Upcaster

LATELY_READ = 256

EventType = TypeVar("EventType", bound=Event, covariant=True)  # noqa: PLC0105 - reads as a name


@dataclass(frozen=True)
class Fact(Generic[EventType]):
    """An envelope and the typed event in it."""

    envelope: Envelope
    event: EventType

    @property
    def source(self) -> str:
        return self.envelope.source

    @property
    def job(self) -> str:
        """The job this fact belongs to, also when it is private to its issuer."""
        if self.envelope.is_private:
            return str(getattr(self.event, "job", ""))
        return self.envelope.stream

    def payload(self, name: str) -> PayloadReference:
        return self.envelope.payload(name)


class Catalogue:
    """Types by name, and the way from each old schema version to the next, and sometimes back."""

    def __init__(
        self,
        types: Iterable[type[Event]],
        upcasters: Mapping[tuple[str, int], Upcaster] | None = None,
        downcasters: Mapping[tuple[str, int], Downcaster] | None = None,
    ) -> None:
        self.types: dict[str, type[Event]] = {}
        self.upcasters = dict(upcasters or {})
        self.downcasters = dict(downcasters or {})
        self._lately_read: list[Fact[Event] | None] = [None] * LATELY_READ
        for kind in types:
            if kind.type_name() in self.types:
                raise CatalogueError(f"two events are called {kind.type_name()}")
            if not kind.ISSUERS:
                raise CatalogueError(f"nobody may issue {kind.type_name()}")
            self.types[kind.type_name()] = kind
        self._check_upcasters()

    def _check_upcasters(self) -> None:
        expected = {
            (name, version)
            for name, kind in self.types.items()
            for version in range(1, kind.VERSION)
        }
        if missing := expected - self.upcasters.keys():
            raise CatalogueError(f"no upcaster from {sorted(missing)}: old logs could not be read")
        if surplus := self.upcasters.keys() - expected:
            raise CatalogueError(f"upcasters for versions that never were: {sorted(surplus)}")

    def type_of(self, envelope: Envelope) -> type[Event]:
        kind = self.types.get(envelope.type)
        if kind is None or envelope.schemaversion > kind.VERSION:
            raise UnknownEventError(
                f"{envelope.type} version {envelope.schemaversion} from {envelope.source} is not "
                "known to this software: bring all members to the same release"
            )
        return kind

    def read(self, envelope: Envelope) -> Fact[Event]:
        """The typed event, upcast to today's schema. Raises UnknownEventError, EnvelopeError.

        Several readers ask for the same one at about the same time.
        """
        place = id(envelope) // 16 % len(self._lately_read)
        known = self._lately_read[place]
        if known is None or known.envelope is not envelope:
            known = self._lately_read[place] = self._read(envelope)
        return known

    def _read(self, envelope: Envelope) -> Fact[Event]:
        kind = self.type_of(envelope)
        try:
            event = self._upcast(kind, envelope.data, envelope.schemaversion)
        except ValidationError as error:
            fields = sorted({".".join(map(str, detail["loc"])) for detail in error.errors()})
            raise EnvelopeError(
                f"{envelope.type} from {envelope.source} does not follow its schema: "
                f"{', '.join(fields) or 'the body as a whole'}"
            ) from None
        self._check_payloads(event, envelope)
        return Fact(envelope, event)

    def write(self, event: Event, version: int) -> dict[str, JsonValue]:
        """The body in this schema version. Raises EnvelopeError: it cannot be said in that."""
        body: dict[str, JsonValue] = event.model_dump(mode="json")
        if version == event.VERSION:
            return body
        kind = type(event)
        for newer in range(event.VERSION, version, -1):
            downcaster = self.downcasters.get((kind.type_name(), newer))
            if downcaster is None:
                raise EnvelopeError(f"{kind.type_name()} cannot be said in version {version}")
            body = downcaster(body)
        if self._upcast(kind, body, version) != event:
            raise EnvelopeError(f"what this {kind.type_name()} says is newer than {version}")
        return body

    def _upcast(self, kind: type[Event], body: dict[str, JsonValue], version: int) -> Event:
        for older in range(version, kind.VERSION):
            body = self.upcasters[kind.type_name(), older](dict(body))
        return kind.model_validate_json(to_json(body))

    def _check_payloads(self, event: Event, envelope: Envelope) -> None:
        rules = event.rules()
        if rules or envelope.payloads:
            expected = {name: rule.kind for name, rule in rules.items()}
            found = {reference.name: reference.kind for reference in envelope.payloads}
            if expected != found or len(found) != len(envelope.payloads):
                raise EnvelopeError(
                    f"{envelope.type} from {envelope.source} carries payloads {sorted(found)}, "
                    f"expected {sorted(expected)}"
                )
        if envelope.is_private != event.PRIVATE:
            raise EnvelopeError(f"{envelope.type} is in the wrong kind of stream")


CATALOGUE = Catalogue(
    [
        lifecycle.TrainingRequested,
        lifecycle.TrainingAccepted,
        lifecycle.TrainingDeclined,
        lifecycle.TrainingStopped,
        lifecycle.TrainingFailed,
        lifecycle.WorkFailed,
        lifecycle.DeadlinePassed,
        lifecycle.MessageRefused,
        preparation.DataSnapshotted,
        preparation.KeyPairGenerated,
        preparation.PublicKeyIssued,
        preparation.IdentifiersPosted,
        intersection.IntersectionsCounted,
        intersection.BlindedIdentifiersPosted,
        intersection.DoublyBlindedIdentifiersReturned,
        intersection.PeerIdentifiersBlinded,
        intersection.IntersectionComputed,
        intersection.RowsMatched,
        mart.FeaturesDelivered,
        mart.IdentifiersMatched,
        preparation.LabelsShared,
        preparation.RowsAligned,
        preparation.DataPrepared,
        preparation.FeaturesPrepared,
        rounds.EncryptedScorePosted,
        rounds.EncryptedResidualPosted,
        rounds.EncryptedGradientPosted,
        rounds.MaskedResultDecrypted,
        rounds.ParametersUpdated,
        rounds.LossRecorded,
        rounds.StopFlagRaised,
        rounds.RoundCompleted,
        identification.LossPosted,
        identification.ProbabilityRangeRecorded,
        identification.WeightsAnnounced,
        models.ModelSaved,
        models.ModelEvaluated,
        models.ModelConverted,
        models.ModelActivated,
        models.ModelRetired,
        models.ConsentRevoked,
        features.FeaturesRefreshed,
        pruning.PayloadsPruned,
        predictions.PredictionRequested,
        predictions.PartialScoreReturned,
        predictions.PredictionCompleted,
        predictions.PredictionRejected,
        identifying.IdentificationRequested,
        identifying.CustomersScored,
        identifying.ModelRecalled,
        identifying.EncryptedProbabilitiesPosted,
        identifying.CustomersIdentified,
        identifying.FinalLabelsRecorded,
        identifying.ThresholdsCompared,
        identifying.IdentificationRejected,
        witness.CheckpointPosted,
        witness.OwnEventsMissed,
        witness.LogRestored,
        witness.CheckpointDisputed,
        rotation.KeyRotated,
    ],
    UPCASTERS,
    DOWNCASTERS,
)

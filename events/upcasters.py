"""Yesterday's bodies as today's schemas want them: one function from each version to the next."""

from collections.abc import Callable, Mapping

from pydantic import JsonValue

JsonBody = dict[str, JsonValue]
Upcaster = Callable[[JsonBody], JsonBody]


def _columns_and_ciphertexts_were_single(body: JsonBody) -> JsonBody:
    """TrainingRequested 1: every variable had a column a bin, every customer a ciphertext."""
    terms = body.get("terms")
    if not isinstance(terms, dict):
        return body
    return body | {"terms": terms | {"coding": "one-hot", "rows_per_ciphertext": 1}}


def _as_it_stands(body: JsonBody) -> JsonBody:
    """What was added since may be left out, or is said by more parties than before."""
    return body


UPCASTERS: Mapping[tuple[str, int], Upcaster] = {
    ("TrainingRequested", 1): _columns_and_ciphertexts_were_single,
    ("TrainingRequested", 2): _as_it_stands,
    ("TrainingAccepted", 1): _as_it_stands,
    ("TrainingAccepted", 2): _as_it_stands,
    ("PredictionRequested", 1): _as_it_stands,
    ("IdentificationRequested", 1): _as_it_stands,
    ("TrainingDeclined", 1): _as_it_stands,
    ("TrainingFailed", 1): _as_it_stands,
    ("DataSnapshotted", 1): _as_it_stands,
    ("IdentifiersPosted", 1): _as_it_stands,
    ("WorkFailed", 1): _as_it_stands,
    ("WorkFailed", 2): _as_it_stands,
    ("DeadlinePassed", 1): _as_it_stands,
    ("MessageRefused", 1): _as_it_stands,
    ("PartialScoreReturned", 1): _as_it_stands,
    ("EncryptedScorePosted", 1): _as_it_stands,
    ("EncryptedResidualPosted", 1): _as_it_stands,
    ("MaskedResultDecrypted", 1): _as_it_stands,
}

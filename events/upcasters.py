"""Yesterday's bodies as today's schemas want them: one function from each version to the next."""

from collections.abc import Callable, Mapping

from pydantic import JsonValue

JsonBody = dict[str, JsonValue]
Upcaster = Callable[[JsonBody], JsonBody]


def _coding_was_one_hot(body: JsonBody) -> JsonBody:
    """TrainingRequested 1: every variable had a column a bin."""
    terms = body.get("terms")
    return body if not isinstance(terms, dict) else body | {"terms": terms | {"coding": "one-hot"}}


def _as_it_stands(body: JsonBody) -> JsonBody:
    """What was added since may be left out, or is said by more parties than before."""
    return body


UPCASTERS: Mapping[tuple[str, int], Upcaster] = {
    ("TrainingRequested", 1): _coding_was_one_hot,
    ("WorkFailed", 1): _as_it_stands,
    ("DeadlinePassed", 1): _as_it_stands,
    ("MessageRefused", 1): _as_it_stands,
    ("PartialScoreReturned", 1): _as_it_stands,
}

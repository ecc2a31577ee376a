"""Yesterday's bodies as today's schemas want them: one function from each version to the next."""

from collections.abc import Callable, Mapping

from pydantic import JsonValue

JsonBody = dict[str, JsonValue]
Upcaster = Callable[[JsonBody], JsonBody]


def _coding_was_one_hot(body: JsonBody) -> JsonBody:
    """TrainingRequested 1: every variable had a column a bin."""
    terms = body.get("terms")
    return body if not isinstance(terms, dict) else body | {"terms": terms | {"coding": "one-hot"}}


UPCASTERS: Mapping[tuple[str, int], Upcaster] = {
    ("TrainingRequested", 1): _coding_was_one_hot,
}

"""Today's bodies as yesterday's schemas want them: from each version to the one before.

For jobs in an older version of the protocol, whose members may know nothing newer. What cannot be
said in the older schema is noticed by `Catalogue.write`.
"""

from collections.abc import Callable, Mapping

from pydantic import JsonValue

JsonBody = dict[str, JsonValue]
Downcaster = Callable[[JsonBody], JsonBody]


def _without_versions(body: JsonBody) -> JsonBody:
    return {name: value for name, value in body.items() if name != "speaks"}


def _without_versions_and_escrows(body: JsonBody) -> JsonBody:
    terms = body["terms"]
    if isinstance(terms, dict):
        terms = {name: value for name, value in terms.items() if name != "escrows"}
    return {**_without_versions(body), "terms": terms}


DOWNCASTERS: Mapping[tuple[str, int], Downcaster] = {
    ("TrainingRequested", 3): _without_versions_and_escrows,
    ("TrainingAccepted", 3): _without_versions,
    ("PredictionRequested", 2): _without_versions,
    ("IdentificationRequested", 2): _without_versions,
}

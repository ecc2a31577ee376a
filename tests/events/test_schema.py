"""Schemas are a promise: a changed one needs a new version and an upcaster (D1)."""

import json
from pathlib import Path

from events.catalogue import CATALOGUE
from events.schema import asyncapi_document, catalogue_document, event_schemas

CATALOGUE_PAGE = Path(__file__).parents[2] / "docs" / "events.md"
RELEASED = Path(__file__).parent / "released_schemas.json"


def test_no_schema_changes_without_a_new_version() -> None:
    """Given the schemas as released, then today's differ only where the version is higher."""
    released = json.loads(RELEASED.read_text())
    today = event_schemas()
    for name, schema in released.items():
        assert name in today, f"{name} is gone: old logs could not be read"
        if today[name]["x-version"] == schema["x-version"]:
            assert today[name] == schema, (
                f"the schema of {name} changed: raise its VERSION, write an upcaster, and record "
                f"the new schema with `tally schema --events > {RELEASED.name}`"
            )


def test_every_event_is_released() -> None:
    released = json.loads(RELEASED.read_text())
    assert {name: schema["x-version"] for name, schema in released.items()} == {
        name: kind.VERSION for name, kind in CATALOGUE.types.items()
    }


def test_the_asyncapi_document_names_every_shared_event_and_no_private_one() -> None:
    document = asyncapi_document()
    shared = {name for name, kind in CATALOGUE.types.items() if not kind.PRIVATE}
    assert set(document["components"]["messages"]) == shared
    for message in document["components"]["messages"].values():
        name = message["payload"]["$ref"].removeprefix("#/components/schemas/")
        assert name in document["components"]["schemas"]


def test_the_page_of_events_is_what_the_code_says() -> None:
    assert CATALOGUE_PAGE.read_text() == catalogue_document(), (
        "make it again with `tally schema --catalogue > docs/events.md`"
    )

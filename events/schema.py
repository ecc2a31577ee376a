"""The vocabulary for other programs: JSON Schema of every event, and an AsyncAPI document."""

from typing import Any

from events.catalogue import CATALOGUE, Catalogue
from events.envelope import Envelope
from events.event import Event

CATALOGUE_PREFACE = (
    "Made from the code by `tally schema --catalogue`. A private event never leaves its party's "
    "log. Every shared event goes to all members of the job; a payload is sealed to "
    "the roles named."
)
JSON_SCHEMA = "https://json-schema.org/draft/2020-12/schema"


def event_schemas(catalogue: Catalogue = CATALOGUE) -> dict[str, Any]:
    """One JSON Schema an event, by type, with version, issuers and payloads as annotations."""
    return {name: _event_schema(kind) for name, kind in sorted(catalogue.types.items())}


def envelope_schema() -> dict[str, Any]:
    return {"$schema": JSON_SCHEMA, **Envelope.model_json_schema()}


def asyncapi_document(catalogue: Catalogue = CATALOGUE) -> dict[str, Any]:
    """AsyncAPI 3.0: one exchange, a routing key `<sender>.<recipient>`, one message an event."""
    shared = {name: kind for name, kind in sorted(catalogue.types.items()) if not kind.PRIVATE}
    messages = {
        name: {
            "name": name,
            "title": name,
            "summary": _summary(kind),
            "contentType": "application/cloudevents+json",
            "payload": {"$ref": f"#/components/schemas/{name}"},
        }
        for name, kind in shared.items()
    }
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Tallystick", "version": "1"},
        "channels": {
            "federation": {
                "address": "{sender}.{recipient}",
                "description": "Topic exchange `tallystick`; each party reads its own queue.",
                "parameters": {
                    "sender": {"description": "name of the issuing party"},
                    "recipient": {"description": "name of the receiving party"},
                },
                "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
            }
        },
        "operations": {
            "receive": {
                "action": "receive",
                "channel": {"$ref": "#/channels/federation"},
            }
        },
        "components": {
            "messages": messages,
            "schemas": {name: _event_schema(kind) for name, kind in shared.items()},
        },
    }


def catalogue_document(catalogue: Catalogue = CATALOGUE) -> str:
    """The catalogue for people, in Markdown: who says what, and who may open which payload."""
    lines = ["# The events", "", CATALOGUE_PREFACE]
    for kind in catalogue.types.values():
        issuers = ", ".join(sorted(kind.ISSUERS))
        privacy = "private" if kind.PRIVATE else "shared"
        lines += ["", f"## {kind.type_name()}", "", f"*{privacy}, by {issuers}, version "]
        lines[-1] += f"{kind.VERSION}.* {' '.join((kind.__doc__ or '').split())}"
        if fields := ", ".join(f"`{name}`" for name in kind.model_fields):
            lines += ["", f"Says {fields}."]
        for name, rule in kind.PAYLOADS.items():
            readers = ", ".join(sorted(rule.readers)) or "nobody else"
            lines += ["", f"- payload `{name}` ({rule.kind}), opened by {readers}: {rule.meaning}"]
    return "\n".join(lines) + "\n"


def _event_schema(kind: type[Event]) -> dict[str, Any]:
    schema = kind.model_json_schema()
    return {
        "$schema": JSON_SCHEMA,
        **schema,
        "x-version": kind.VERSION,
        "x-private": kind.PRIVATE,
        "x-issuers": sorted(kind.ISSUERS),
        "x-payloads": {
            name: {
                "kind": rule.kind,
                "readers": sorted(rule.readers),
                "meaning": rule.meaning,
            }
            for name, rule in sorted(kind.PAYLOADS.items())
        },
    }


def _summary(kind: type[Event]) -> str:
    return (kind.__doc__ or "").split("\n\n")[0].replace("\n", " ").strip()

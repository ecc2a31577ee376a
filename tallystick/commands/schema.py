"""`tally schema`: the vocabulary of events for other programs."""

import json
from typing import Annotated

import typer

from events.schema import asyncapi_document, catalogue_document, envelope_schema, event_schemas

PARTS = {
    "events": event_schemas,
    "envelope": envelope_schema,
    "asyncapi": asyncapi_document,
}


def schema(
    events: Annotated[
        bool, typer.Option("--events", help="Only the JSON Schema of every event, by type.")
    ] = False,
    envelope: Annotated[
        bool, typer.Option("--envelope", help="Only the JSON Schema of the envelope.")
    ] = False,
    asyncapi: Annotated[
        bool, typer.Option("--asyncapi", help="Only the AsyncAPI document of the bus.")
    ] = False,
    catalogue: Annotated[
        bool, typer.Option("--catalogue", help="The events for people, in Markdown.")
    ] = False,
) -> None:
    """Print JSON Schema for every event and the envelope, and an AsyncAPI document.

    Without an option all three come in one document, under `events`, `envelope`, `asyncapi`.
    """
    flags = {"events": events, "envelope": envelope, "asyncapi": asyncapi, "catalogue": catalogue}
    wanted = [name for name, is_wanted in flags.items() if is_wanted]
    if len(wanted) > 1:
        raise typer.BadParameter(f"choose one of {', '.join(f'--{name}' for name in wanted)}")
    if catalogue:
        typer.echo(catalogue_document(), nl=False)
        return
    documents = {name: PARTS[name]() for name in wanted or PARTS}
    typer.echo(json.dumps(documents[wanted[0]] if wanted else documents, indent=1, sort_keys=True))

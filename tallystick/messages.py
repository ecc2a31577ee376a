"""What a message costs on this machine: between two parties, from one log into the other.

Stored, signed, sealed, sent over the embedded bus, checked, opened and appended, by the real pumps
of two parties in a folder of their own; the network between two machines is not in it.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from bus import MemoryBroker
from events.catalogue import Fact
from events.event import Event
from events.lifecycle import TrainingRequested
from events.preparation import IdentifiersPosted
from events.terms import Member, Terms
from events.vocabulary import Role
from handlers.drafts import Decision, blob, draft
from handlers.history import History
from handlers.own import Own
from party.appending import Causes, append_draft, store_payloads
from party.creating import create_party
from party.opening import Party, open_party, party_card, trust
from party.running import RunningParty
from tallystick.errors import MeasurementError
from tallystick.estimate import Cost
from tallystick.job_file import make_terms

JOB = "measurement"
ROLES = {"bank": Role.LOCAL, "partner": Role.PARTICIPANT, "arbiter": Role.ARBITER}
PAYLOAD_BYTES = 4_096
PATIENCE_SECONDS = 5.0


def message_cost(messages: int) -> Cost:
    """Of one event with a small payload at one recipient, in both parties and all their pumps.

    Raises MeasurementError, StoreError.
    """
    with TemporaryDirectory() as name, _running(Path(name)) as parties:
        terms = make_terms(tuple(Member(name=name, role=role) for name, role in ROLES.items()))
        asked = TrainingRequested(
            terms=terms, customers=1, secret_commitment="0" * 64, data_commitment="0" * 64
        )
        cause = _say(parties["bank"], asked, terms, "alignment_key").envelope.id
        _await(parties["partner"], 1)
        cpu, began = time.process_time(), time.perf_counter()
        for number in range(messages):
            _say(parties["partner"], IdentifiersPosted(customers=1), terms, "handles", cause)
            _await(parties["bank"], 2 + number)
        _await(parties["arbiter"], 1 + messages)
        cost = Cost(time.process_time() - cpu, time.perf_counter() - began)
    recipients = len(ROLES) - 1
    return cost * (1 / (recipients * messages))


@contextmanager
def _running(folder: Path) -> Iterator[Mapping[str, Party]]:
    for name, role in ROLES.items():
        create_party(folder / name, role, name)
        (folder / f"{name}.json").write_text(party_card(folder / name).model_dump_json())
    for name in ROLES:
        trust(folder / name, *(folder / f"{other}.json" for other in ROLES if other != name))
    broker, parties = MemoryBroker(), {}
    with ExitStack() as stack:
        for name in ROLES:
            parties[name] = open_party(folder / name)
            stack.callback(parties[name].close)
        endpoints = {name: broker.endpoint(name) for name in ROLES}
        for name, party in parties.items():
            stack.enter_context(RunningParty(party, endpoints[name], _only_listen))
        yield parties


def _only_listen(_role: Role, _history: History, _fact: Fact[Event], _own: Own) -> Decision:
    return []


def _say(
    party: Party, event: Event, terms: Terms, payload: str, cause: str | None = None
) -> Fact[Event]:
    content = blob(payload, bytes(PAYLOAD_BYTES))
    stored = store_payloads(party, draft(event, JOB, terms, content))
    with party.log.transaction() as transaction:
        return append_draft(transaction, party, stored, Causes(shared=cause), terms)


def _await(party: Party, entries: int) -> None:
    if not party.log.wait_for_entries(entries - 1, PATIENCE_SECONDS):
        raise MeasurementError("a message between two parties of this machine did not arrive")

"""A log of many trainings of ten rounds, without payloads: signed, chained, within the protocol."""

import base64
import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit.database_copy import DatabaseCopy
from audit.log_copy import LogCopy, Scope
from audit.payload_files import FolderPayloads
from events.card import PartyCard
from events.envelope import Envelope, PayloadReference, digest_of, event_id, format_time
from events.event import Event
from events.lifecycle import TrainingRequested
from events.rounds import (
    EncryptedGradientPosted,
    MaskedResultDecrypted,
    RoundCompleted,
    StopFlagRaised,
)
from events.terms import Member, Optimiser, Terms
from events.vocabulary import Role
from store.entry import Entry
from store.log import Log

SOME = "0" * 64
ROLES = {"bank": Role.LOCAL, "partner": Role.PARTICIPANT, "arbiter": Role.ARBITER}
TERMS = Terms(
    members=tuple(Member(name=name, role=role) for name, role in ROLES.items()),
    optimiser=Optimiser(
        step=0.6, momentum=0.3, stop_threshold=1e-4, stop_rounds=2, maximum_rounds=12
    ),
)


class Writer:
    """Writes a log that an auditor of all three parties would have."""

    def __init__(self) -> None:
        self.keys = {
            name: Ed25519PrivateKey.from_private_bytes(hashlib.sha256(name.encode()).digest())
            for name in ROLES
        }
        self.entries: list[Entry] = []
        self._heads: dict[tuple[str, str], tuple[int, str]] = {}
        self._time = datetime(2026, 1, 1, tzinfo=UTC)

    def say(self, source: str, event: Event, job: str, cause: str | None) -> str:
        number, previous = self._heads.get((source, job), (-1, None))
        self._time += timedelta(milliseconds=1)
        envelope = Envelope(
            id=event_id(source, job, number + 1),
            type=event.type_name(),
            schemaversion=event.VERSION,
            source=source,
            stream=job,
            sequence=number + 1,
            previous=previous,
            cause=cause,
            time=format_time(self._time),
            data=event.model_dump(mode="json"),
            payloads=tuple(
                PayloadReference(
                    name=name,
                    kind=rule.kind,
                    shape=(1,),
                    size=1,
                    commitment=SOME,
                    readers=TERMS.readers(rule),
                )
                for name, rule in event.rules().items()
            ),
        ).signed_with(self.keys[source])
        canonical = envelope.canonical_bytes()
        self._heads[source, job] = (number + 1, digest_of(canonical))
        self.entries.append(Entry(len(self.entries) + 1, canonical))
        return envelope.id

    def training(self, job: str) -> None:
        """Seven events a round."""
        asked = TrainingRequested(
            terms=TERMS, customers=5, secret_commitment=SOME, data_commitment=SOME
        )
        cause = self.say("bank", asked, job, None)
        for number in range(1, 11):
            for name in ("bank", "partner"):
                posted = EncryptedGradientPosted(round=number, ciphertexts=1)
                gradient = self.say(name, posted, job, cause)
                result = MaskedResultDecrypted(round=number, owner=name, ciphertexts=1)
                opened = self.say("arbiter", result, job, gradient)
                flag = self.say(name, StopFlagRaised(round=number), job, opened)
            cause = self.say("arbiter", RoundCompleted(round=number), job, flag)

    def fill(self, events: int) -> "Writer":
        """At least so many events; each training is whole."""
        while len(self.entries) < events:
            self.training(f"job-{len(self.entries)}")
        return self

    @property
    def cards(self) -> dict[str, PartyCard]:
        return {name: self._card(name) for name in ROLES}

    def copy(self) -> LogCopy:
        return log_copy(self.cards, len(self.entries), lambda: iter(self.entries))

    def store(self, url: str) -> None:
        """As a log in a database."""
        log, entries = Log(url), iter(self.entries)
        while some := list(islice(entries, 1000)):
            with log.transaction() as transaction:
                for entry in some:
                    transaction.append(entry.envelope, entry.canonical)
        log.close()

    def _card(self, name: str) -> PartyCard:
        key = base64.b64encode(self.keys[name].public_key().public_bytes_raw()).decode()
        return PartyCard(
            name=name, role=ROLES[name], signing_key=key, sealing_key="age1" + "q" * 58
        )


def stored_copy(url: str, cards: Mapping[str, PartyCard]) -> LogCopy:
    database = DatabaseCopy(url)
    copy = log_copy(cards, database.head, database.entries)
    return replace(copy, of_type=database.of_type)


def log_copy(
    cards: Mapping[str, PartyCard], head: int, entries: Callable[[], Iterator[Entry]]
) -> LogCopy:
    return LogCopy(
        place="benchmark",
        party="watcher",
        cards=cards,
        own_cards=False,
        head=head,
        scope=Scope(),
        entries=entries,
        payloads=FolderPayloads(Path("no payloads")),
    )

"""How fast a log is verified, compared and proved: `python -m benchmarks.audit [--events N]`.

A made-up log of many trainings of ten rounds, without payloads: every event is signed, chained and
says what the protocol allows. Medians of several runs; CPU seconds of one core, so that other work
on the machine counts less.
"""

import argparse
import base64
import hashlib
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit.findings import Check
from audit.log_copy import LogCopy, Scope
from audit.payload_files import FolderPayloads
from audit.replay import replay
from audit.verification import EVERY_CHECK, QUICK_CHECKS, verify
from events.card import PartyCard
from events.envelope import Envelope, PayloadReference, digest_of, event_id, format_time
from events.event import Event
from events.lifecycle import TrainingRequested
from events.merkle import MerkleTree, includes
from events.rounds import (
    EncryptedGradientPosted,
    MaskedResultDecrypted,
    RoundCompleted,
    StopFlagRaised,
)
from events.terms import Member, Optimiser, Terms
from events.vocabulary import Role
from store.entry import Entry

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

    def copy(self) -> LogCopy:
        return LogCopy(
            place="benchmark",
            party="watcher",
            cards={name: self._card(name) for name in ROLES},
            own_cards=False,
            head=len(self.entries),
            scope=Scope(),
            entries=lambda: iter(self.entries),
            payloads=FolderPayloads(Path("no payloads")),
        )

    def _card(self, name: str) -> PartyCard:
        key = base64.b64encode(self.keys[name].public_key().public_bytes_raw()).decode()
        return PartyCard(
            name=name, role=ROLES[name], signing_key=key, sealing_key="age1" + "q" * 58
        )


def rate(work: Callable[[], object], events: int, runs: int) -> str:
    """Events a second: of CPU time, and by the clock."""
    cpu, clock = [], []
    for _ in range(runs):
        began, began_cpu = time.perf_counter(), time.process_time()
        work()
        cpu.append(time.process_time() - began_cpu)
        clock.append(time.perf_counter() - began)
    spent, passed = statistics.median(cpu), statistics.median(clock)
    return f"{events / spent:>9,.0f} a CPU second  {events / passed:>9,.0f} a second"


def checked_holds(copy: LogCopy, checks: frozenset[Check]) -> None:
    result = verify(copy, checks=checks)
    if not result.holds:
        raise SystemExit("the log of the benchmark does not hold")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--events", type=int, default=20_000)
    options.add_argument("--runs", type=int, default=3)
    chosen = options.parse_args()
    writer = Writer()
    while len(writer.entries) < chosen.events:
        writer.training(f"job-{len(writer.entries)}")
    copy, entries, events = writer.copy(), writer.entries, len(writer.entries)
    size = sum(len(entry.canonical) for entry in entries)
    print(f"{events:,} events, {size / events:,.0f} bytes each; one core, {chosen.runs} runs")
    first = entries[0].envelope
    key, signed = writer.keys["bank"].public_key(), first.signed_bytes()
    signature = base64.b64decode(first.signature)

    def ed25519() -> None:
        for _ in range(2_000):
            key.verify(signature, signed)

    tree = MerkleTree(entry.canonical for entry in entries)

    def inclusions() -> None:
        for index in range(2_000):
            path = tree.inclusion(index)
            if not includes(entries[index].canonical, index, len(tree), path, tree.root()):
                raise SystemExit("a proof does not hold")

    print("Ed25519 alone:              ", rate(ed25519, 2_000, chosen.runs))
    print(
        "schema, digests and chain:  ",
        rate(lambda: checked_holds(copy, QUICK_CHECKS), events, chosen.runs),
    )
    print(
        "everything, with signatures:",
        rate(lambda: checked_holds(copy, EVERY_CHECK), events, chosen.runs),
    )
    print(
        "Merkle tree grown:          ",
        rate(lambda: MerkleTree(one.canonical for one in entries), events, chosen.runs),
    )
    print("inclusion proved, checked:  ", rate(inclusions, 2_000, chosen.runs))
    with TemporaryDirectory() as folder:
        numbers = iter(range(chosen.runs))
        print(
            "views replayed:             ",
            rate(
                lambda: replay(copy, Path(folder) / f"{next(numbers)}.sqlite"), events, chosen.runs
            ),
        )


if __name__ == "__main__":
    main()

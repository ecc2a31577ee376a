"""One job of one party decided again, from its log, its job secret and its data (D4).

What re-execution believes from outside is checked as far as it can be: that the secret and the
data are those that the party committed to before the first number moved.
"""

import hashlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import computed_field

from audit.errors import EvidenceError
from audit.job_secret import JobSecret
from audit.log_copy import LogCopy
from audit.reexecution import difference, reexecute
from events.catalogue import CATALOGUE, Fact
from events.event import Event
from events.lifecycle import TrainingAccepted, TrainingRequested
from events.preparation import DataSnapshotted
from events.pruning import PayloadsPruned
from events.rounds import MaskedResultDecrypted
from events.terms import Agreement, Terms
from events.versions import Versions
from events.vocabulary import Frozen, Role
from handlers.agreement import spoken
from handlers.history import History
from handlers.local import training_request
from handlers.own import Own, secret_commitment
from handlers.policy import Policy
from handlers.protocol_versions import SPOKEN
from handlers.snapshot import encode_snapshot
from paillier.keys import PrivateKey
from party.choosing import SourceSettings
from party.errors import KeyFileError
from party.sources import read_source
from store.entry import Entry
from store.errors import StoreError
from store.payloads import SALT_BYTES


class Compared(Frozen):
    """One thing that was committed to, and whether what is at hand is that."""

    what: str
    holds: bool
    detail: str = ""


class Diverged(Frozen):
    position: int
    event: str
    stream: str
    detail: str


class JobReexecution(Frozen):
    """What was decided again, what was believed, and the first differences."""

    party: str
    job: str
    role: str
    events: int
    repeated: int
    decrypted: int
    from_outside: dict[str, int]
    commitments: tuple[Compared, ...]
    divergences: tuple[Diverged, ...]
    notes: tuple[str, ...]

    @computed_field  # type: ignore[prop-decorator]
    @property
    def holds(self) -> bool:
        return not self.divergences and all(one.holds for one in self.commitments)


@dataclass(frozen=True)
class Material:
    """What re-execution is given besides the log; without a policy, the job's terms are allowed."""

    secret: JobSecret
    policy: Policy | None = None
    source: SourceSettings | None = None
    folder: Path | None = None
    keys: Mapping[str, PrivateKey] = field(default_factory=dict, repr=False)
    mart_key: bytes | None = field(default=None, repr=False)
    threads: int = 1
    speaks: Versions = SPOKEN


def reexecute_job(copy: LogCopy, material: Material) -> JobReexecution:
    """Run the handlers again over one job and compare every event and payload, to the bit.

    Raises EvidenceError where something needed is missing, SourceError for unreadable data.
    """
    job = material.secret.job
    entries, history = _job(copy, material)
    role = history.agreement.role_of(copy.party)
    if role is None:
        raise EvidenceError(f"{copy.party} is no member of {job}")
    own = _own(copy, history, material, role)
    result = reexecute(entries, own)
    facts = [CATALOGUE.read(entry.envelope) for entry in entries]
    return JobReexecution(
        party=copy.party,
        job=job,
        role=str(role),
        events=len(entries),
        repeated=result.repeated,
        decrypted=sum(
            isinstance(fact.event, MaskedResultDecrypted) and fact.source == copy.party
            for fact in facts
        ),
        from_outside=dict(sorted(result.from_outside.items())),
        commitments=tuple(_commitments(history, own, copy, material)),
        divergences=tuple(
            Diverged(position=one.position, event=one.type, stream=one.stream, detail=one.detail)
            for one in sorted(result.divergences, key=lambda one: one.position)
        ),
        notes=_notes(history, copy, material),
    )


def _job(copy: LogCopy, material: Material) -> tuple[list[Entry], History]:
    job = material.secret.job
    if material.secret.party != copy.party:
        raise EvidenceError(
            f"the secret is of {material.secret.party}, the log of {copy.party}: they do not match"
        )
    if not copy.scope.private or copy.scope.job not in {None, job}:
        raise EvidenceError(
            "re-execution needs the party's private events of the job: "
            f"`tally log export --job {job} --private --payloads`"
        )
    entries, history = [], History(job)
    for entry in copy.entries():
        fact = CATALOGUE.read(entry.envelope)
        if fact.job == job:
            entries.append(entry)
            history.add(fact)
    if not history.is_known:
        raise EvidenceError(f"the log of {copy.party} has no job {job}")
    _refuse_pruned(copy, history)
    needed = [
        reference
        for entry in entries
        for reference in entry.envelope.payloads
        if entry.envelope.source == copy.party
    ]
    if needed and not any(copy.payloads.has(one.commitment) for one in needed):
        raise EvidenceError(
            f"re-execution needs the payloads: `tally log export --job {job} --private --payloads`"
        )
    return entries, history


def _refuse_pruned(copy: LogCopy, history: History) -> None:
    """What was removed by rule is no divergence, but it cannot be computed with either."""
    for fact in history.of(PayloadsPruned, source=copy.party):
        if not all(map(copy.payloads.has, fact.event.commitments)):
            raise EvidenceError(
                f"payloads of {history.job} were pruned on {fact.envelope.time[:10]}: it can no "
                "longer be run again, unless from a backup made before"
            )


def _own(copy: LogCopy, history: History, material: Material, role: Role) -> Own:
    keys, agreement = material.keys, history.agreement
    if role is Role.ARBITER and not keys:
        raise EvidenceError(
            "the arbiter decrypts: re-execution needs its key of this job, keys/paillier/ID.json"
        )

    if role is Role.LOCAL and material.mart_key is None and _has_mart(agreement):
        raise EvidenceError(
            "the bank hashes its customers for the mart: re-execution needs keys/mart.key"
        )

    def private_key(key_id: str) -> PrivateKey:
        if key_id not in keys:
            raise KeyFileError(f"the key {key_id[:12]} is not at hand")
        return keys[key_id]

    policy = material.policy or (
        policy_that_allows(agreement) if isinstance(agreement, Terms) else Policy()
    )
    return Own(
        name=copy.party,
        policy=policy,
        secret={material.secret.job: bytes.fromhex(material.secret.secret)},
        payloads=copy.payloads,
        private_key=private_key,
        mart_key=lambda: material.mart_key or b"",
        threads=material.threads,
        speaks=spoken(history).get(copy.party, material.speaks),
    )


def _has_mart(agreement: Agreement) -> bool:
    return bool(agreement.named(Role.MART))


def policy_that_allows(terms: Terms) -> Policy:
    """The least policy under which a party accepts these terms."""
    return Policy(
        leak_budget=terms.leak_budget,
        smallest_overlap=terms.smallest_overlap,
        smallest_bin=terms.smallest_bin,
        accept_short_keys=True,
        intersections_per_day=sys.maxsize,
        largest_set=sys.maxsize,
        escrows=terms.escrows,
    )


def _commitments(history: History, own: Own, copy: LogCopy, material: Material) -> list[Compared]:
    """The secret, the request and the data, each against what was told to all members."""
    found = []
    for fact in _committing(history, copy.party):
        told = getattr(fact.event, "secret_commitment", None)
        if told is not None:
            holds = told == secret_commitment(own.secret, history.job)
            detail = "" if holds else "the secret given is not the one that the party committed to"
            what = f"secret, in {fact.envelope.type}"
            found.append(Compared(what=what, holds=holds, detail=detail))
    snapshots = history.of(DataSnapshotted, source=copy.party)
    for request in history.of(TrainingRequested, source=copy.party) if snapshots else []:
        again = training_request(
            history.terms, own, request.event.customers, snapshots[0].payload("table"), history.job
        )
        detail = difference(Fact(request.envelope, request.event), again, own)
        found.append(Compared(what="request and its keys", holds=not detail, detail=detail))
    found += [_frozen_rows(history, one, copy) for one in snapshots]
    if material.source is not None:
        found += [_source(history, one, copy, material) for one in snapshots]
    return found


def _committing(history: History, party: str) -> list[Fact[Event]]:
    opening = history.opening
    asked = [Fact[Event](opening.envelope, opening.event)] if opening.source == party else []
    accepted = history.of(TrainingAccepted, source=party)
    return [*asked, *(Fact[Event](one.envelope, one.event) for one in accepted)]


def _frozen_rows(history: History, snapshot: Fact[DataSnapshotted], copy: LogCopy) -> Compared:
    """The rows that training read are those of the commitment that the others got."""
    table = snapshot.payload("table").commitment
    told = {getattr(one.event, "data_commitment", None) for one in _committing(history, copy.party)}
    detail = "" if told <= {table} else "the party told the others of other rows"
    try:
        if copy.payloads.digest_and_size(table)[0] != table:
            detail = "the frozen rows at hand are not those that were committed to"
    except StoreError as error:
        detail = str(error)
    return Compared(what="rows frozen for training", holds=not detail, detail=detail)


def _source(
    history: History, snapshot: Fact[DataSnapshotted], copy: LogCopy, material: Material
) -> Compared:
    """The party's data, read again now, gives the frozen rows to the bit."""
    source = material.source
    assert source is not None, "asked for by the caller"  # noqa: S101
    table = read_source(
        source,
        kind=history.terms.kind,
        labelled=history.terms.role_of(copy.party) is Role.LOCAL,
        folder=material.folder,
    )
    commitment = snapshot.payload("table").commitment
    with copy.payloads.open_salted(commitment) as file:
        digest = hashlib.sha256(file.read(SALT_BYTES))
    for piece in encode_snapshot(table.ids, table.columns, table.label, table.rules):
        digest.update(piece)
    holds = digest.hexdigest() == commitment
    detail = "" if holds else "the data given are not those that training was done on"
    return Compared(what="data as given, read again", holds=holds, detail=detail)


def _notes(history: History, copy: LogCopy, material: Material) -> tuple[str, ...]:
    notes = []
    if material.policy is None:
        notes.append("no policy was given: that the party's policy allowed this job is believed")
    if material.source is None and history.has(DataSnapshotted, source=copy.party):
        notes.append("no data were given: that the frozen rows came from them is believed")
    return tuple(notes)

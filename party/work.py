"""What a handler may not do itself: read data, make keys, convert, score (P1, T3, C2, S2, L1).

The outcome enters the log as an event. Failures are outcomes too: the handlers end the job.
"""

import secrets
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import structlog

from events.catalogue import CATALOGUE
from events.envelope import PayloadReference, format_time
from events.intersection import IntersectionsCounted
from events.lifecycle import WorkFailed
from events.preparation import DataSnapshotted, KeyPairGenerated
from events.terms import Terms
from events.vocabulary import Role
from handlers.drafts import Work, draft
from handlers.history import History
from handlers.prepared import NOTES
from handlers.snapshot import encode_snapshot
from paillier.errors import UnsafeKeyError
from paillier.keys import generate_key_pair
from party.appending import StoredDraft
from party.contributions import check_columns, check_handles
from party.errors import RequestError, SettingsError, SourceError
from party.identification_work import take_part
from party.model_keeping import store_trained
from party.opening import Party, keep_private_key
from party.samples import open_samples
from party.scoring_desk import ScoringDesk
from party.settings import model_from_environment
from party.sources import read_source
from scoring.errors import ScoringError
from store.payloads import SALT_BYTES

LONGEST_DETAIL = 1000

log = structlog.get_logger()
DAY = timedelta(days=1)


def do_work(work: Work, party: Party, history: History, desk: ScoringDesk) -> StoredDraft:
    """Do it, or say why not. Raises StoreError."""
    try:
        return _outcome(work, party, history, desk)
    except (SourceError, SettingsError, RequestError, UnsafeKeyError, ScoringError) as error:
        log.warning("work_failed", work=work.kind, job=work.job, detail=str(error))
        failed = WorkFailed(job=work.job, work=work.kind, detail=str(error)[:LONGEST_DETAIL])
        return StoredDraft(draft(failed, work.job, history.agreement), ())


def _outcome(work: Work, party: Party, history: History, desk: ScoringDesk) -> StoredDraft:
    match work.kind:
        case "identify" | "recall":
            return take_part(party, history, desk)
        case "score":
            return desk.answer(history)
        case "convert":
            converted = store_trained(party, history)
            return StoredDraft(draft(converted, work.job, history.agreement), ())
        case "snapshot":
            return snapshot(party, work.job, history.terms)[1]
        case "intersections":
            return intersections(party, work.job, history.terms)
        case "key":
            return key_pair(party, work.job, history.terms)


def snapshot(party: Party, job: str, terms: Terms) -> tuple[DataSnapshotted, StoredDraft]:
    """The party's own rows as they are now, written piece by piece.

    Raises SourceError, SettingsError, StoreError.
    """
    if party.settings.source is None:
        raise SettingsError(
            f"{party.folder.settings} has no [source]: this party's data is missing"
        )
    table = read_source(
        model_from_environment(party.settings.source, "source"),
        kind=terms.kind,
        labelled=terms.role_of(party.name) is Role.LOCAL,
        folder=party.folder.path,
        open_kind=lambda name: open_samples(party.settings, party.folder.path, name),
    )
    if terms.role_of(party.name) is Role.MART:
        check_handles(table.ids)
        check_columns(table)
    event = DataSnapshotted(job=job, customers=len(table.ids))
    pieces = encode_snapshot(table.ids, table.columns, table.label, table.rules)
    references = (
        _keep(party, "table", pieces),
        _keep(party, "notes", [NOTES.dump_json(table.notes)]),
    )
    return event, StoredDraft(draft(event, job, terms), references)


def _keep(party: Party, name: str, pieces: Iterable[bytes]) -> PayloadReference:
    stored = party.payloads.put(secrets.token_bytes(SALT_BYTES), pieces)
    return PayloadReference(
        name=name,
        kind=DataSnapshotted.PAYLOADS[name].kind,
        shape=(stored.size,),
        size=stored.size,
        commitment=stored.commitment,
    )


def intersections(party: Party, job: str, terms: Terms) -> StoredDraft:
    """How many sets of this requester were admitted in the last day, by this party's own log."""
    since = format_time(datetime.now(UTC) - DAY)
    kind = IntersectionsCounted.type_name()
    facts = [CATALOGUE.read(one.envelope) for one in party.log.said_since(party.name, kind, since)]
    allowed = party.settings.policy.intersections_per_day
    admitted = [
        fact
        for fact in facts
        if isinstance(fact.event, IntersectionsCounted)
        and fact.event.requester == terms.local
        and fact.event.within_a_day < allowed
    ]
    event = IntersectionsCounted(job=job, requester=terms.local, within_a_day=len(admitted))
    return StoredDraft(draft(event, job, terms), ())


def key_pair(party: Party, job: str, terms: Terms) -> StoredDraft:
    """A fresh Paillier key pair; the private half stays in the key store."""
    key = generate_key_pair(terms.key_bits, minimum_bits=min(terms.key_bits, 2048))
    keep_private_key(party.folder, key)
    event = KeyPairGenerated(
        job=job,
        key_id=key.public.key_id,
        modulus=f"{key.public.n:x}",
        obfuscator_base=f"{key.public.hs:x}",
    )
    return StoredDraft(draft(event, job, terms), ())

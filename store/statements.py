"""The statements of the log, built once: building one anew takes longer than running it."""

from sqlalchemy import (
    LargeBinary,
    String,
    and_,
    bindparam,
    delete,
    exists,
    func,
    insert,
    literal_column,
    or_,
    select,
    update,
)

from events.vocabulary import PRIVATE_STREAM
from store.tables import (
    CURSORS,
    DELIVERIES,
    EVENTS,
    HELD,
    KEPT_PAYLOADS,
    LOG_HEAD,
    REFUSALS,
)

_DELIVERY = and_(
    DELIVERIES.c.position == bindparam("of_position"),
    DELIVERIES.c.recipient == bindparam("of_recipient"),
)
_STREAM = and_(EVENTS.c.source == bindparam("of_source"), EVENTS.c.stream == bindparam("of_stream"))
_HELD_STREAM = and_(
    HELD.c.source == bindparam("of_source"), HELD.c.stream == bindparam("of_stream")
)
_ENTRIES = select(EVENTS.c.position, EVENTS.c.canonical).order_by(EVENTS.c.position)

HEAD = select(LOG_HEAD.c.position)
HEAD_LOCKED = HEAD.with_for_update()
MOVE_HEAD = update(LOG_HEAD)

ENTRIES_AFTER = _ENTRIES.where(EVENTS.c.position > bindparam("after")).limit(bindparam("most"))
PLACES_AFTER = (
    select(EVENTS.c.position, EVENTS.c.source, EVENTS.c.stream, EVENTS.c.sequence, EVENTS.c.type)
    .where(EVENTS.c.position > bindparam("after"))
    .order_by(EVENTS.c.position)
    .limit(bindparam("most"))
)
ENTRY_OF_EVENT = _ENTRIES.where(EVENTS.c.event_id == bindparam("event_id"))
ENTRIES_OF_STREAM = _ENTRIES.where(_STREAM)
ENTRIES_OF_JOB = _ENTRIES.where(
    EVENTS.c.job == bindparam("job"), EVENTS.c.position > bindparam("after")
)
ENTRIES_OF_TYPE_SINCE = _ENTRIES.where(
    EVENTS.c.source == bindparam("of_source"),
    EVENTS.c.type == bindparam("of_type"),
    EVENTS.c.time >= bindparam("since"),
)
TYPE_COUNTS_BETWEEN = (
    select(EVENTS.c.type, EVENTS.c.source, func.count())
    .where(EVENTS.c.position > bindparam("after"), EVENTS.c.position <= bindparam("up_to"))
    .group_by(EVENTS.c.type, EVENTS.c.source)
)
# No column of its own, or SQLite would go through everything that this issuer ever said.
ENTRIES_OF_TYPE_AFTER = _ENTRIES.where(
    EVENTS.c.source.concat(literal_column("''")) == bindparam("of_source"),
    EVENTS.c.type == bindparam("of_type"),
    EVENTS.c.position > bindparam("after"),
)
SHARED_BEFORE = (
    select(func.count())
    .select_from(EVENTS)
    .where(
        EVENTS.c.source == bindparam("of_source"),
        EVENTS.c.stream != PRIVATE_STREAM,
        EVENTS.c.time < bindparam("before"),
    )
)
NEWEST_TIME_OF = select(func.max(EVENTS.c.time)).where(EVENTS.c.source == bindparam("of_source"))
ENTRY_IN_STREAM = _ENTRIES.where(_STREAM, EVENTS.c.sequence == bindparam("of_sequence"))
STREAM_HEAD = (
    select(EVENTS.c.sequence, EVENTS.c.digest, EVENTS.c.time)
    .where(_STREAM)
    .order_by(EVENTS.c.sequence.desc())
    .limit(1)
)
APPEND = insert(EVENTS)

_KEPT = KEPT_PAYLOADS.c.commitment == bindparam("of_commitment")
KEEP_PAYLOAD = insert(KEPT_PAYLOADS).from_select(
    ["commitment", "salted"],
    select(bindparam("of_commitment", type_=String), bindparam("salted", type_=LargeBinary)).where(
        ~exists().where(_KEPT)
    ),
)
KEPT_PAYLOADS_AFTER = (
    select(KEPT_PAYLOADS.c.commitment, KEPT_PAYLOADS.c.salted)
    .where(KEPT_PAYLOADS.c.commitment > bindparam("after"))
    .order_by(KEPT_PAYLOADS.c.commitment)
    .limit(bindparam("most"))
)
KEPT_BYTES = select(KEPT_PAYLOADS.c.salted).where(_KEPT)
LET_PAYLOAD_GO = delete(KEPT_PAYLOADS).where(_KEPT)

CURSOR = select(CURSORS.c.position).where(CURSORS.c.name == bindparam("of_name"))
FIRST_MOVE = insert(CURSORS)
MOVE_CURSOR = update(CURSORS).where(CURSORS.c.name == bindparam("of_name"))

DELIVERIES_IN_STATE = (
    select(
        EVENTS.c.position,
        EVENTS.c.canonical,
        DELIVERIES.c.recipient,
        DELIVERIES.c.attempts,
        DELIVERIES.c.reason,
    )
    .join(EVENTS, EVENTS.c.position == DELIVERIES.c.position)
    .where(DELIVERIES.c.state == bindparam("of_state"))
    .order_by(DELIVERIES.c.position, DELIVERIES.c.recipient)
)
DELIVERIES_AFTER = DELIVERIES_IN_STATE.where(
    or_(
        DELIVERIES.c.position > bindparam("after_position"),
        (DELIVERIES.c.position == bindparam("after_position"))
        & (DELIVERIES.c.recipient > bindparam("after_recipient")),
    )
).limit(bindparam("most"))
_REASON = func.coalesce(DELIVERIES.c.reason, "")
UNDELIVERED_COUNTS = (
    select(
        DELIVERIES.c.recipient,
        DELIVERIES.c.state,
        _REASON,
        func.count(),
        func.min(DELIVERIES.c.position),
    )
    .where(or_(DELIVERIES.c.state == "pending", DELIVERIES.c.state == "parked"))
    .group_by(DELIVERIES.c.recipient, DELIVERIES.c.state, _REASON)
    .order_by(func.min(DELIVERIES.c.position), DELIVERIES.c.recipient)
)
ADDRESSED = (
    select(func.count()).select_from(DELIVERIES).where(DELIVERIES.c.recipient == bindparam("to"))
)
ADDRESS = insert(DELIVERIES)
ATTEMPTS = select(DELIVERIES.c.attempts).where(_DELIVERY)
SETTLE = update(DELIVERIES).where(_DELIVERY)
DELIVER_AGAIN = (
    update(DELIVERIES)
    .where(
        DELIVERIES.c.recipient == bindparam("of_recipient"),
        DELIVERIES.c.state == "confirmed",
        DELIVERIES.c.position.in_(
            select(EVENTS.c.position).where(
                _STREAM,
                EVENTS.c.sequence.between(bindparam("first"), bindparam("last")),
            )
        ),
    )
    .values(state="pending", attempts=0)
)
RETRY_PARKED = (
    update(DELIVERIES).where(DELIVERIES.c.state == "parked").values(state="pending", attempts=0)
)

HELD_TEXT = select(HELD.c.canonical).where(HELD.c.event_id == bindparam("of_event"))
HOLD = insert(HELD)
HOLD_AGAIN = update(HELD).where(HELD.c.event_id == bindparam("of_event"))
RELEASE = delete(HELD).where(HELD.c.event_id == bindparam("of_event"))
HELD_IN_STREAM = select(HELD).where(_HELD_STREAM).order_by(HELD.c.sequence)
HELD_STREAMS = (
    select(HELD.c.source, HELD.c.stream).distinct().order_by(HELD.c.source, HELD.c.stream)
)

REFUSE_FIRST = insert(REFUSALS)
REFUSE_AGAIN = (
    update(REFUSALS)
    .where(
        REFUSALS.c.sender == bindparam("of_sender"),
        REFUSALS.c.reason == bindparam("of_reason"),
        REFUSALS.c.type == bindparam("of_type"),
    )
    .values(count=REFUSALS.c.count + bindparam("times"), last_time=bindparam("now"))
)
ALL_REFUSALS = select(REFUSALS).order_by(*REFUSALS.primary_key.columns)

"""The tables of a party's log. Events are final: the database itself refuses to change them."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Connection,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    insert,
    select,
)

from store.database import lock_while_creating
from store.errors import StoreFormatError

FORMAT = 1
METADATA = MetaData()
POSITION = BigInteger().with_variant(Integer, "sqlite")

EVENTS = Table(
    "events",
    METADATA,
    Column("position", POSITION, primary_key=True, autoincrement=False),
    Column("event_id", String(64), nullable=False, unique=True),
    Column("source", String(32), nullable=False),
    Column("stream", String(64), nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("type", Text, nullable=False),
    Column("job", Text, nullable=False, index=True),
    Column("time", String(27), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("canonical", LargeBinary, nullable=False),
    UniqueConstraint("source", "stream", "sequence"),
)
KEPT_PAYLOADS = Table(
    "kept_payloads",
    METADATA,
    Column("commitment", String(64), primary_key=True),
    Column("salted", LargeBinary, nullable=False),
)
LOG_HEAD = Table(
    "log_head",
    METADATA,
    Column("id", Integer, CheckConstraint("id = 1"), primary_key=True, autoincrement=False),
    Column("format", Integer, nullable=False),
    Column("position", BigInteger, nullable=False),
)
CURSORS = Table(
    "cursors",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("position", BigInteger, nullable=False),
)
DELIVERIES = Table(
    "deliveries",
    METADATA,
    Column("position", POSITION, ForeignKey("events.position"), primary_key=True),
    Column("recipient", String(32), primary_key=True),
    Column("state", String(9), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("reason", Text),
    Index("deliveries_by_state", "state", "position", "recipient"),
)
HELD = Table(
    "held",
    METADATA,
    Column("event_id", String(64), primary_key=True),
    Column("source", String(32), nullable=False),
    Column("stream", String(64), nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("sender", Text, nullable=False),
    Column("canonical", LargeBinary, nullable=False),
    Column("transport", Text, nullable=False),
    Column("received_at", String(27), nullable=False),
    Index("held_by_stream", "source", "stream", "sequence"),
)
REFUSALS = Table(
    "refusals",
    METADATA,
    Column("sender", Text, primary_key=True),
    Column("reason", Text, primary_key=True),
    Column("type", Text, primary_key=True),
    Column("count", BigInteger, nullable=False),
    Column("first_time", String(27), nullable=False),
    Column("last_time", String(27), nullable=False),
)

FINAL_ON_SQLITE = tuple(
    f"CREATE TRIGGER IF NOT EXISTS events_are_final_{action.lower()} BEFORE {action} ON events "
    "BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END"
    for action in ("UPDATE", "DELETE")
)
FINAL_ON_POSTGRESQL = (
    """CREATE OR REPLACE FUNCTION events_are_final() RETURNS trigger LANGUAGE plpgsql
    AS $$ BEGIN RAISE EXCEPTION 'the log is append-only'; END $$""",
    """CREATE OR REPLACE TRIGGER events_are_final BEFORE UPDATE OR DELETE OR TRUNCATE ON events
    FOR EACH STATEMENT EXECUTE FUNCTION events_are_final()""",
)


def create_tables(connection: Connection) -> None:
    """Make what is missing; raise StoreFormatError where another release made the log."""
    lock_while_creating(connection)
    METADATA.create_all(connection)
    found = connection.scalar(select(LOG_HEAD.c.format))
    if found is None:
        connection.execute(insert(LOG_HEAD).values(id=1, format=FORMAT, position=0))
        sqlite = connection.dialect.name == "sqlite"
        for statement in FINAL_ON_SQLITE if sqlite else FINAL_ON_POSTGRESQL:
            connection.exec_driver_sql(statement)
    elif found != FORMAT:
        raise StoreFormatError(
            f"the log has format {found}, this release reads format {FORMAT}: use the release "
            "that made it"
        )

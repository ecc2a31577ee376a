"""How Hive keeps a table whose loads are seen whole or not at all.

Hive has no transactions on plain files. What both flavours do in one step in the metastore is to
add a partition, and to give a view another text. So a table NAME of ours is a view NAME over one
generation of it, NAME__0123456789ab, which is partitioned by load: appending makes the files of a
new partition first and then adds it; replacing makes a new generation and then turns the view.
The generation before the last stays for readers under way, until the next replacement.
One writer a table at a time; nothing in Hive would hold another back.
"""

import re
import secrets
from collections.abc import Iterable
from pathlib import Path

from sqlglot import exp

from scoring.engines.hive_literals import quoted
from scoring.engines.statements import DATA_TYPES, column_of, name_of, select
from scoring.tables import Column

LOAD = "tally_load"


def new_token() -> str:
    return secrets.token_hex(6)


def generation_name(table: str) -> str:
    return f"{table}__{new_token()}"


def generation_pattern(table: str) -> re.Pattern[str]:
    return re.compile(rf"\b{table}__[0-9a-f]{{12}}\b")


def create_generation(name: str, columns: Iterable[Column], location: Path | None) -> str:
    """With a location, an external table: its files are ours to remove."""
    kinds = {type_: exp.DataType.build(kind).sql("hive") for type_, kind in DATA_TYPES.items()}
    described = ", ".join(f"`{column.name}` {kinds[column.type]}" for column in columns)
    external = "EXTERNAL " if location else ""
    place = f" {_location(location)}" if location else ""
    return (
        f"CREATE {external}TABLE `{name}` ({described}) PARTITIONED BY (`{LOAD}` STRING) "
        f"STORED AS PARQUET{place}"
    )


def add_partition(generation: str, load: str, folder: Path) -> str:
    return f"ALTER TABLE `{generation}` ADD PARTITION (`{LOAD}`='{load}') {_location(folder)}"


def insert_into(generation: str, load: str, rows: str) -> str:
    return f"INSERT INTO TABLE `{generation}` PARTITION (`{LOAD}`='{load}') {rows}"


def view_text(columns: Iterable[Column], generation: str, dialect: str) -> str:
    """With a short alias: Hive puts it before each column, and a metastore limits its texts."""
    names = (column_of(column.name) for column in columns)
    return exp.select(*names).from_(exp.alias_(name_of(generation), "t", table=True)).sql(dialect)


def both(columns: Iterable[str], older: str, newer: str, arrival: str) -> exp.Subquery:
    """The rows of two generations, the older as arrived before all others.

    One pass over both and no join: Hive 2.3 loses its way in joins of files with results.
    """
    names = list(columns)
    before = exp.cast(exp.Literal.number(-1), "bigint")
    old = select(names, older).select(exp.alias_(before, arrival, quoted=True))
    return exp.union(old, select([*names, arrival], newer), distinct=False).subquery("every_row")


def _location(folder: Path) -> str:
    """As Hadoop writes it: not percent-encoded."""
    return f"LOCATION {quoted(f'file://{folder.resolve()}')}"

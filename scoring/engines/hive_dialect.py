"""SQLAlchemy's dialect for Hive and for Spark's Thrift Server: `hive+tally://`.

It is PyHive 0.7.0's, with what goes wrong there put right. There, silently: FLOAT for a Float or
Double (32 bits: weights lose half their digits), DECIMAL(10,0) for a Numeric (whole numbers),
TIMESTAMP for a Date, and INSERT without its list of columns (values in the wrong ones). Besides:
a missing table is an error on Spark and Hive alike where SQLAlchemy asks whether it is there;
tables on Spark are all called "default"; `${name}` in a text is replaced by the server's
variables; Decimal, NaN, infinities, bytes and times are refused or sent as text; and every
statement is logged, with the values in it.

Even so, never build scores of SQLAlchemy's operators: it divides by CAST(… AS DECIMAL), which
turns 1 / (1 + exp(-z)) into whole numbers. Scores are sqlglot trees.
"""

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from enum import StrEnum
from types import ModuleType
from typing import Any, ClassVar

from pyhive import hive, sqlalchemy_hive
from sqlalchemy import Connection, exc, text, types
from sqlalchemy.dialects import registry
from sqlalchemy.engine.interfaces import (
    ReflectedColumn,
    ReflectedIndex,
    ReflectedPrimaryKeyConstraint,
)
from sqlalchemy.sql.compiler import SQLCompiler
from TCLIService import ttypes

from scoring.engines.hive_literals import literal

DRIVER = "hive+tally"
MISSING = re.compile(r"TABLE_OR_VIEW_NOT_FOUND|Table not found|NoSuchTable|does not exist")
PRECISIONS = re.compile(r"decimal\((\d+),\s*(\d+)\)")

# It logs every statement, and so every value, at the level of what happens normally.
logging.getLogger(hive.__name__).setLevel(logging.WARNING)
# It tells of every attempt; we tell once, with the remedy.
logging.getLogger("thrift.transport").setLevel(logging.CRITICAL)


class Flavour(StrEnum):
    HIVE = "hive"
    SPARK = "spark"


def flavour_of(connection: hive.Connection) -> Flavour:
    """What answers at the other end of a PyHive connection."""
    request = ttypes.TGetInfoReq(
        sessionHandle=connection.sessionHandle, infoType=ttypes.TGetInfoType.CLI_DBMS_NAME
    )
    name = str(connection.client.GetInfo(request).infoValue.stringValue)
    return Flavour.SPARK if "spark" in name.lower() else Flavour.HIVE


class HiveDate(types.Date):
    """Dates come as text."""

    def result_processor(self, *_: object) -> Callable[[str | None], date | None]:
        return lambda value: None if value is None else date.fromisoformat(value)


class TypeCompiler(sqlalchemy_hive.HiveTypeCompiler):  # type: ignore[misc]
    def visit_double(self, *_: object, **__: object) -> str:
        return "DOUBLE"

    visit_FLOAT = visit_DOUBLE = visit_DOUBLE_PRECISION = visit_REAL = visit_double  # noqa: N815

    def visit_date(self, *_: object, **__: object) -> str:
        return "DATE"

    visit_DATE = visit_date  # noqa: N815

    def visit_numeric(self, type_: types.Numeric[Any], **_: object) -> str:
        precision = 38 if type_.precision is None else type_.precision
        return f"DECIMAL({precision},{type_.scale or 0})"

    visit_NUMERIC = visit_DECIMAL = visit_numeric  # noqa: N815


class Compiler(sqlalchemy_hive.HiveCompiler):  # type: ignore[misc]
    visit_insert = SQLCompiler.visit_insert  # keeps the list of columns


class TallyHiveDialect(sqlalchemy_hive.HiveDialect):  # type: ignore[misc]
    """For both flavours; see the module for what it puts right."""

    driver = "tally"
    type_compiler_cls = TypeCompiler
    type_compiler = TypeCompiler
    statement_compiler = Compiler
    supports_statement_cache = True
    colspecs: ClassVar = {types.Date: HiveDate}

    @classmethod
    def import_dbapi(cls) -> ModuleType:
        module: ModuleType = hive
        return module

    def do_execute(
        self,
        cursor: hive.Cursor,
        statement: str,
        parameters: Mapping[str, object],
        _context: object = None,
    ) -> None:
        cursor.execute(statement % _literals(parameters))

    def do_execute_no_params(
        self, cursor: hive.Cursor, statement: str, _context: object = None
    ) -> None:
        cursor.execute(statement)

    def do_ping(self, dbapi_connection: hive.Connection) -> bool:
        cursor = dbapi_connection.cursor()
        cursor.execute("SELECT 1")
        return bool(cursor.fetchall())

    def get_columns(
        self, connection: Connection, table_name: str, schema: str | None = None, **_: object
    ) -> list[ReflectedColumn]:
        columns: list[ReflectedColumn] = []
        for name, type_, *_rest in self._get_table_columns(connection, table_name, schema):
            if not name or name.startswith("#"):
                break  # what follows tells of partitions
            columns.append(
                {"name": name, "type": _reflected(type_), "nullable": True, "default": None}
            )
        return columns

    def get_table_names(
        self, connection: Connection, schema: str | None = None, **_: object
    ) -> list[str]:
        views = set(self.get_view_names(connection, schema))
        return [name for name in self._names(connection, "TABLES", schema) if name not in views]

    def get_view_names(
        self, connection: Connection, schema: str | None = None, **_: object
    ) -> list[str]:
        return self._names(connection, "VIEWS", schema)

    def get_pk_constraint(self, *_: object, **__: object) -> ReflectedPrimaryKeyConstraint:
        return {"constrained_columns": [], "name": None}

    def get_indexes(self, *_: object, **__: object) -> list[ReflectedIndex]:
        return []

    def _names(self, connection: Connection, kind: str, schema: str | None) -> list[str]:
        where = f" IN {self._quoted(schema)}" if schema else ""
        rows = connection.execute(text(f"SHOW {kind}{where}"))
        # Hive answers with the name; Spark with database, name and whether it is temporary.
        names = [row[1] if len(row) > 1 else row[0] for row in rows]
        return [name for name in names if not name.startswith("values__tmp__table__")]

    def _get_table_columns(
        self, connection: Connection, table_name: str, schema: str | None
    ) -> Sequence[Sequence[str]]:
        name = ".".join(self._quoted(part) for part in (schema, table_name) if part)
        try:
            rows = connection.execute(text(f"DESCRIBE {name}")).fetchall()
        except exc.DBAPIError as error:
            if MISSING.search(str(error.orig)):
                raise exc.NoSuchTableError(table_name) from None
            raise
        return [[(cell or "").strip() for cell in row] for row in rows]

    def _quoted(self, name: str) -> str:
        return str(self.identifier_preparer.quote_identifier(name))


def _literals(
    parameters: Mapping[str, object] | Sequence[object],
) -> dict[str, str] | tuple[str, ...]:
    if isinstance(parameters, Mapping):
        return {name: literal(value) for name, value in parameters.items()}
    return tuple(literal(value) for value in parameters)


def _reflected(declared: str) -> types.TypeEngine[Any]:
    if found := PRECISIONS.match(declared):
        return types.DECIMAL(int(found[1]), int(found[2]))
    simple: dict[str, type[types.TypeEngine[Any]]] = {
        "boolean": types.Boolean,
        "tinyint": types.SmallInteger,
        "smallint": types.SmallInteger,
        "int": types.Integer,
        "bigint": types.BigInteger,
        "float": types.Float,
        "double": types.Double,
        "string": types.String,
        "date": types.Date,
        "timestamp": types.TIMESTAMP,
        "timestamp_ntz": types.TIMESTAMP,
        "binary": types.LargeBinary,
    }
    name = declared.partition("(")[0]
    if name in ("varchar", "char"):
        return types.String()
    return simple.get(name, types.NullType)()


registry.register(f"{DRIVER.replace('+', '.')}", __name__, TallyHiveDialect.__name__)

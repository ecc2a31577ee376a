"""Flink's SQL, which sqlglot does not know: Hive's, with the literals of the SQL standard (C3).

Flink is no engine of a party's: it runs a statement that was written for it, over files or streams.
"""

from sqlglot import exp
from sqlglot.dialects.hive import Hive
from sqlglot.generators.hive import HiveGenerator

from scoring.errors import EngineError


def quoted(text: str) -> str:
    """A string literal: nothing but the quote is special in it."""
    if "\0" in text:
        raise EngineError("a text with a NUL character cannot be written for Flink")
    return "'" + text.replace("'", "''") + "'"


class _FlinkText(HiveGenerator):
    def literal_sql(self, expression: exp.Literal) -> str:
        text = str(expression.this)
        return quoted(text) if expression.is_string else text


class TallyFlink(Hive):
    """Hive's types, functions and backticks."""

    Generator = _FlinkText

"""From a tree to the text of one engine."""

from sqlglot import ErrorLevel, exp
from sqlglot.errors import SqlglotError

from scoring.engines.hive_literals import TallyHive, TallySpark
from scoring.errors import EngineError

OWN_DIALECTS = {"hive": TallyHive, "spark": TallySpark}


def render(tree: exp.Expr, dialect: str) -> str:
    """Raises EngineError where the dialect has no way to say it."""
    try:
        known = OWN_DIALECTS.get(dialect, dialect)
        return tree.sql(dialect=known, unsupported_level=ErrorLevel.RAISE, comments=False)
    except (SqlglotError, RecursionError) as error:
        raise EngineError(f"this statement cannot be written for {dialect}: {error}") from None

"""From a tree to the text of one engine."""

from sqlglot import ErrorLevel, exp
from sqlglot.errors import SqlglotError

from scoring.engines.flink_dialect import TallyFlink
from scoring.engines.hive_literals import TallyHive, TallySpark
from scoring.errors import EngineError

OWN_DIALECTS = {"hive": TallyHive, "spark": TallySpark, "flink": TallyFlink}
# Where even our short aliases are reserved words.
QUOTED = frozenset({"flink"})


def render(tree: exp.Expr, dialect: str, *, pretty: bool = False) -> str:
    """Raises EngineError where the dialect has no way to say it."""
    try:
        return tree.sql(
            dialect=OWN_DIALECTS.get(dialect, dialect),
            unsupported_level=ErrorLevel.RAISE,
            comments=False,
            pretty=pretty,
            identify=dialect in QUOTED,
        )
    except (SqlglotError, RecursionError) as error:
        raise EngineError(f"this statement cannot be written for {dialect}: {error}") from None

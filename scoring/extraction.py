"""Extraction scripts: one SELECT a kind of sample, in its engine's dialect (requirement S5).

A script yields `sample_id`, features under any names, and `observed_at` where it is known when a
row was observed.
"""

import re
from collections.abc import Iterable

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from scoring.errors import ExtractionError
from scoring.features import OBSERVED_AT, SAMPLE_ID, column
from scoring.wide_tables import WideTable

WRITES = (
    exp.Insert,
    exp.Update,
    exp.Delete,
    exp.Create,
    exp.Drop,
    exp.Alter,
    exp.Command,
    exp.Into,
)


def parse_extraction(text: str, dialect: str, name: str) -> exp.Query:
    """Read a script; `name` is what messages call it. Raises ExtractionError.

    Refused are anything but one query, what writes, and columns that have no name of their own.
    """
    try:
        parsed = sqlglot.parse(text, dialect=dialect)
    except SqlglotError as error:
        raise ExtractionError(f"{name} is not {dialect} SQL: {_first_fault(error)}") from None
    statements = [one for one in parsed if one is not None and not isinstance(one, exp.Semicolon)]
    if len(statements) != 1:
        raise ExtractionError(f"{name} holds {len(statements)} statements: it has to be one SELECT")
    query = statements[0]
    if not isinstance(query, exp.Query) or query.find(*WRITES) is not None:
        raise ExtractionError(f"{name} is not a query: it has to be one SELECT, which only reads")
    if query.find(exp.Placeholder, exp.Parameter) is not None:
        raise ExtractionError(f"{name} has a parameter: the ids to read are added to it by itself")
    names = [one.alias_or_name for one in query.selects]
    if query.is_star:
        raise ExtractionError(
            f"{name} selects *: name its columns, so that no feature comes by chance"
        )
    if "" in names:
        raise ExtractionError(f"column {names.index('') + 1} of {name} has no name: add AS name")
    lowered = [one.lower() for one in names]
    if repeated := sorted({one for one in lowered if lowered.count(one) > 1}):
        raise ExtractionError(f"{name} yields {', '.join(repeated)} more than once")
    if SAMPLE_ID not in names:
        raise ExtractionError(
            f"{name} yields no column {SAMPLE_ID}: select the id as in customer_id AS {SAMPLE_ID}"
        )
    if not set(names) - {SAMPLE_ID, OBSERVED_AT}:
        raise ExtractionError(f"{name} yields no feature besides {SAMPLE_ID}")
    return query


def generated_extraction(
    raw: WideTable, identifier: str, observed: str | None, features: Iterable[str]
) -> exp.Select:
    """The script where none is written, for these columns of the raw table."""
    own = [column(identifier).as_(SAMPLE_ID, quoted=True)]
    if observed is not None:
        own.append(column(observed).as_(OBSERVED_AT, quoted=True))
    return raw.select([*own, *(column(name).as_(name, quoted=True) for name in features)])


def restricted(query: exp.Query, output: str, condition: exp.Expression) -> exp.Query:
    """Only rows whose `output` column meets a condition on `column(output)`.

    The condition moves to where the rows are read, so that an index or a file's statistics serve
    it, unless that would change what the query means (windows, limits, aggregates over others).
    """
    query = query.copy()
    inner = _source_of(query, output)
    if inner is None or not isinstance(query, exp.Select):
        return exp.select("*").from_(query.subquery("extracted", copy=False)).where(condition)
    moved = condition.transform(lambda node: inner.copy() if node == column(output) else node)
    return query.where(moved)


def _source_of(query: exp.Query, output: str) -> exp.Expr | None:
    """What the output column is made of, where a filter on it may as well come first."""
    if not isinstance(query, exp.Select) or query.find(exp.Window, exp.Limit, exp.Offset):
        return None
    if query.args.get("distinct") or query.args.get("having") or query.args.get("qualify"):
        return None
    source = next((one.unalias() for one in query.selects if one.alias_or_name == output), None)
    if source is None or source.find(exp.AggFunc, exp.Subquery):
        return None
    group = query.args.get("group")
    if group is None:
        alone = not any(one.find(exp.AggFunc) for one in query.selects)
    else:
        alone = source in group.expressions
    return source if alone else None


def _first_fault(error: SqlglotError) -> str:
    """The parser's first complaint, on one line and without its colours."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", str(error)).strip()
    return text.splitlines()[0] if text else type(error).__name__

"""Queries one around another, each with the sample's id and columns of its own."""

from collections.abc import Iterable, Sequence

from sqlglot import exp

from scoring.literals import column

SAMPLE_ID = "sample_id"


def layer(below: exp.Query, alias: str, columns: Iterable[exp.Expression]) -> exp.Select:
    """The columns, which read those of `below` by its alias; large trees are moved, not copied."""
    chosen = [column(SAMPLE_ID, alias), *columns]
    return exp.select(*chosen, copy=False).from_(below.subquery(alias, copy=False), copy=False)


def score_columns(scores: Sequence[exp.Expression]) -> list[exp.Expression]:
    """score_0, score_1, …: a double whatever the engine infers, for SQLite of NULLs only too."""
    return [
        aliased(
            exp.Cast(this=score, to=exp.DataType.build(exp.DataType.Type.DOUBLE)),
            score_name(output),
        )
        for output, score in enumerate(scores)
    ]


def aliased(value: exp.Expression, name: str) -> exp.Expression:
    return exp.Alias(this=value, alias=exp.to_identifier(name))


def score_name(output: int) -> str:
    return f"score_{output}"

"""The statements that loading a table takes, as trees."""

from collections.abc import Iterable, Mapping

from sqlglot import exp

from scoring.tables import Column, ColumnType, Table

DATA_TYPES = {
    ColumnType.TEXT: "text",
    ColumnType.INTEGER: "bigint",
    ColumnType.NUMBER: "double",
    ColumnType.TIME: "timestamp",
}


def name_of(table: str) -> exp.Table:
    """Quoted: a name may be a reserved word somewhere."""
    return exp.Table(this=exp.to_identifier(table, quoted=True))


def column_of(name: str, table: str | None = None) -> exp.Column:
    return exp.column(name, table=table, quoted=True)


def create(
    name: str, columns: Iterable[Column], key: Iterable[str] = (), *, temporary: bool = False
) -> exp.Create:
    """CREATE TABLE, with a primary key if `key` names columns."""
    definitions: list[exp.Expression] = [
        exp.ColumnDef(
            this=exp.to_identifier(column.name, quoted=True),
            kind=exp.DataType.build(DATA_TYPES[column.type]),
        )
        for column in columns
    ]
    identifiers = [exp.to_identifier(part, quoted=True) for part in key]
    if identifiers:
        definitions.append(exp.PrimaryKey(expressions=identifiers))
    properties = exp.Properties(expressions=[exp.TemporaryProperty()]) if temporary else None
    schema = exp.Schema(this=name_of(name), expressions=definitions)
    return exp.Create(this=schema, kind="TABLE", properties=properties)


def insert(table: str, columns: Iterable[str], query: exp.Query) -> exp.Insert:
    identifiers = [exp.to_identifier(name, quoted=True) for name in columns]
    schema = exp.Schema(this=name_of(table), expressions=identifiers)
    return exp.Insert(this=schema, expression=query)


def drop(table: str, *, missing_ok: bool = True) -> exp.Drop:
    return exp.Drop(tables=[name_of(table)], kind="TABLE", exists=missing_ok)


def rename(table: str, name: str) -> exp.Alter:
    renamed = exp.AlterRename(this=name_of(name))
    return exp.Alter(this=name_of(table), kind="TABLE", actions=[renamed])


def select(columns: Iterable[str], source: str) -> exp.Select:
    return exp.select(*(column_of(name) for name in columns)).from_(name_of(source))


def select_all(query: exp.Query, columns: Iterable[str]) -> exp.Select:
    """The columns of a query, which is put in brackets."""
    return exp.select(*(column_of(name) for name in columns)).from_(query.subquery("every_row"))


def latest(table: Table, source: exp.Table | exp.Subquery, arrival: str) -> exp.Select:
    """Of the rows with one key in `source`, the last that arrived."""
    names = [column.name for column in table.columns]
    rank = exp.Window(
        this=exp.RowNumber(),
        partition_by=[column_of(name) for name in table.key],
        order=exp.Order(expressions=[exp.Ordered(this=column_of(arrival), desc=True)]),
    )
    ranked = exp.select(*map(column_of, names)).from_(source)
    ranked = ranked.select(exp.alias_(rank, arrival, quoted=True))
    return select_all(ranked, names).where(column_of(arrival).eq(1))


def missing(table: Table, rows: exp.Query) -> exp.Select:
    """Those of the rows (`came`) whose key is not in the table."""
    names = [column.name for column in table.columns]
    same = exp.and_(*(column_of(one, "came").eq(column_of(one, "known")) for one in table.key))
    unknown = exp.Is(this=column_of(table.key[0], "known"), expression=exp.Null())
    return (
        exp.select(*(column_of(name, "came") for name in names))
        .from_(rows.subquery("came"))
        .join(name_of(table.name).as_("known"), on=same, join_type="left")
        .where(unknown)
    )


def delete_matching(table: Table, source: str) -> exp.Delete:
    """Remove the rows whose key is in `source`."""
    own = [column_of(name) for name in table.key]
    this = own[0] if len(own) == 1 else exp.Tuple(expressions=own)
    condition = exp.In(this=this, query=select(table.key, source).subquery())
    return exp.Delete(this=name_of(table.name), where=exp.Where(this=condition))


def with_values(query: exp.Query, values: Mapping[str, exp.Expr]) -> exp.Query:
    """A copy of the query, its placeholders replaced."""
    bound = query.copy()
    for mark in list(bound.find_all(exp.Placeholder)):
        if mark.name in values:
            mark.replace(values[mark.name].copy())
    return bound

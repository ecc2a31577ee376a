"""Tables wider than an engine takes: numbered tables, joined on the key, that read like one.

SQLite ends at 2,000 columns and PostgreSQL near 1,000 doubles; a party may have 3,000 features
(requirement P6). The limits hold for the columns of a result too, so what is read is a few
columns, or expressions over any number of them.
"""

from collections.abc import Iterable, Sequence
from typing import Self

import pyarrow as pa
from sqlglot import exp

from scoring.engines.engine import Engine
from scoring.engines.statements import name_of
from scoring.errors import EngineError, TableConflictError
from scoring.tables import Column, Table


class WideTable:
    """One logical table on an engine; in one piece where the engine takes it.

    A load is seen in all its parts at once.
    """

    def __init__(self, engine: Engine, table: Table) -> None:
        self._engine = engine
        self.table = table
        self.parts = split(table, engine.most_columns)
        self._alias = {
            column.name: f"part_{number}"
            for number, part in reversed(list(enumerate(self.parts, start=1)))
            for column in part.columns
        }

    def ensure(self) -> Self:
        """Create the parts that are not there. Raises TableConflictError."""
        if len(self.parts) == 1:
            self._engine.ensure(self.table)
            return self
        with self._engine.together(self.table.name):
            self._refuse_other_split()
            for part in self.parts:
                self._engine.ensure(part)
        return self

    def drop(self) -> None:
        if len(self.parts) == 1:
            self._engine.drop(self.table.name)
            return
        with self._engine.together(self.table.name):
            for part in self.parts:
                self._engine.drop(part.name)

    def append(self, batches: Iterable[pa.RecordBatch]) -> int:
        """As Engine.append."""
        if len(self.parts) == 1:
            return self._engine.append(self.table, batches)
        rows = 0
        with self._engine.together(self.table.name):
            for batch in batches:
                for part, columns in self._pieces(batch):
                    self._engine.append(part, [columns])
                rows += batch.num_rows
        return rows

    def merge(self, batches: Iterable[pa.RecordBatch]) -> int:
        """As Engine.merge."""
        if len(self.parts) == 1:
            return self._engine.merge(self.table, batches)
        rows = 0
        with self._engine.together(self.table.name):
            for batch in batches:
                for part, columns in self._pieces(batch):
                    self._engine.merge(part, [columns])
                rows += batch.num_rows
        return rows

    def relation(self, columns: Sequence[str]) -> exp.Select:
        """The key and these columns, as one query."""
        names = [*self.table.key, *(name for name in columns if name not in self.table.key)]
        return self.select([self.column(name).as_(name, quoted=True) for name in names])

    def select(self, expressions: Iterable[exp.Expr]) -> exp.Select:
        """Expressions over the table's columns by their names alone, as one query.

        Only the parts that they need are read. Further conditions take `column(name)`.
        """
        chosen = [self._qualified(expression) for expression in expressions]
        used = {column.table for expression in chosen for column in expression.find_all(exp.Column)}
        places = [
            exp.alias_(name_of(part.name), f"part_{number}", table=True)
            for number, part in enumerate(self.parts, start=1)
            if number == 1 or f"part_{number}" in used
        ]
        query = exp.select(*chosen).from_(places[0])
        for place in places[1:]:
            pairs = (
                exp.column(name, table="part_1", quoted=True).eq(
                    exp.column(name, table=place.alias, quoted=True)
                )
                for name in self.table.key
            )
            query = query.join(place, on=exp.and_(*pairs))
        return query

    def column(self, name: str) -> exp.Column:
        """A column by its part."""
        if name not in self._alias:
            raise EngineError(f"there is no column {name} in {self.table.name}")
        return exp.column(name, table=self._alias[name], quoted=True)

    def _qualified(self, expression: exp.Expr) -> exp.Expr:
        copied = expression.copy()
        for column in list(copied.find_all(exp.Column)):
            if not column.table:
                found = self.column(column.name)
                if column is copied:
                    return found
                column.replace(found)
        return copied

    def _pieces(self, batch: pa.RecordBatch) -> Iterable[tuple[Table, pa.RecordBatch]]:
        names = {column.name for column in self.table.columns}
        if differing := sorted(names ^ set(batch.schema.names)):
            raise EngineError(f"rows for {self.table.name}: {differing[0]} missing, or unknown")
        for part in self.parts:
            yield part, batch.select([column.name for column in part.columns])

    def _refuse_other_split(self) -> None:
        """A part too many would be another table of this name, made wider."""
        following = f"{self.table.name}_{len(self.parts) + 1}"
        if len(self.parts) > 1 and self._engine.columns(following) is not None:
            raise TableConflictError(
                f"there is already a table {self.table.name} with more columns: drop it first"
            )


def split(table: Table, most_columns: int) -> tuple[Table, ...]:
    """The table itself, or NAME_1, NAME_2, … each with the key."""
    if len(table.columns) <= most_columns:
        return (table,)
    key = tuple(column for column in table.columns if column.name in table.key)
    others = [column for column in table.columns if column.name not in table.key]
    return tuple(
        Table(f"{table.name}_{number}", (*key, *columns), table.key)
        for number, columns in enumerate(_groups(others, most_columns - len(key)), start=1)
    )


def _groups(columns: Sequence[Column], size: int) -> Iterable[tuple[Column, ...]]:
    for start in range(0, len(columns), size):
        yield tuple(columns[start : start + size])

"""Tables wider than an engine takes: numbered tables, joined on the key, that read like one.

SQLite ends at 2,000 columns and PostgreSQL near 1,000 doubles; a party may have 3,000 features
(requirement P6). The limits hold for the columns of a result too, so what is read is a few
columns, expressions over any number of them, or the parts side by side.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Self

import pyarrow as pa
from sqlglot import exp

from scoring.engines.engine import Engine
from scoring.engines.statements import name_of
from scoring.errors import EngineError, TableConflictError
from scoring.table_parts import drop_stored, names_of, side_by_side, split, stored_parts
from scoring.tables import Table

# A query for some columns of a table, in their order.
QueryOf = Callable[[Sequence[str]], exp.Query]


class WideTable:
    """One logical table on an engine; in one piece where the engine takes it.

    A load is seen in all its parts at once. `parts` are as `split` makes them unless given.
    """

    def __init__(
        self, engine: Engine, table: Table, parts: tuple[Table, ...] | None = None
    ) -> None:
        self._engine = engine
        self.table = table
        self.parts = parts or split(table, engine.most_columns)
        self._alias = {
            column.name: f"part_{number}"
            for number, part in reversed(list(enumerate(self.parts, start=1)))
            for column in part.columns
        }

    def ensure(self) -> Self:
        """Create the parts that are not there. Raises TableConflictError."""
        if len(self.parts) == 1:
            self._engine.ensure(self.parts[0])
            return self
        with self._engine.together(self.table.name):
            self._refuse_other_split()
            for part in self.parts:
                self._engine.ensure(part)
        return self

    def ensure_anew(self) -> Self:
        """As `ensure`, but a table of this name with other columns gives way."""
        found = stored_parts(self._engine, self.table.name)
        known = [(part.name, set(part.columns)) for part in self.parts]
        if found and known != [(name, set(columns)) for name, columns in found]:
            drop_stored(self._engine, self.table.name)
        return self.ensure()

    def drop(self) -> None:
        if len(self.parts) == 1:
            self._engine.drop(self.parts[0].name)
            return
        with self._engine.together(self.table.name):
            for part in self.parts:
                self._engine.drop(part.name)

    def append(self, batches: Iterable[pa.RecordBatch]) -> int:
        """As Engine.append."""
        if len(self.parts) == 1:
            return self._engine.append(self.parts[0], batches)
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
            return self._engine.merge(self.parts[0], batches)
        rows = 0
        with self._engine.together(self.table.name):
            for batch in batches:
                for part, columns in self._pieces(batch):
                    self._engine.merge(part, [columns])
                rows += batch.num_rows
        return rows

    def replace_query(self, query_of: QueryOf) -> None:
        """As Engine.replace_query; each part asks for its own columns."""
        if len(self.parts) == 1:
            self._engine.replace_query(self.parts[0], query_of(names_of(self.parts[0])))
            return
        with self._engine.together(self.table.name):
            for part in self.parts:
                self._engine.replace_query(part, query_of(names_of(part)))

    def replace(self, batches: Iterable[pa.RecordBatch]) -> int:
        """Swap the whole content for these rows; readers see the old or the new."""
        first = self.relation([]).limit(1)
        if not self._engine.rows(first):
            return self.append(batches)
        name = f"{self.table.name[:50]}_incoming"
        incoming = WideTable(self._engine, Table(name, self.table.columns, self.table.key))
        drop_stored(self._engine, name)
        incoming.ensure()
        rows = incoming.append(batches)
        self.replace_query(incoming.in_order)
        incoming.drop()
        return rows

    def relation(
        self, columns: Sequence[str], condition: exp.Expression | None = None
    ) -> exp.Select:
        """The key and these columns, as one query; see `select`."""
        names = [*self.table.key, *(name for name in columns if name not in self.table.key)]
        return self.in_order(names, condition)

    def in_order(
        self, columns: Sequence[str], condition: exp.Expression | None = None
    ) -> exp.Select:
        """These columns, as one query; see `select`."""
        return self.select(
            [self.column(name).as_(name, quoted=True) for name in columns], condition
        )

    def select(
        self, expressions: Iterable[exp.Expr], condition: exp.Expression | None = None
    ) -> exp.Select:
        """Expressions over the table's columns by their names alone, as one query.

        Only the parts that they need are read. Further conditions take `column(name)`.
        """
        chosen = [self._qualified(expression) for expression in expressions]
        wanted = [] if condition is None else [self._qualified(condition)]
        used = {
            column.table
            for expression in (*chosen, *wanted)
            for column in expression.find_all(exp.Column)
        }
        places = [
            exp.alias_(name_of(part.name), f"part_{number}", table=True)
            for number, part in enumerate(self.parts, start=1)
            if number == 1 or f"part_{number}" in used
        ]
        query = exp.select(*chosen, copy=False).from_(places[0], copy=False)
        for place in places[1:]:
            pairs = (
                exp.column(name, table="part_1", quoted=True).eq(
                    exp.column(name, table=place.alias, quoted=True)
                )
                for name in self.table.key
            )
            query = query.join(place, on=exp.and_(*pairs), copy=False)
        return query.where(*wanted, copy=False)

    def stream(self, condition: exp.Expression | None = None) -> Iterator[pa.RecordBatch]:
        """Rows with all columns, in the order of the key, with constant memory.

        Raises EngineError where somebody wrote to it meanwhile.
        """
        key = [exp.column(name, quoted=True) for name in self.table.key]
        queries = [self.in_order(names_of(part), condition).order_by(*key) for part in self.parts]
        yield from side_by_side([self._engine.stream(query) for query in queries], self.table.key)

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
            yield part, batch.select(names_of(part))

    def _refuse_other_split(self) -> None:
        """A part too many, or one alone, would be another table of this name."""
        others = (self.table.name, f"{self.table.name}_{len(self.parts) + 1}")
        if any(self._engine.columns(other) is not None for other in others):
            raise TableConflictError(
                f"there is already a table {self.table.name} with more columns, or fewer: "
                "drop it first"
            )


def stored_table(engine: Engine, table: Table) -> WideTable:
    """A table with these columns that is there already, also where it is not ours to split."""
    parts = [Table(name, columns, table.key) for name, columns in stored_parts(engine, table.name)]
    return WideTable(engine, table, tuple(parts))

"""What an extraction reads, in a Spark session of this process: its tables, and raw rows (S6)."""

from collections.abc import Callable, Iterator, Mapping, Sequence

import pyarrow as pa
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession
from sqlglot import exp

from scoring.engines.arrow import column_type, plain
from scoring.engines.engine import Prepared, Row, Value
from scoring.engines.hive_dialect import Flavour
from scoring.engines.hive_engine import SESSION
from scoring.engines.hive_literals import literal_trees
from scoring.engines.rendering import render
from scoring.engines.statements import with_values
from scoring.errors import EngineError
from scoring.tables import Column


class SparkSessionReader:
    """The reading half of an Engine; what writes is refused.

    `kept` tells the columns of tables that are in another engine.
    """

    address = "the Spark session"
    dialect = "spark"
    most_columns = 10_000

    def __init__(
        self, session: SparkSession, kept: Callable[[str], tuple[Column, ...] | None]
    ) -> None:
        self._session = session
        self._kept = kept
        for name, value in SESSION[Flavour.SPARK].items():
            if not name.startswith("spark.sql.thriftServer"):
                session.conf.set(name, value)

    def show(self, name: str, rows: pa.Table) -> None:
        """Rows under the name of a table, in place of those that have it."""
        self._session.createDataFrame(rows).createOrReplaceTempView(name)

    def columns(self, name: str) -> tuple[Column, ...] | None:
        if not self._session.catalog.tableExists(name):
            return self._kept(name)
        schema = self._arrow(exp.select("*").from_(exp.table_(name, quoted=True)).limit(0)).schema
        return tuple(Column(field.name, column_type(field.type)) for field in schema)

    def stream(
        self, query: exp.Query, parameters: Mapping[str, Value] | None = None
    ) -> Iterator[pa.RecordBatch]:
        """All at once in memory: of one batch of a stream."""
        for batch in self._arrow(query, parameters or {}).to_batches():
            if batch.num_rows:
                yield plain(batch)

    def rows(
        self, query: exp.Query, parameters: Mapping[str, Value] | None = None
    ) -> Sequence[Row]:
        found = self._arrow(query, parameters or {})
        return list(zip(*(column.to_pylist() for column in found.columns), strict=True))

    def prepare(self, query: exp.Query) -> Prepared:
        return lambda parameters: self.rows(query, parameters)

    def _arrow(self, query: exp.Query, parameters: Mapping[str, Value] | None = None) -> pa.Table:
        text = render(with_values(query, literal_trees(parameters or {})), self.dialect)
        try:
            return self._session.sql(text).toArrow()
        except PySparkException as error:
            raise EngineError(f"Spark refused the extraction: {error.getCondition()}") from None

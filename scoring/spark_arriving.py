"""Raw samples whose features a cluster extracts as they arrive (requirement S6).

The same as scoring.arriving but for who runs the extraction: a Spark session, in which the raw
rows of a batch stand in for the table of raw rows, beside the cluster's other tables.
"""

from collections.abc import Sequence
from typing import cast

import pyarrow as pa
from pyspark.sql import SparkSession
from sqlglot import exp

from scoring.arriving import Arrivals
from scoring.engines.arrow import batch_of_columns
from scoring.engines.engine import Engine, Value
from scoring.engines.spark_session import SparkSessionReader
from scoring.errors import ExtractionError
from scoring.features import SAMPLE_ID, column
from scoring.raw_samples import RawRow, newest_rows
from scoring.sample_features import Extracted, features_of, features_table, look_at
from scoring.samples import Samples
from scoring.tables import Table


class SparkArrivals(Arrivals):
    """One thread. Raises ExtractionError where the script is not one of Hive's or Spark's."""

    def __init__(self, samples: Samples, session: SparkSession) -> None:
        if samples.dialect != "hive":
            raise ExtractionError(
                f"the extraction of {samples.name} is in the SQL of {samples.dialect}: Spark runs "
                "those of an engine hive://…; leave --spark out"
            )
        super().__init__(samples)
        self._reader = SparkSessionReader(session, samples.lookup.columns)
        self._engine = cast("Engine", self._reader)  # extraction only reads
        self._found: Extracted | None = None

    def take(self, rows: Sequence[RawRow]) -> int:
        newest = newest_rows(rows, self.table, self._observed, {})
        if newest:
            values = list(zip(*newest, strict=True))
            batch = batch_of_columns(self.table.columns, values, self.table.name)
            self._reader.show(self.table.name, pa.Table.from_batches([batch]))
        return super().take(newest)

    def _prepared(self) -> Table:
        self._found = look_at(self._samples, self._engine)
        return features_table(self._samples, self._found)

    def _extracted(self, table: Table, ids: Sequence[Value]) -> pa.RecordBatch:
        assert self._found is not None  # noqa: S101
        wanted = exp.In(
            this=column(SAMPLE_ID), expressions=[exp.Literal.string(str(one)) for one in ids]
        )
        query = features_of(self._samples, self._engine, self._found, wanted)
        columns = [column(one.name) for one in table.columns]
        chosen = exp.select(*columns, copy=False).from_(query.subquery("features"))
        rows = self._reader.rows(chosen)
        values = list(zip(*rows, strict=True)) or [()] * len(columns)
        return batch_of_columns(table.columns, values, table.name)

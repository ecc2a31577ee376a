"""A digest of features that does not depend on how they came in batches."""

import hashlib
import json

import numpy as np
import pyarrow as pa


class FeatureDigest:
    """SHA-256 of rows in the order of their ids, column by column."""

    def __init__(self) -> None:
        self.rows = 0
        self._columns: dict[str, hashlib._Hash] = {}

    def add(self, batch: pa.RecordBatch) -> None:
        self.rows += batch.num_rows
        for name, array in zip(batch.schema.names, batch.columns, strict=True):
            self._columns.setdefault(name, hashlib.sha256()).update(_content(array))

    def hexdigest(self) -> str:
        whole = {name: digest.hexdigest() for name, digest in self._columns.items()}
        return hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()


def _content(array: pa.Array) -> bytes:
    """Numbers as their 8 bytes, missing ones as NaN; texts and times as lines of JSON."""
    if pa.types.is_floating(array.type):
        numbers = array.fill_null(np.nan).to_numpy(zero_copy_only=False)
        return np.ascontiguousarray(numbers, "<f8").tobytes()
    if pa.types.is_timestamp(array.type):
        array = array.cast(pa.int64())
    return "".join(f"{json.dumps(value)}\n" for value in array.to_pylist()).encode()

"""What a prediction comes to: a status a customer and party, and the combined scores (S3).

Layout: length of the header (8 bytes, little-endian), the header (JSON, padded to 8 bytes), values
as float64[rows, outputs] with NaN where a party lacks the customer, status as uint8[rows, parties].
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from scoring.texts import json_list, read_document

HEADER = pa.schema(
    [("parties", pa.list_(pa.string())), ("combination", pa.string()), ("outputs", pa.int64())]
)
FOUND, NOT_FOUND = 0, 1


@dataclass(frozen=True)
class Results:
    """Rows in the order of the request; `status` says of every party whether it has the customer.

    `values` are probabilities, a probability a class, or values in the units of the label.
    """

    ids: Sequence[str]
    parties: tuple[str, ...]
    combination: str
    values: NDArray[np.float64]
    status: NDArray[np.uint8]

    @property
    def scored(self) -> NDArray[np.bool_]:
        """Which customers every party has."""
        return np.asarray(~self.status.any(axis=1))

    def blocks(self, rows: int) -> Iterator["Results"]:
        """The same in pieces of so many rows, one after the other."""
        for start in range(0, len(self.ids), rows):
            part = slice(start, start + rows)
            yield replace(
                self, ids=self.ids[part], values=self.values[part], status=self.status[part]
            )

    def missing_at(self, row: int) -> tuple[str, ...]:
        """The parties that do not have a customer."""
        return tuple(
            party
            for party, status in zip(self.parties, self.status[row], strict=True)
            if status != FOUND
        )


def encode_results(results: Results) -> bytes:
    told = {
        "parties": list(results.parties),
        "combination": results.combination,
        "outputs": results.values.shape[1],
    }
    rest = json.dumps(told, ensure_ascii=False).encode()
    header = [b'{"ids": ', json_list(results.ids), b", ", rest[1:]]
    size = sum(map(len, header))
    padding = -size % 8
    values = np.ascontiguousarray(results.values, "<f8")
    status = np.ascontiguousarray(results.status, np.uint8)
    first = (size + padding).to_bytes(8, "little")
    return b"".join([first, *header, b" " * padding, values.data, status.data])


def decode_results(content: bytes) -> Results:
    size = int.from_bytes(content[:8], "little")
    header = read_document(memoryview(content)[8 : 8 + size], HEADER)
    rows, parties, outputs = len(header["ids"]), header["parties"], header["outputs"]
    values = np.frombuffer(content, "<f8", rows * outputs, 8 + size).reshape(rows, outputs)
    status = np.frombuffer(content, np.uint8, offset=8 + size + values.nbytes)
    status = status.reshape(rows, len(parties))
    return Results(header["ids"], tuple(parties), header["combination"], values, status)


def labels_of(results: Results, threshold: float) -> Sequence[int | None]:
    """1 above the threshold, else -1 (P2, L3); of several classes the most probable one's number.

    None where the customer is not scored.
    """
    if results.values.shape[1] > 1:
        labels = np.argmax(np.nan_to_num(results.values), axis=1)
    else:
        labels = np.where(results.values[:, 0] > threshold, 1, -1)
    scored = results.scored
    return [int(label) if known else None for label, known in zip(labels, scored, strict=True)]

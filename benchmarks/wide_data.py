"""Made-up customers as wide as the source's (P6), with a signal on both sides, as Parquet files."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet

ROWS_AT_A_TIME = 2_048
FACTORS = 5
STRONG_SHARE = 0.1  # of the partner's variables; the others say next to nothing
PARTNER_STRENGTH = 0.6  # of all its variables together, where the bank's have 1


def write_tables(folder: Path, rows: int, bank: int, partner: int, seed: int) -> None:
    """bank.parquet (id, y and its variables) and partner.parquet, the same customers in each.

    All variables lean on a few common factors, so that they are correlated within and across.
    """
    random = np.random.default_rng(seed)
    leaning = random.normal(0, 0.4, (FACTORS, bank + partner))
    weights = random.normal(0, 1, bank + partner)
    weights[bank:] *= np.where(random.random(partner) > STRONG_SHARE, 0.02, 1)
    weights[:bank] /= np.linalg.norm(weights[:bank])
    weights[bank:] *= PARTNER_STRENGTH / np.linalg.norm(weights[bank:])
    names = {
        "bank": ["id", "y", *(f"b{number}" for number in range(bank))],
        "partner": ["id", *(f"p{number}" for number in range(partner))],
    }
    with _writer(folder, "bank", names) as banks, _writer(folder, "partner", names) as partners:
        for start in range(0, rows, ROWS_AT_A_TIME):
            count = min(ROWS_AT_A_TIME, rows - start)
            ids = np.array([f"154{number * 7_919:011d}" for number in range(start, start + count)])
            values = random.normal(size=(count, FACTORS)) @ leaning
            values = (values + random.normal(size=values.shape)).round(4)
            log_odds = values @ weights - 1 + random.normal(0, 0.5, count)
            label = (random.random(count) < 1 / (1 + np.exp(-log_odds))).astype(np.float64)
            order = random.permutation(count)  # parties do not keep customers in the same order
            _write(banks, names["bank"], ids, [label, *values[:, :bank].T])
            _write(partners, names["partner"], ids[order], list(values[order, bank:].T))


def _writer(folder: Path, name: str, names: dict[str, list[str]]) -> pa.parquet.ParquetWriter:
    return pa.parquet.ParquetWriter(folder / f"{name}.parquet", _schema(names[name]))


def _write(
    writer: pa.parquet.ParquetWriter,
    names: list[str],
    ids: np.ndarray[tuple[int], np.dtype[np.str_]],
    columns: list[np.ndarray[tuple[int], np.dtype[np.float64]]],
) -> None:
    arrays = [pa.array(ids), *(pa.array(np.ascontiguousarray(column)) for column in columns)]
    writer.write_table(pa.table(arrays, schema=_schema(names)))


def _schema(names: list[str]) -> pa.Schema:
    return pa.schema([(names[0], pa.string()), *((name, pa.float64()) for name in names[1:])])

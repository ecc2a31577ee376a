"""A table far larger than memory may be is read, frozen and binned in little of it (P6).

In a process of its own, whose peak is what the kernel says of it.
"""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet

ROWS, COLUMNS = 60_000, 1_000
TABLE_BYTES = ROWS * COLUMNS * 8
# DuckDB and our own blocks of columns take some 200 MB, however wide the table is.
ALLOWED_BYTES = TABLE_BYTES * 2 // 3

READ = """
import sys
from pathlib import Path
import numpy as np
from handlers.snapshot import decode_snapshot, encode_snapshot
from learning.binning import apply_bins, learn_bins
from party.sources import SourceSettings, read_source
from store.payloads import PayloadStore

def peak():
    status = Path("/proc/self/status").read_text().split()
    return int(status[status.index("VmHWM:") + 1]) * 1024

folder, source = Path(sys.argv[1]), SourceSettings.model_validate_json(sys.argv[2])
read_source(SourceSettings(file=str(folder / "small.csv")), folder=folder)
before = peak()
table = read_source(source, folder=folder)
store = PayloadStore(folder / "payloads")
kept = store.put(bytes(32), encode_snapshot(table.ids, table.columns, table.label, table.rules))
snapshot = decode_snapshot(lambda: store.array(kept.commitment, "u1", (kept.size,)))
rows = np.arange(len(snapshot.ids))
codes = 0
for name, column in snapshot.take(rows):
    codes += int(apply_bins(learn_bins(name, column, rows >= 0), column).sum())
print(len(snapshot.ids), len(snapshot.columns), codes, peak() - before)
"""

CONTRIBUTE = """
import sys
from pathlib import Path
from party.contributions import contribute
from party.sources import SourceSettings

def peak():
    status = Path("/proc/self/status").read_text().split()
    return int(status[status.index("VmHWM:") + 1]) * 1024

folder, source = Path(sys.argv[1]), SourceSettings.model_validate_json(sys.argv[2])
contribute(SourceSettings(file=str(folder / "small.csv")), bytes(32), folder / "small.parquet")
before = peak()
names = contribute(source, bytes(32), folder / "contribution.parquet")
print(len(names), peak() - before)
"""


def write_table(path: Path) -> None:
    """Numbers with as many customers in every fifth; few different ones, to be written fast."""
    names = [f"v{number}" for number in range(COLUMNS)]
    fields = [("id", pa.string()), *((name, pa.float64()) for name in names)]
    some = np.random.default_rng(0).permutation(5_000).astype(np.float64)
    with pa.parquet.ParquetWriter(path, pa.schema(fields)) as writer:
        for start in range(0, ROWS, len(some)):
            ids = pa.array([f"{start + row:011d}" for row in range(len(some))])
            values = [pa.array(np.roll(some, number)) for number in range(COLUMNS)]
            writer.write_table(pa.table([ids, *values], schema=pa.schema(fields)))


def test_a_wide_table_takes_less_memory_than_it_has_numbers(tmp_path: Path) -> None:
    """Given a table of 480 MB, then its reading, its snapshot and its bins take less than 320."""
    (tmp_path / "small.csv").write_text("id,a\n1,2\n3,4\n")
    write_table(tmp_path / "wide.parquet")
    source = f'{{"file": "{tmp_path / "wide.parquet"}"}}'
    command = [sys.executable, "-c", READ, str(tmp_path), source]
    told = subprocess.check_output(command, text=True).split()
    rows, columns, codes, taken = (int(word) for word in told)
    assert (rows, columns) == (ROWS, COLUMNS)
    assert codes == (0 + 1 + 2 + 3 + 4) * ROWS // 5 * COLUMNS
    assert taken < ALLOWED_BYTES, f"{taken / TABLE_BYTES:.2f} of the table were in memory"


def test_a_contribution_takes_less_memory_than_it_has_numbers(tmp_path: Path) -> None:
    """Given the same table, then the mart's member writes all of it under keyed hashes (A1)."""
    (tmp_path / "small.csv").write_text("id,a\n1,2\n3,4\n")
    write_table(tmp_path / "wide.parquet")
    source = f'{{"file": "{tmp_path / "wide.parquet"}"}}'
    command = [sys.executable, "-c", CONTRIBUTE, str(tmp_path), source]
    columns, taken = map(int, subprocess.check_output(command, text=True).split())
    written = pa.parquet.ParquetFile(tmp_path / "contribution.parquet")
    assert (written.metadata.num_rows, columns) == (ROWS, COLUMNS)
    handles = written.read(["handle"])["handle"].to_pylist()
    assert handles == sorted(set(handles))
    for name in ("c1", f"c{COLUMNS}"):
        values = np.sort(written.read([name])[name].to_numpy())
        assert (values == np.repeat(np.arange(5_000), ROWS // 5_000)).all()
    assert taken < ALLOWED_BYTES, f"{taken / TABLE_BYTES:.2f} of the table were in memory"

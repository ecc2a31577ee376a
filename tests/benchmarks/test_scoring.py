"""The benchmark of scoring at a small size: only checked results are told (S2, S4)."""

import json
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from benchmarks.scoring import main
from benchmarks.scoring_data import FIRST_ID, RESULT, check
from benchmarks.workload import BenchmarkError


def test_every_way_scores_the_same_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "results" / "scoring.json"
    main(["--rows", "1000", "--look-ups", "50", "--folder", str(tmp_path), "--out", str(out)])
    [measured] = json.loads(out.read_text())["sizes"]
    python = ["Arrow batches", "Arrow row groups"]
    if find_spec("pandas"):
        python = ["pandas, whole table", *python]
    assert list(measured["ways"]) == [
        *python,
        "duckdb, Parquet file",
        "duckdb, table",
        "sqlite, table",
    ]
    for way in measured["ways"].values():
        assert way["rows_a_second"] == pytest.approx(1000 / way["seconds"])
        assert way["peak_mebibytes"] > 0
    for one in measured["single_milliseconds"].values():
        assert 0 < one["p50"] <= one["p99"]
    told = capsys.readouterr().out
    assert "duckdb, Parquet file" in told
    assert "SQLite row, predict_proba" in told
    assert [one.name for one in tmp_path.iterdir()] == ["results"], "nothing is left behind"


@pytest.mark.parametrize(
    ("ids", "chances"),
    [
        pytest.param([0, 1], [0.25, 0.5 + 1e-8], id="another score"),
        pytest.param([0], [0.25], id="one is missing"),
        pytest.param([0, 1, 1], [0.25, 0.5, 0.5], id="one is there twice"),
        pytest.param([0, 1], [0.25, None], id="no score"),
    ],
)
def test_a_wrong_result_has_no_figures(ids: list[int], chances: list[float | None]) -> None:
    answer = np.array([0.25, 0.5])
    texts = [str(FIRST_ID + one) for one in ids]
    wrong = pa.record_batch([pa.array(texts), pa.array(chances, pa.float64())], schema=RESULT)
    with pytest.raises(BenchmarkError, match="not what numpy says"):
        check([wrong], answer)


def test_a_server_needs_its_address(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--engines", "hive"])
    assert "--hive URL" in capsys.readouterr().err


def test_a_server_that_is_not_there_is_one_clear_error(tmp_path: Path) -> None:
    server = ["--engines", "postgresql", "--postgresql", f"postgresql://@/none?host={tmp_path}"]
    with pytest.raises(SystemExit, match="cannot be reached"):
        main(["--rows", "10", "--folder", str(tmp_path), *server])

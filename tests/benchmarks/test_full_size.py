"""`make full-size` at a small size: a real federation, checked against the replica (P6, D1)."""

import json
import sys
from pathlib import Path

import pytest

from benchmarks.full_size import main


def test_a_small_run_equals_the_replica_and_tells_what_it_took(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "figures.json"
    size = ["--rows", "600", "--bank", "3", "--partner", "12", "--key-bits", "512"]
    places = ["--folder", str(tmp_path / "parties"), "--out", str(out)]
    ways = ["--alignment", "hash", "--backend", "loky"]
    monkeypatch.setattr(sys, "argv", ["full_size", *size, *places, *ways])
    main()
    result = json.loads(out.read_text())
    assert result["equals_replica"], "also by processes of a backend"
    assert set(result["auc"]) == {"joint", "alone", "pooled reference"}
    assert 0 < result["cpu_seconds"]["arithmetic"] < result["cpu_seconds"]["all"]
    assert result["arithmetic_by_function"]["partner"]["gradient_by_workers"] > 0
    for name in ("bank", "partner", "arbiter"):
        assert sum(result["peak_mebibytes"][name].values()) > 0
        assert result["payload_mebibytes"][name] > 0
    assert result["broker"]["bytes in"] > 0
    assert "equals replica" in capsys.readouterr().out

"""The benchmark of the intersection at a small size: only checked results are told."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from benchmarks.intersection import main, measure, own_intersection
from benchmarks.workload import BenchmarkError


def test_every_size_has_its_figures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "results" / "intersection.json"
    main(["--sizes", "100", "250", "--threads", "2", "--out", str(out)])
    measured = json.loads(out.read_text())["tallystick"]
    assert [one["identifiers"] for one in measured] == [100, 250]
    assert all(one["cpu_seconds"] > 0 for one in measured)
    told = capsys.readouterr().out
    assert "tallystick" in told
    assert "250 " in told


def test_it_finds_what_plain_sets_find() -> None:
    assert own_intersection(["1", "2", "3"], ["3", "4", "1"], 1) == 2


def nothing_in_common(_bank: Sequence[str], _partner: Sequence[str], _threads: int) -> int:
    return 0


def test_a_wrong_result_has_no_figures() -> None:
    with pytest.raises(BenchmarkError, match="plain sets say otherwise"):
        measure(nothing_in_common, 10, 1)

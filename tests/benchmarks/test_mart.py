"""The mart's benchmark at a small size: commands, four real parties, the replica's model (A1)."""

import json
import sys
from pathlib import Path

import pytest

from benchmarks.mart import STEPS, main


def test_a_small_run_equals_the_replica_and_tells_what_it_took(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "figures.json"
    size = ["--rows", "600", "--bank", "3", "--columns", "12", "--key-bits", "512"]
    monkeypatch.setattr(sys, "argv", ["mart", *size, "--out", str(out)])
    main()
    result = json.loads(out.read_text())
    names = {one["what"] for one in result["processes"]}
    assert names >= {"tally mart contribute", "tally mart load", "bank", "mart", "partner"}
    assert list(result["seconds since"]) == [what for what, _ in STEPS]
    assert "matched and delivered" in capsys.readouterr().out

"""A short round of the soak: real processes, a real broker, faults in the midst of jobs (D2)."""

import json
import subprocess
import sys
from pathlib import Path


def test_parties_killed_together_and_a_cut_network_cost_nothing(tmp_path: Path) -> None:
    """Given a seed, then every job has the undisturbed model to the bit, and no event is lost."""
    out = tmp_path / "tally.json"
    command = [sys.executable, "-m", "benchmarks.soak", "--seed", "5", "--jobs", "2"]
    command += ["--only", "all together", "--only", "network", "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    tally = json.loads(out.read_text())
    assert [count["same model"] for count in tally.values()] == [1, 1]

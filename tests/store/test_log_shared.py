"""One log file, opened by several processes, and twice within one of them."""

import os
import subprocess
import sys
from pathlib import Path

from store import Log

OPEN_AND_CLOSE = (
    "import sys; from store import Log; log = Log(sys.argv[1]); log.head(); log.close()"
)
LOOK = "import sys; from store import Log; print(*[r.count for r in Log(sys.argv[1]).refusals()])"


def in_another_process(script: str, url: str) -> str:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", script, url]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_a_process_that_leaves_takes_nothing_from_those_who_stay(tmp_path: Path) -> None:
    """A POSIX lock goes when its process closes the file anywhere: SQLite alone may open it."""
    url = f"sqlite:///{tmp_path}/log.sqlite"
    first, second = Log(url), Log(url)
    first.head()
    in_another_process(OPEN_AND_CLOSE, url)
    with first.transaction() as transaction:
        transaction.refuse("partner", "a reason")
    assert in_another_process(LOOK, url) == "1"
    first.close()
    second.close()

"""Which process has a party at work, told from outside: looking never takes the party's lock."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

LOCKS = Path("/proc/locks")

State = Literal["runs", "does not run", "not known"]


@dataclass(frozen=True)
class Process:
    """Who holds a lock file. `pid` is None where it does not run, or cannot be seen from here."""

    state: State
    pid: int | None = None


def holder_of(lock: Path, locks: Path = LOCKS) -> Process:
    """The process that holds the lock, as the kernel tells; "not known" where it tells nobody."""
    try:
        table = locks.read_text(encoding="ascii")
    except OSError:
        return Process("not known")
    try:
        found = lock.stat()
    except OSError:
        return Process("does not run")
    place = f"{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}:{found.st_ino}"
    for line in table.splitlines():
        words = line.split()
        if len(words) >= 6 and words[1] == "FLOCK" and words[5] == place and words[3] == "WRITE":
            pid = int(words[4])
            return Process("runs", pid if pid > 0 else None)
    return Process("does not run")

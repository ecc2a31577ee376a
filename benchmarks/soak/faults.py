"""The faults of a soak, each applied while one job is under way."""

import contextlib
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random

from benchmarks.soak.federation import NAMES, ON_POSTGRESQL, Federation, copy_folder

WATCH_SECONDS = 60.0
HEADROOM_BYTES = 96 * 1024


@dataclass(frozen=True)
class Fault:
    """What is done, and a word on what was done this time."""

    name: str
    apply: Callable[[Federation, Random], str]


def none(_federation: Federation, _random: Random) -> str:
    return ""


def _wait_for_growth(federation: Federation, name: str, events: int) -> int:
    """Until this party's log has grown by so many events, or the job has no more of them."""
    give_up = time.monotonic() + WATCH_SECONDS
    with federation.opened(name) as party:
        goal = party.log.head() + events
        while (head := party.log.head()) < goal and time.monotonic() < give_up:
            party.log.wait_for_entries(head, 0.5)
        return events - max(0, goal - head)


def kill_at_boundary(name: str) -> Callable[[Federation, Random], str]:
    """Right after an event has entered its log, the next one not."""

    def apply(federation: Federation, random: Random) -> str:
        boundaries = []
        for _ in range(3):
            boundaries.append(_wait_for_growth(federation, name, random.randint(1, 12)))
            federation.restart(name)
        return f"{name} after {boundaries} events"

    return apply


def kill_at_random(federation: Federation, random: Random) -> str:
    """Wherever its handlers, or its link alone, happen to be."""
    killed = []
    for _ in range(4):
        time.sleep(random.uniform(0.2, 3.0))
        name = random.choice(NAMES)
        federation.kill(name, reactor_too=random.random() < 0.7)
        time.sleep(random.uniform(0.0, 1.0))
        federation.start(name)
        killed.append(name)
    return ", ".join(killed)


def kill_together(federation: Federation, random: Random) -> str:
    for _ in range(2):
        time.sleep(random.uniform(0.5, 4.0))
        for name in NAMES:
            federation.kill(name)
        for name in random.sample(NAMES, 3):
            federation.start(name)
            time.sleep(random.uniform(0.0, 0.5))
    return "twice"


def restart_broker(federation: Federation, random: Random) -> str:
    time.sleep(random.uniform(2.5, 5.0))  # a quorum queue killed in its first second is lost
    federation.broker.kill()
    federation.broker.start()
    return ""


def wipe_broker(federation: Federation, random: Random) -> str:
    time.sleep(random.uniform(1.0, 5.0))
    federation.broker.wipe()
    federation.broker.start()
    return ""


def cut_network(federation: Federation, random: Random) -> str:
    cut = []
    for _ in range(2):
        time.sleep(random.uniform(0.3, 2.0))
        name = random.choice(NAMES)
        federation.wires[name].cut()
        time.sleep(random.uniform(0.5, 6.0))
        federation.wires[name].heal()
        cut.append(name)
    return ", ".join(cut)


def restore_backup(federation: Federation, random: Random) -> str:
    """The whole folder of a party as it was some events ago, while the others went on."""
    name = random.choice([name for name in NAMES if name != ON_POSTGRESQL])
    _wait_for_growth(federation, name, random.randint(1, 10))
    federation.kill(name)
    backup = federation.folder / "backup"
    copy_folder(federation.path(name), backup)
    federation.start(name)
    since = _wait_for_growth(federation, name, random.randint(1, 25))
    federation.kill(name)
    _replace_content(backup, federation.path(name))
    federation.start(name)
    return f"{name}, {since} events old"


def _replace_content(source: Path, target: Path) -> None:
    """The folder itself may be a mount."""
    for child in target.iterdir():
        if child.is_dir():
            shutil.rmtree(child)
        else:
            child.unlink()
    shutil.copytree(source, target, dirs_exist_ok=True)


def restart_postgresql(federation: Federation, random: Random) -> str:
    time.sleep(random.uniform(0.5, 4.0))
    federation.postgres.stop()
    time.sleep(random.uniform(0.0, 2.0))
    federation.postgres.start()
    return ""


def fill_disk(federation: Federation, random: Random) -> str:
    """The arbiter's disk, a mount of limited size, is full for a while."""
    _wait_for_growth(federation, "arbiter", random.randint(1, 8))
    ballast = federation.path("arbiter") / "ballast"
    with contextlib.suppress(OSError), ballast.open("wb") as file:
        while True:
            file.write(b"\0" * 4096)
            file.flush()
    time.sleep(random.uniform(2.0, 5.0))
    full = shutil.disk_usage(federation.path("arbiter")).free < HEADROOM_BYTES
    ballast.unlink(missing_ok=True)
    federation.restart("arbiter")
    return "" if full else "the disk was not full"


def jump_clock(federation: Federation, random: Random) -> str:
    """A party goes on with a clock hours ahead, and then with one that lags behind."""
    library = next(path for path in Path("/usr/lib").glob("*-linux-gnu/faketime/libfaketime.so.1"))
    name = random.choice(NAMES)
    only_the_date = {"FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1"}
    for jump in ("+3h", "-2h"):
        _wait_for_growth(federation, name, random.randint(1, 8))
        federation.restart(name, {"LD_PRELOAD": str(library), "FAKETIME": jump, **only_the_date})
    return name


FAULTS: tuple[Fault, ...] = (
    *(Fault(f"SIGKILL at an event boundary: {name}", kill_at_boundary(name)) for name in NAMES),
    Fault("SIGKILL at random instants", kill_at_random),
    Fault("SIGKILL of all together", kill_together),
    Fault("broker killed and restarted", restart_broker),
    Fault("broker's disk wiped", wipe_broker),
    Fault("network cut and healed", cut_network),
    Fault("backup restored", restore_backup),
    Fault("PostgreSQL restarted", restart_postgresql),
    Fault("disk full", fill_disk),
    Fault("clock jumps", jump_clock),
)


def possible(limited_disk: bool) -> tuple[Mapping[str, str], tuple[Fault, ...]]:
    """What this machine can do, and why not the rest."""
    left: dict[str, str] = {}
    if not limited_disk:
        left["disk full"] = "no tmpfs can be mounted here"
    if not any(Path("/usr/lib").glob("*-linux-gnu/faketime/libfaketime.so.1")):
        left["clock jumps"] = "libfaketime is not installed (Debian: faketime)"
    return left, tuple(fault for fault in FAULTS if fault.name not in left)


def mount_limited(folder: Path, megabytes: int) -> bool:
    """A tmpfs of this size over the folder; False where that is not allowed."""
    options = ["-t", "tmpfs", "-o", f"size={megabytes}m,mode=700", "tmpfs", str(folder)]
    return subprocess.run(["mount", *options], capture_output=True, check=False).returncode == 0


def unmount(folder: Path) -> None:
    subprocess.run(["umount", "--lazy", str(folder)], capture_output=True, check=False)

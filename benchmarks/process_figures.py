"""What running processes take: CPU seconds and peak memory, as the kernel counts them."""

import os
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Self

TICK = os.sysconf("SC_CLK_TCK")
LOOK_SECONDS = 0.5


class ProcessWatch:
    """Looks at some processes and all their descendants until it is left; a context manager.

    `cpu` has the seconds since then and `peak` the resident bytes, by (name, process id);
    `timeline` the CPU seconds of everything at some moments (seconds since 1970).
    """

    def __init__(self, processes: Mapping[str, int]) -> None:
        self._processes = processes
        self._leave = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.cpu: dict[tuple[str, int], float] = {}
        self._before: dict[tuple[str, int], float] = {}
        self.peak: dict[tuple[str, int], int] = {}
        self.timeline: list[tuple[float, float]] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._leave.set()
        self._thread.join()

    def cpu_between(self, begin: float, end: float) -> float:
        """CPU seconds of everything, at the moments looked at that are nearest."""

        def looked_at(moment: float) -> float:
            return min(self.timeline, key=lambda look: abs(look[0] - moment))[1]

        return looked_at(end) - looked_at(begin)

    def _watch(self) -> None:
        while not self._leave.wait(LOOK_SECONDS):
            children = _children()
            for name, root in self._processes.items():
                waiting = [root]
                while waiting:
                    process = waiting.pop()
                    waiting += children.get(process, [])
                    self._look(name, process)
            self.timeline.append((time.time(), sum(self.cpu.values())))

    def _look(self, name: str, process: int) -> None:
        try:
            stat = _stat(process)
            status = Path(f"/proc/{process}/status").read_text().split()
        except OSError:
            return  # it has ended
        seconds = (int(stat[11]) + int(stat[12])) / TICK
        # Starting up is no part of it, but for processes that start later.
        before = 0.0 if self.timeline else seconds
        self.cpu[name, process] = seconds - self._before.setdefault((name, process), before)
        if "VmHWM:" in status:
            self.peak[name, process] = int(status[status.index("VmHWM:") + 1]) * 1024


def _children() -> dict[int, list[int]]:
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int(_stat(int(entry.name))[1])
            except OSError:
                continue
            children.setdefault(parent, []).append(int(entry.name))
    return children


def _stat(process: int) -> list[str]:
    """The fields behind the command's name, which may hold anything: the state comes first."""
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()

"""`tally party run` with a clock around every call from a handler into the room paillier.

And around the curve arithmetic of the alignment, which is no overhead either.

Run as `python -m benchmarks.timed_party DIR FILE.json`; FILE.json has the CPU seconds so far, of
all threads together, by function.
"""

import functools
import inspect
import json
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import party.work
from paillier import Encryptor, PrivateKey, PublicKey
from party.running import run_party
from tallystick.log_output import configure_running_log

ROOM, THREADS = "paillier", "paillier.workers"
ALIGNMENT = "handlers.ristretto"
METHODS = (
    (Encryptor, "encrypt"),
    (Encryptor, "obfuscators"),
    (PrivateKey, "decrypt"),
    (PrivateKey, "decrypt_all"),
    (PublicKey, "check"),
)


class ArithmeticClock:
    """Seconds by function. Calls inside others count for the outermost: one thread calls."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seconds: dict[str, float] = defaultdict(float)
        self._depth = 0

    def around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def timed(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401 - any function
            self._depth += 1
            before = time.process_time()
            try:
                return function(*arguments, **named)
            finally:
                self._depth -= 1
                if self._depth == 0:
                    self._seconds[function.__name__] += time.process_time() - before
                    self._path.write_text(json.dumps(self._seconds))

        return timed


def prepare(path: Path) -> None:
    """In the process that computes, before it begins."""
    configure_running_log()
    clock = ArithmeticClock(path)
    for kind, name in METHODS:
        setattr(kind, name, clock.around(getattr(kind, name)))
    callers = [module for name, module in sys.modules.items() if name.startswith("handlers.")]
    for module in (party.work, *callers):
        for name, function in inspect.getmembers(module, inspect.isfunction):
            if _is_arithmetic(function.__module__):
                setattr(module, name, clock.around(function))


def _is_arithmetic(module: str) -> bool:
    return module == ALIGNMENT or (module.startswith(f"{ROOM}.") and module != THREADS)


def main() -> None:
    configure_running_log()
    folder, path = map(Path, sys.argv[1:])
    run_party(folder, prepare=functools.partial(prepare, path))


if __name__ == "__main__":
    main()

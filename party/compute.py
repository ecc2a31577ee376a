"""Who multiplies the blocks of a gradient: this process, processes of this machine, or a cluster.

`[compute] backend = "threads"` (default), `"loky"` (processes), or `"dask"` with the `address` of
a scheduler of this party's own. Blocks hold bin codes: workers see what the party itself sees, so
they belong to it. Whoever computes, the integers are the same; where the workers fail in the
middle of a job, this process does the work itself, and says so in its output.
"""

import threading
from collections.abc import Sequence
from importlib.util import find_spec
from multiprocessing.util import Finalize
from pathlib import Path
from typing import Any, Literal

import structlog
from pydantic import Field, model_validator

from events.vocabulary import Frozen
from paillier.feature_blocks import BlockTask, FeatureBlock, Octets, Workers
from paillier.workers import in_parallel
from party.errors import SettingsError

CONNECT_SECONDS = 5

log = structlog.get_logger()


class ComputeSettings(Frozen):
    """`workers`: processes of this machine (loky); a cluster says itself how many it has."""

    backend: Literal["threads", "loky", "dask"] = "threads"
    address: str | None = None
    workers: int | None = Field(default=None, ge=1, le=4096)

    @model_validator(mode="after")
    def _address_goes_with_dask(self) -> "ComputeSettings":
        if (self.backend == "dask") != (self.address is not None):
            raise ValueError(
                'backend = "dask" needs the address of a scheduler ("tcp://host:8786" or '
                '"tls://host:8786"), and no other backend has one'
            )
        if self.workers is not None and self.backend != "loky":
            raise ValueError('workers is for backend = "loky"')
        return self


def workers_of(settings: ComputeSettings, threads: int, folder: Path) -> Workers | None:
    """None where threads of this process do it. Connects to nothing yet."""
    if settings.backend == "threads":
        return None
    if settings.backend == "loky":
        return LocalProcesses(settings.workers or threads, threads, folder)
    return Cluster(str(settings.address), threads)


def check_compute(settings: ComputeSettings) -> None:
    """Raise SettingsError where the cluster's software is missing or its scheduler is not there."""
    if settings.backend == "dask":
        _connect(str(settings.address)).close()


class LocalProcesses:
    """Processes of this machine by joblib; ciphertexts reach them as a memory map in `folder`."""

    def __init__(self, count: int, threads: int, folder: Path) -> None:
        self.count = count
        self._threads = threads
        self._folder = folder
        self._ending: Finalize | None = None

    def __call__(
        self, task: BlockTask, ciphertexts: Octets, blocks: Sequence[FeatureBlock]
    ) -> list[Octets]:
        from joblib import Parallel, delayed  # noqa: PLC0415 - only parties that use it wait for it

        # Also runs where a process ends without Python's own leave-taking, as our reactor does.
        self._ending = self._ending or Finalize(None, _end_processes, exitpriority=0)
        # Under a path with 0700, as everything of a party is.
        parallel = Parallel(n_jobs=self.count, backend="loky", temp_folder=str(self._folder))
        try:
            return list(parallel(delayed(task)(ciphertexts, block) for block in blocks))
        except Exception as fault:  # noqa: BLE001 - whatever it is, the work can be done here
            return _compute_here(fault, task, ciphertexts, blocks, self._threads)


class Cluster:
    """Workers of a Dask scheduler; ciphertexts are sent to each of them once."""

    def __init__(self, address: str, threads: int) -> None:
        self._address = address
        self._threads = threads
        self._client: Any = None
        self._lock = threading.Lock()

    @property
    def count(self) -> int:
        try:
            return max(1, sum(int(cores) for cores in self._connected().ncores().values()))
        except Exception:  # noqa: BLE001 - the call that follows says what is wrong
            return self._threads

    def __call__(
        self, task: BlockTask, ciphertexts: Octets, blocks: Sequence[FeatureBlock]
    ) -> list[Octets]:
        try:
            client = self._connected()
            everywhere = client.scatter(ciphertexts, broadcast=True, hash=False)
            futures = [client.submit(task, everywhere, block, pure=False) for block in blocks]
            return list(client.gather(futures))
        except Exception as fault:  # noqa: BLE001 - whatever it is, the work can be done here
            self._forget()
            return _compute_here(fault, task, ciphertexts, blocks, self._threads)

    def _connected(self) -> Any:  # noqa: ANN401 - Dask's own object
        with self._lock:
            if self._client is None:
                self._client = _connect(self._address)
            return self._client

    def _forget(self) -> None:
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close(timeout=1)


def _end_processes() -> None:
    """By themselves they would wait for more work for minutes."""
    from joblib.externals.loky import get_reusable_executor  # noqa: PLC0415 - it is loaded by now

    get_reusable_executor(reuse=True).shutdown(wait=True, kill_workers=True)


def _connect(address: str) -> Any:  # noqa: ANN401 - Dask's own object
    if find_spec("distributed") is None:
        raise SettingsError(
            'backend = "dask" needs Dask: install the extra tallystick[cluster], here and on every '
            "worker"
        )
    from distributed import Client  # noqa: PLC0415 - a large library, and optional

    try:
        client: Any = Client
        return client(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"the Dask scheduler at {address} cannot be reached ({type(error).__name__}): start it "
            "(`dask scheduler`), or correct address under [compute]"
        ) from None


def _compute_here(
    fault: Exception,
    task: BlockTask,
    ciphertexts: Octets,
    blocks: Sequence[FeatureBlock],
    threads: int,
) -> list[Octets]:
    log.warning("workers_failed", fault=type(fault).__name__, instead="threads of this process")
    return in_parallel(lambda block: task(ciphertexts, block), blocks, threads)

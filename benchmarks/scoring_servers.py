"""Servers of a benchmark's own: PostgreSQL, and Spark's Thrift Server with a login and TLS."""

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.process_figures import ProcessWatch
from scoring.engines.settings import EngineSettings
from tests.databases import restartable_postgres
from tests.hive.thrift import USER, launch_thrift_server
from tests.java import shared

PASSWORD = "TALLY_BENCHMARK_HIVE_PASSWORD"
PATIENCE_SECONDS = 300.0
MEBIBYTE = 1 << 20


@dataclass(frozen=True)
class Servers:
    """How each is reached; `watch` looks at their processes."""

    settings: Mapping[str, EngineSettings]
    watch: ProcessWatch

    def peak(self, name: str) -> float | None:
        """MiB of the server's largest process since it started; None for what is no server here."""
        peaks = [peak for (server, _), peak in self.watch.peak.items() if server == name]
        return max(peaks) / MEBIBYTE if peaks else None


@contextmanager
def own_servers(*names: str) -> Iterator[Servers]:
    """`postgresql` and `hive`, or none of them; gone afterwards."""
    settings, processes = {}, {}
    with ExitStack() as stack:
        if "postgresql" in names:
            server = stack.enter_context(restartable_postgres())
            settings["postgresql"] = EngineSettings(url=server.url)
            processes["postgresql"] = server.process
        if "hive" in names:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            told = stack.enter_context(shared("spark", folder, False, launch_thrift_server))
            os.environ[PASSWORD] = told["password"]
            settings["hive"] = EngineSettings(
                url=f"hive://{USER}:${{{PASSWORD}}}@127.0.0.1:{told['port']}/default",
                warehouse=Path(told["warehouse"]),
                ca_file=Path(told["authority"]),
                patience_seconds=PATIENCE_SECONDS,
            )
            processes["hive"] = int(told["group"])
        yield Servers(settings, stack.enter_context(ProcessWatch(processes)))

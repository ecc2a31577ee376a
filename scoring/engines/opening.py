"""From an address to an engine (C3)."""

from pathlib import Path

from sqlalchemy.engine import URL

from scoring.engines.duckdb_engine import DuckDBEngine
from scoring.engines.engine import Engine
from scoring.engines.hive_engine import HiveEngine
from scoring.engines.postgresql_engine import PostgreSQLEngine
from scoring.engines.settings import EngineSettings, resolved_url
from scoring.engines.sqlite_engine import SQLiteEngine
from scoring.errors import EngineSettingsError

MEMORY = (None, "", ":memory:")


def open_engine(engine: str | EngineSettings, *, folder: Path | None = None) -> Engine:
    """Connect. A relative file starts at `folder`; a new one is its owner's alone.

    Raises EngineSettingsError, EngineUnavailableError or LoginRefusedError, saying what to do.
    """
    settings = EngineSettings(url=engine) if isinstance(engine, str) else engine
    start = folder or Path()
    url = resolved_url(settings, start)
    match url.drivername:
        case "duckdb":
            return DuckDBEngine(_file(url, start), settings)
        case "sqlite":
            return SQLiteEngine(_file(url, start), settings)
        case "postgresql" | "postgresql+psycopg":
            return PostgreSQLEngine(url.set(drivername="postgresql+psycopg"), settings)
        case "hive" | "hive+tally":
            return HiveEngine(url, settings, start)
        case name:
            raise EngineSettingsError(
                f"no engine is called {name}; known are duckdb, sqlite, postgresql and hive"
            )


def _file(url: URL, start: Path) -> Path | None:
    if url.host:
        raise EngineSettingsError(
            f"{url.drivername}://{url.host} names a server; a file takes three slashes: "
            f"{url.drivername}:///FILE"
        )
    return None if url.database in MEMORY else start / str(url.database)

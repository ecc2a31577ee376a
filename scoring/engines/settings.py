"""Which engine, and how to reach it: one section of a party's settings (C3)."""

import os
import re
import stat
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from scoring.errors import EngineSettingsError

VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")

Authentication = Literal["nosasl", "none", "custom", "ldap"]


class EngineSettings(BaseModel):
    """`url` is `duckdb:///FILE`, `sqlite:///FILE`, `postgresql+psycopg://…` or `hive://…`.

    Relative files start at the party's folder. A password stands in the URL as `${VARIABLE}`, or
    in `password_file`, which only its owner may read.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str
    password_file: Path | None = None
    memory: str = Field(default="512MB", pattern=r"^[1-9][0-9]{0,5}(MB|GB)$")  # DuckDB
    threads: int | None = Field(default=None, ge=1, le=1024)  # DuckDB
    patience_seconds: float = Field(default=30, ge=0)  # locked by others, or slow to connect
    authentication: Authentication | None = None  # Hive's; custom if there is a password, else none
    tls: bool = False  # Hive
    ca_file: Path | None = None  # Hive: whom to trust, instead of the system's authorities
    warehouse: Path | None = None  # Hive: a folder that both we and the server reach


def resolved_url(settings: EngineSettings, folder: Path) -> URL:
    """The address with its secrets in place. Raises EngineSettingsError."""
    text = settings.url
    if VARIABLE.fullmatch(text):
        text = _from_environment(text) or ""
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise EngineSettingsError(
            "the engine's url cannot be read; write duckdb:///FILE, sqlite:///FILE, "
            "postgresql+psycopg://USER:${PASSWORD}@HOST/DATABASE or hive://USER@HOST:10000/DATABASE"
        ) from None
    # Part by part, so that a password with an @ or a / in it needs no quoting.
    url = url.set(
        username=_from_environment(url.username),
        password=_from_environment(url.password),
        host=_from_environment(url.host),
        database=_from_environment(url.database),
    )
    if settings.password_file is not None:
        url = url.set(password=read_secret(folder / settings.password_file))
    return url


def _from_environment(text: str | None) -> str | None:
    if text is None:
        return None
    if missing := sorted({name for name in VARIABLE.findall(text) if name not in os.environ}):
        raise EngineSettingsError(
            f"the engine's url needs the environment variable {', '.join(missing)}: set it"
        )
    return VARIABLE.sub(lambda found: os.environ[found[1]], text)


def read_secret(path: Path) -> str:
    """The first line of a file that nobody else may read. Raises EngineSettingsError."""
    try:
        with path.open(encoding="utf-8") as file:
            if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
                raise EngineSettingsError(
                    f"others may read the password in {path}: run `chmod 600 {path}`"
                )
            return file.readline().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise EngineSettingsError(f"the password file {path} cannot be read: {error}") from None

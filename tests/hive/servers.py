"""What tests know of a running HiveServer2, and how they reach it."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from scoring.engines.hive_engine import HiveEngine
from scoring.engines.opening import open_engine
from scoring.engines.settings import EngineSettings

PASSWORD = "TALLY_TEST_HIVE_PASSWORD"


@dataclass(frozen=True)
class HiveServer:
    """As a party would set it up: TLS where the server has it, the password not in the settings."""

    told: Mapping[str, str]

    def settings(
        self, monkeypatch: pytest.MonkeyPatch, database: str = "default", **changes: object
    ) -> EngineSettings:
        monkeypatch.setenv(PASSWORD, self.told.get("password", ""))
        login = f"tallystick:${{{PASSWORD}}}" if "password" in self.told else "tallystick"
        known = {
            "url": f"hive://{login}@127.0.0.1:{self.told['port']}/{database}",
            "warehouse": self.told["warehouse"],
            "ca_file": self.told.get("authority"),
            "authentication": self.told.get("authentication"),
            "patience_seconds": 300,
        }
        return EngineSettings.model_validate({**known, **changes})

    def fresh_database(self, monkeypatch: pytest.MonkeyPatch, **changes: object) -> EngineSettings:
        """An empty database of its own."""
        database = f"tests_{secrets.token_hex(6)}"
        engine = open_engine(self.settings(monkeypatch))
        assert isinstance(engine, HiveEngine)
        with engine:
            engine._run(f"CREATE DATABASE `{database}`")
        return self.settings(monkeypatch, database, **changes)

"""A party's folder: what lies where."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class PartyFolder:
    """Paths of one party. Everything it knows lies below `path`."""

    path: Path

    @property
    def settings(self) -> Path:
        return self.path / "party.toml"

    @property
    def keys(self) -> Path:
        return self.path / "keys"

    @property
    def mart_key(self) -> Path:
        """The key that a bank shares with a mart's members (requirement A1)."""
        return self.keys / "mart.key"

    @property
    def contributions(self) -> Path:
        """What a mart has from its members."""
        return self.path / "contributions.parquet"

    @property
    def trusted(self) -> Path:
        return self.path / "trusted"

    @property
    def payloads(self) -> Path:
        return self.path / "payloads"

    @property
    def sealed(self) -> Path:
        """Payloads as they came under seal, of jobs with an escrow."""
        return self.path / "sealed"

    @property
    def spool(self) -> Path:
        return self.path / "spool"

    @property
    def models(self) -> Path:
        return self.path / "models"

    @property
    def log(self) -> Path:
        return self.path / "log.sqlite"

    @property
    def views(self) -> Path:
        return self.path / "views.sqlite"

    @property
    def bells(self) -> Path:
        """Where the party's processes wake each other."""
        return self.path / "bells"

    @property
    def pulses(self) -> Path:
        """Signs of life of the party's processes."""
        return self.path / "pulses"

    @property
    def lock(self) -> Path:
        return self.path / "party.lock"

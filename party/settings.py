"""party.toml, read and checked: who the party is, where its things are, what it agrees to."""

import json
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from bus.settings import BrokerSettings, broker_settings, proxy_settings
from events.versions import Versions
from events.vocabulary import DATA_ROLES, TABLE_ROLES, Frozen, PartyName, Role
from handlers.policy import Policy
from handlers.protocol_versions import SPOKEN
from party.compute import ComputeSettings
from party.errors import SettingsError
from party.folder import PartyFolder
from party.sources import SourceSettings
from scoring.samples import KindName, SampleKind

VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
SQLITE = "sqlite:///"

Model = TypeVar("Model", bound=BaseModel)


class ScoringSettings(Frozen):
    """`convert`: a trained model becomes a table by itself. `samples`: which of several kinds."""

    convert: bool = True
    samples: str | None = None


class PartySettings(Frozen):
    """One party, as its owner wrote it down; `${VARIABLE}` still stands in the texts."""

    name: PartyName
    role: Role
    broker: str | None = None
    proxy: str | None = None
    store: str | None = None
    threads: int | None = Field(default=None, ge=1, le=1024)
    checkpoint_minutes: float = Field(default=60, gt=0)
    compute: ComputeSettings = ComputeSettings()
    source: SourceSettings | None = None
    newest_protocol: int | None = Field(default=None, ge=SPOKEN.oldest, le=SPOKEN.newest)
    samples: Mapping[KindName, SampleKind] = {}
    scoring: ScoringSettings = ScoringSettings()
    policy: Policy = Policy()

    @model_validator(mode="after")
    def _only_data_roles_have_data(self) -> "PartySettings":
        if self.source is not None and self.role not in TABLE_ROLES:
            raise ValueError(f"[source] is for parties with data; the role {self.role} has none")
        if self.samples and self.role not in DATA_ROLES:
            raise ValueError(f"[samples] is for parties with data; the role {self.role} has none")
        return self

    @model_validator(mode="after")
    def _kinds_have_tables_of_their_own(self) -> "PartySettings":
        """A wide kind's tables are numbered: features_x_1 is the first of the kind x."""
        for name in self.samples:
            other, _, number = name.rpartition("_")
            if number.isdecimal() and other in self.samples:
                raise ValueError(
                    f"[samples.{name}] could share tables with [samples.{other}]: give it a name "
                    "that does not end in a number"
                )
        return self

    @property
    def can_score(self) -> bool:
        """Whether the party has customers of its own, in a source or in kinds of samples."""
        return self.source is not None or bool(self.samples)

    @property
    def speaks(self) -> Versions:
        """The versions of the protocol that the party takes part in."""
        return Versions(oldest=SPOKEN.oldest, newest=self.newest_protocol or SPOKEN.newest)

    @property
    def cores(self) -> int:
        """Threads to compute with."""
        return self.threads or os.cpu_count() or 1


def read_settings(folder: PartyFolder) -> PartySettings:
    """Raises SettingsError: no such file, not TOML, or a setting that cannot be, by its name."""
    try:
        text = folder.settings.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise SettingsError(
            f"{folder.path} is not a party's folder: it has no party.toml. "
            "`tally party new` makes one"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{folder.settings} cannot be read: {error}") from error
    return parse_settings(text, folder.settings)


def parse_settings(text: str, path: Path) -> PartySettings:
    try:
        # Through JSON, where a list may become a tuple and everything else keeps its type.
        document = json.dumps(tomllib.loads(text), default=str)
        return PartySettings.model_validate_json(document)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path} is not TOML: {error}") from None
    except ValidationError as error:
        faults = "; ".join(_fault(detail) for detail in error.errors(include_input=False))
        raise SettingsError(f"{path}: {faults}") from None


def log_address(settings: PartySettings, folder: PartyFolder) -> str:
    """The log's database; a relative SQLite path starts at the folder."""
    if settings.store is None:
        return f"{SQLITE}{folder.log}"
    address = from_environment(settings.store, "store")
    if address.startswith(SQLITE) and not address.startswith(f"{SQLITE}/"):
        return f"{SQLITE}{folder.path / address.removeprefix(SQLITE)}"
    return address


def broker_of(settings: PartySettings, folder: PartyFolder) -> BrokerSettings:
    """Raises SettingsError: none is named; BrokerSettingsError: an address that makes no sense."""
    if settings.broker is None:
        raise SettingsError('party.toml names no broker: add broker = "amqps://…"')
    broker = broker_settings(from_environment(settings.broker, "broker")).relative_to(folder.path)
    if settings.proxy is None:
        return broker
    proxy = proxy_settings(from_environment(settings.proxy, "proxy"))
    return broker.model_copy(update={"proxy": proxy})


def from_environment(text: str, setting: str, variables: Mapping[str, str] | None = None) -> str:
    """The text with every ${VARIABLE} replaced. Raises SettingsError naming what is not set."""
    known = os.environ if variables is None else variables
    if missing := sorted({name for name in VARIABLE.findall(text) if name not in known}):
        raise SettingsError(
            f"the setting {setting} of party.toml needs the environment variable "
            f"{', '.join(missing)}: set it, or change the setting"
        )
    return VARIABLE.sub(lambda found: known[found[1]], text)


def model_from_environment(model: Model, setting: str) -> Model:
    """The same settings with every ${VARIABLE} in a text replaced."""
    values = {
        name: from_environment(value, f"{setting}.{name}")
        for name, value in model
        if isinstance(value, str) and VARIABLE.search(value)
    }
    return model.model_copy(update=values)


def _fault(detail: ErrorDetails) -> str:
    place = ".".join(str(part) for part in detail["loc"])
    if detail["type"] == "extra_forbidden":
        return f"unknown setting {place}"
    return f"{place}: {detail['msg']}" if place else detail["msg"]

"""The demo's parties: one folder each, cards exchanged, joined by one bus."""

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bus import Endpoint, MemoryBroker, open_endpoint
from events.terms import Alignment, Member, Profile, Terms
from events.vocabulary import Role
from party.contributions import (
    contribute,
    create_mart_key,
    load_contributions,
    read_mart_key,
)
from party.creating import create_party
from party.folder import PartyFolder
from party.opening import Party, open_party, party_card, trust
from party.running import RunningParty
from party.sources import SourceSettings, read_source
from tallystick.errors import DemoError
from tallystick.job_file import ALIGNMENTS, make_terms

MARKER = ".tallystick-demo"
# The patent profile needs many rounds, and each teaches the bank about the partner's scores.
DEFAULT_LEAK_BUDGETS: dict[Profile, float] = {"default": 0.5, "patent": 2.0}


@dataclass(frozen=True)
class DemoOptions:
    """What to train on, how, and where the parties' folders go."""

    name: str
    bank: SourceSettings
    partner: SourceSettings
    out: Path
    participants: int = 1
    profile: Profile = "default"
    broker: str | None = None
    key_bits: int = 2048
    leak_budget: float = 0.5
    mart: bool = False

    @property
    def alignment(self) -> Alignment:
        return "mart" if self.mart else ALIGNMENTS[self.profile]


def prepare_folder(out: Path) -> None:
    """An empty folder for the run; only an earlier demo is ever replaced."""
    if (out / MARKER).exists():
        shutil.rmtree(out)
    elif out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise DemoError(f"{out} is not empty and no earlier demo: choose another --out")
    out.mkdir(parents=True, exist_ok=True)
    (out / MARKER).touch()


def create_parties(options: DemoOptions) -> dict[str, Path]:
    """A folder a party: bank, participants with the partner's columns divided, arbiter."""
    sources: dict[str, tuple[Role, SourceSettings | None]] = {"bank": (Role.LOCAL, options.bank)}
    for name, source in _participants(options).items():
        sources[name] = (Role.PARTICIPANT, None if options.mart else source)
    sources["arbiter"] = (Role.ARBITER, None)
    if options.mart:
        sources["mart"] = (Role.MART, SourceSettings(file="contributions.parquet", id="handle"))
    folders = {}
    for name, (role, table) in sources.items():
        folders[name] = options.out / name
        create_party(folders[name], role, name, tables=_tables(options, table))
    if options.mart:
        _contribute(options, folders)
    _exchange_cards(options.out, folders)
    return folders


def demo_terms(options: DemoOptions, folders: Mapping[str, Path]) -> Terms:
    roles = {"bank": Role.LOCAL, "arbiter": Role.ARBITER, "mart": Role.MART}
    members = tuple(Member(name=name, role=roles.get(name, Role.PARTICIPANT)) for name in folders)
    return make_terms(
        members,
        options.profile,
        leak_budget=options.leak_budget,
        key_bits=options.key_bits,
        short_key_for_tests=options.key_bits < 2048,
        alignment=options.alignment,
    )


@contextmanager
def running(folders: Mapping[str, Path], broker: str | None) -> Iterator[dict[str, Party]]:
    """All parties at work in this process, on the embedded bus or a real broker."""
    embedded = MemoryBroker()

    def endpoint(name: str) -> Endpoint:
        return open_endpoint(broker, name) if broker else embedded.endpoint(name)

    with ExitStack() as stack:
        parties = {}
        for name, path in folders.items():
            parties[name] = open_party(path)
            stack.callback(parties[name].close)
        endpoints = {name: endpoint(name) for name in folders}
        for name, party in parties.items():
            stack.enter_context(RunningParty(party, endpoints[name]))
        yield parties


def _contribute(options: DemoOptions, folders: Mapping[str, Path]) -> None:
    """The partner's file as a member's contribution: numbers alone, under keyed hashes."""
    key, contribution = PartyFolder(folders["bank"]).mart_key, options.out / "contribution.parquet"
    create_mart_key(key)
    columns = read_source(options.partner).columns
    texts = tuple(name for name, column in columns.items() if column.dtype == np.object_)
    source = options.partner.model_copy(update={"exclude": (*options.partner.exclude, *texts)})
    contribute(source, read_mart_key(key), contribution)
    load_contributions([contribution], PartyFolder(folders["mart"]).contributions)


def _participants(options: DemoOptions) -> dict[str, SourceSettings]:
    if options.mart and options.participants > 1:
        raise DemoError("a mart serves one participant: leave --participants out")
    if options.participants == 1:
        return {"partner": options.partner}
    columns = list(read_source(options.partner).columns)
    if len(columns) < options.participants:
        raise DemoError(
            f"{len(columns)} columns cannot be divided between {options.participants} institutions"
        )
    return {
        f"partner-{number + 1}": options.partner.model_copy(
            update={"include": tuple(columns[number :: options.participants])}
        )
        for number in range(options.participants)
    }


def _tables(options: DemoOptions, source: SourceSettings | None) -> str:
    """The [source] and [policy] of a party.toml."""
    lines = []
    if source is not None:
        values = source.model_dump(mode="json", exclude_defaults=True)
        lines += ["[source]", *(f"{name} = {json.dumps(value)}" for name, value in values.items())]
    policy: dict[str, object] = {"leak_budget": options.leak_budget}
    if options.key_bits < 2048:
        policy["accept_short_keys"] = True
    lines += ["", "[policy]", *(f"{name} = {json.dumps(value)}" for name, value in policy.items())]
    return "\n".join(lines)


def _exchange_cards(out: Path, folders: Mapping[str, Path]) -> None:
    cards = out / "cards"
    cards.mkdir()
    files = {name: cards / f"{name}.json" for name in folders}
    for name, folder in folders.items():
        files[name].write_text(party_card(folder).model_dump_json(indent=1) + "\n")
    for name, folder in folders.items():
        trust(folder, *(file for other, file in files.items() if other != name))

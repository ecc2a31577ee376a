"""Opening a party's folder: everything that its pumps and its operator's commands work with."""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from events.card import PartyCard
from events.card_history import CardHistory
from events.vocabulary import Role
from handlers.own import Own
from paillier.keys import PrivateKey
from party.compute import workers_of
from party.contributions import read_mart_key
from party.errors import KeyFileError, PartyError
from party.folder import PartyFolder
from party.identity import Identity, read_identity, read_secret, write_secret
from party.jobs import JobTerms
from party.key_files import next_keys
from party.own_keys import settled_identity
from party.settings import PartySettings, log_address, read_settings
from party.trust import TrustedCards
from store.log import Log
from store.payloads import PayloadStore


@dataclass(frozen=True)
class Party:
    """One party, opened. Several processes may have the same party open."""

    folder: PartyFolder
    settings: PartySettings
    identity: Identity
    trusted: TrustedCards
    log: Log
    payloads: PayloadStore

    @property
    def name(self) -> str:
        return self.settings.name

    @property
    def role(self) -> Role:
        return self.settings.role

    @property
    def card(self) -> PartyCard:
        """What to hand to the others."""
        return self.identity.card(self.name, self.role)

    @cached_property
    def jobs(self) -> JobTerms:
        """What was agreed in each job of the log."""
        return JobTerms(self.log)

    @cached_property
    def cards(self) -> CardHistory:
        """The party's own card, and those before it."""
        known = self.identity.history
        if known is None or known.current != self.card:
            return CardHistory(current=self.card)
        return known

    @cached_property
    def own(self) -> Own:
        """What this party's handlers may know besides the log."""
        return Own(
            name=self.name,
            policy=self.settings.policy,
            secret=self.identity.secret,
            payloads=self.payloads,
            private_key=lambda key_id: read_private_key(self.folder, key_id),
            mart_key=lambda: read_mart_key(self.folder.mart_key),
            threads=self.settings.cores,
            workers=workers_of(self.settings.compute, self.settings.cores, self.folder.spool),
            speaks=self.settings.speaks,
            converts=self.settings.scoring.convert and self.settings.can_score,
        )

    def close(self) -> None:
        self.log.close()


def open_party(path: Path) -> Party:
    """Raises SettingsError, KeyFileError, TrustError (a damaged card) and StoreError."""
    folder = PartyFolder(path.absolute())
    settings = read_settings(folder)
    read_identity(folder.keys)
    trusted = TrustedCards(folder.trusted)
    list(trusted)
    log = Log(log_address(settings, folder), folder.bells)
    try:
        identity = settled_identity(folder, settings, log)
    except PartyError:
        log.close()
        raise
    payloads = PayloadStore(folder.payloads, log.kept_payload)
    repair_payloads(log, payloads)
    return Party(folder, settings, identity, trusted, log, payloads)


def repair_payloads(log: Log, payloads: PayloadStore) -> None:
    """Small payloads whose files a power failure damaged: the log has them still."""
    after = ""
    while kept := log.kept_payloads(after):
        payloads.repair(kept)
        after = kept[-1][0]


def party_card(path: Path) -> PartyCard:
    """The card of the party in this folder, without opening its log."""
    folder = PartyFolder(path.absolute())
    settings = read_settings(folder)
    if next_keys(folder.keys).exists():
        open_party(path).close()  # which settles what they are
    return read_identity(folder.keys).card(settings.name, settings.role)


def trust(path: Path, *cards: Path) -> list[PartyCard]:
    """Trust the parties of these card files, all or none. Raises TrustError, SettingsError."""
    folder = PartyFolder(path.absolute())
    return TrustedCards(folder.trusted).add(read_settings(folder).name, list(cards))


def keep_private_key(folder: PartyFolder, key: PrivateKey) -> None:
    """Store an arbiter's Paillier key under its id; it is never overwritten."""
    numbers = {"p": f"{key.p:x}", "q": f"{key.q:x}", "hs": f"{key.hs:x}"}
    path = _private_key_file(folder, key.public.key_id)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    write_secret(path, json.dumps(numbers).encode())


def read_private_key(folder: PartyFolder, key_id: str) -> PrivateKey:
    """Raises KeyFileError: not here, damaged, or open to other users."""
    path = _private_key_file(folder, key_id)
    key = read_private_key_file(path)
    if key.public.key_id != key_id:
        raise KeyFileError(f"{path} holds another key than its name says")
    return key


def read_private_key_file(path: Path) -> PrivateKey:
    """As `keep_private_key` wrote it. Raises KeyFileError."""
    content = read_secret(path)
    try:
        numbers = json.loads(content)
        return PrivateKey(*(int(numbers[name], 16) for name in ("p", "q", "hs")))
    except (ValueError, KeyError, TypeError):
        raise KeyFileError(f"the key file {path} is damaged: restore it from a backup") from None


def _private_key_file(folder: PartyFolder, key_id: str) -> Path:
    return folder.keys / "paillier" / f"{key_id}.json"

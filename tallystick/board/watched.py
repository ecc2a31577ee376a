"""The party on the board: its folder, opened to read and for nothing else."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from audit.key_checks import rotations_in
from audit.live_log import LiveLog
from audit.opening import known_cards
from events.card import PartyCard
from events.card_history import CardHistory, histories
from events.rotation import KeyRotated
from party.folder import PartyFolder
from party.settings import PartySettings, log_address, read_settings
from party.trust import TrustedCards

ROTATION, MOST_ROTATIONS = KeyRotated.type_name(), 10_000


@dataclass(frozen=True)
class Watched:
    """A party's folder. Nothing in it is written, and no lock of it is taken."""

    folder: PartyFolder
    settings: PartySettings
    own_card: PartyCard | None

    @property
    def name(self) -> str:
        return self.settings.name

    @contextmanager
    def log(self) -> Iterator[LiveLog]:
        """The log as it is now. Raises LogPlaceError, StoreError."""
        log = LiveLog(log_address(self.settings, self.folder))
        try:
            yield log
        finally:
            log.close()

    def cards(self) -> dict[str, PartyCard]:
        """By party: the own one, and those that are trusted by now."""
        own = {self.name: self.own_card} if self.own_card else {}
        return own | {card.name: card for card in TrustedCards(self.folder.trusted)}

    def histories(self, log: LiveLog) -> dict[str, CardHistory]:
        """The same, with those before and after, as the log tells of them."""
        return histories(
            self.cards(), rotations_in(log.of_types((ROTATION,), MOST_ROTATIONS)[::-1])
        )


def watch(path: Path) -> Watched:
    """Raises SettingsError for a folder of no party, LogPlaceError where it has no log yet."""
    folder = PartyFolder(path.absolute())
    settings = read_settings(folder)
    watched = Watched(folder, settings, known_cards(folder, settings).get(settings.name))
    with watched.log() as log:
        log.head()
    return watched

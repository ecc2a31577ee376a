"""The third pump: the party's views and model files follow its log (requirements C1, D3)."""

from party.folder import PartyFolder
from party.opening import Party
from party.pump import Pump
from party.settings import SQLITE, PartySettings, log_address
from projections import Views, write_model_files

PAUSE_SECONDS = 0.25  # views may lag: many entries are folded as cheaply as one


class Projector:
    """Folds new entries into the views. One thread calls `step`; a crash repeats it harmlessly."""

    def __init__(self, party: Party) -> None:
        self._party = party
        self._views: Views | None = None
        self._position = -1

    def pump(self) -> Pump:
        return Pump("project", self.step, self._forget, PAUSE_SECONDS)

    def step(self, timeout: float = 0.2) -> None:
        party = self._party
        if self._views is None:
            self._views = open_views(party)
        position = self._views.catch_up(party.log)
        if position != self._position:
            write_model_files(self._views, party.payloads, party.folder.models)
            self._position = position
        party.log.wait_for_entries(position, timeout)

    def close(self) -> None:
        self._forget()

    def _forget(self) -> None:
        if self._views is not None:
            self._views.close()
        self._views, self._position = None, -1


def open_views(party: Party) -> Views:
    """The party's views; on SQLite in a file of their own, so that they never hold up the log."""
    return Views(views_address(party.settings, party.folder), party.payloads)


def views_address(settings: PartySettings, folder: PartyFolder) -> str:
    address = log_address(settings, folder)
    return f"{SQLITE}{folder.views}" if address.startswith(SQLITE) else address

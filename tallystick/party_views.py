"""A party's views, up to date with its log, and the model files that follow from them."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from party.opening import Party
from party.settings import log_address
from projections import Views, write_model_files


@contextmanager
def open_views(party: Party) -> Iterator[Views]:
    """The views as they are; they lie beside the log."""
    with closing(Views(log_address(party.settings, party.folder), party.payloads)) as views:
        yield views


@contextmanager
def current_views(party: Party) -> Iterator[Views]:
    """The views, caught up with the log."""
    with open_views(party) as views:
        views.catch_up(party.log)
        yield views


def write_models(party: Party) -> list[Path]:
    """Bring the party's model files up to date; returns those that changed."""
    with current_views(party) as views:
        return write_model_files(views, party.payloads, party.folder.models)

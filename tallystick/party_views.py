"""A party's views, up to date with its log, and the model files that follow from them."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from party import projecting
from party.opening import Party
from projections import Views, write_model_files


@contextmanager
def open_views(party: Party) -> Iterator[Views]:
    """The views as they are."""
    with closing(projecting.open_views(party)) as views:
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

"""A rotation that is killed leaves the party with its old keys or with its new ones (D1, D2)."""

import os
import shutil
import signal
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from audit.opening import open_log
from audit.verification import verify
from events.rotation import KeyRotated
from party.folder import PartyFolder
from party.key_files import next_keys
from party.opening import open_party, party_card
from party.rotating import rotate_keys
from tests.party.federation import make_federation

STEPS = ("fsync", "replace", "rename", "rmdir")
MOST_STEPS = 60


def rotate_until(folder: Path, step: int) -> bool:
    """In a process that is killed before its `step`th change of the disk; False if it came so far.

    The database's own writes lie between these.
    """
    child = os.fork()
    if child == 0:
        left = [step]
        for name in STEPS:
            setattr(os, name, _counted(getattr(os, name), left))
        try:
            rotate_keys(folder)
        except BaseException:  # noqa: BLE001 - this process must not go on as a copy of the tests
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFEXITED(status) and os.WEXITSTATUS(status) == 0


def _counted(function: Callable[..., Any], left: list[int]) -> Callable[..., Any]:
    def counted(*arguments: Any, **named: Any) -> Any:
        left[0] -= 1
        if left[0] < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments, **named)

    return counted


def test_a_rotation_killed_at_any_moment_is_done_or_has_not_been(tmp_path: Path) -> None:
    """Given a kill at every step in turn, then log and keys agree, and the party goes on."""
    make_federation(tmp_path, "bank")["bank"].close()
    rotate_keys(tmp_path / "bank")
    old, outcomes = party_card(tmp_path / "bank"), []
    for step in range(MOST_STEPS):
        folder = tmp_path / f"killed-{step}"
        shutil.copytree(tmp_path / "bank", folder)
        finished = rotate_until(folder, step)
        with closing(open_party(folder)) as party:
            said = len(party.log.said_since("bank", KeyRotated.type_name(), "")) == 2
            assert party.card.name == "bank"
            assert (party.card != old) == said
            assert party.card == party_card(folder)
            assert party.cards.cards[1:] == ((old, party.card) if said else (old,))
            assert not next_keys(PartyFolder(folder).keys).exists()
            outcomes.append(said)
        with open_log(str(folder)) as copy:
            assert verify(copy).holds
        if finished:
            break
    assert finished
    assert step > len(STEPS)
    assert outcomes == sorted(outcomes)
    assert set(outcomes) == {False, True}

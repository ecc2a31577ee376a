"""Following a job to its end, and running the party meanwhile where nobody else does."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from bus import open_endpoint
from events.witness import CheckpointPosted
from handlers.history import History
from party.opening import Party
from party.running import RunningParty
from party.settings import broker_of
from party.status import is_running
from tallystick.following import JobProgress, follow_job
from tallystick.terminal import note
from tallystick.training_screen import TrainingScreen

LAST_WORDS_SECONDS = 10.0


@contextmanager
def at_work(party: Party) -> Iterator[Callable[[], None]]:
    """The party at work from the call of what this gives until the end, by us if by nobody else.

    Connects at once, so that nothing is asked for while the broker cannot be reached. Raises
    BusError, SettingsError.
    """
    if is_running(party):
        yield lambda: None
        return
    with ExitStack() as stack:
        endpoint = open_endpoint(broker_of(party.settings, party.folder), party.name)
        stack.callback(endpoint.close)
        running = RunningParty(party, endpoint)

        def begin() -> None:
            note(f"{party.name} is not running elsewhere: it runs here while this command lasts")
            stack.enter_context(running)

        yield begin
        _say_last_words(party)


def follow_to_the_end(party: Party, job: str, screen: TrainingScreen) -> None:
    """Show every step until the party has nothing more to do for this job."""
    history, progress = History(job), JobProgress(party.role)
    with screen:
        for fact in follow_job(party.log, job):
            if fact is None:
                screen.show_waiting(history, progress)
                continue
            history.add(fact)
            progress.take(fact)
            screen.show_step(history, progress)
            if progress.is_finished:
                break
    _wait_for_checkpoint(party, history)


def _wait_for_checkpoint(party: Party, history: History) -> None:
    """Until the party has given its word on its log to the others, which is soon."""
    give_up = time.monotonic() + LAST_WORDS_SECONDS
    for fact in follow_job(party.log, history.job):
        if fact is not None and (fact.source, type(fact.event)) == (party.name, CheckpointPosted):
            return
        if fact is None and time.monotonic() > give_up:
            return


def _say_last_words(party: Party) -> None:
    """Wait until the others have what was said last, unless somebody cannot be reached."""
    give_up = time.monotonic() + LAST_WORDS_SECONDS
    while time.monotonic() < give_up:
        pending = party.log.pending_deliveries()
        if all(delivery.attempts for delivery in pending):
            return
        time.sleep(0.05)

"""What a person sees while a job runs: a line a step and a round, and what it waits for."""

import time
from types import TracebackType
from typing import Self

from rich.status import Status

from events.preparation import PublicKeyIssued, RowsAligned
from events.rounds import LossRecorded
from handlers.history import History
from party.opening import Party
from party.status import is_running, undelivered
from projections.projection import storable
from store import Refusal
from tallystick.alignment import alignment_progress
from tallystick.following import JobProgress
from tallystick.job_facts import unanswered
from tallystick.job_report import measure_text
from tallystick.party_state import count_events
from tallystick.terminal import note, note_console

LOOK_SECONDS = 2.0


class TrainingScreen:
    """Prints to stderr; on a terminal the last line says what is being waited for."""

    def __init__(self, party: Party, job: str) -> None:
        self._party = party
        self._job = job
        self._status: Status | None = None
        self._waiting_for = ""
        self._said: set[str] = set()
        self._rounds = 0
        self._look_at = 0.0
        self._refused_before = set(_refusal_texts(party.log.refusals()))

    def __enter__(self) -> Self:
        if note_console().is_terminal:
            self._status = note_console().status("")
            self._status.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._status is not None:
            self._status.stop()

    def show_step(self, history: History, progress: JobProgress) -> None:
        """One more fact is in `history` and `progress`."""
        if not history.is_known:
            return
        if not unanswered(history):
            self._say_once("all members have answered")
        for aligned in history.of(RowsAligned):
            self._say_once(
                f"{aligned.event.rows:,} customers in common: {aligned.event.training_rows:,} to "
                f"train on, {aligned.event.held_out_rows:,} held out"
            )
        while self._rounds < progress.rounds:
            self._rounds += 1
            self._say_once(_round_line(history, progress, self._rounds))
        if progress.stopped is not None:
            self._say_once(f"training stopped: {progress.stopped.reason}")

    def show_waiting(self, history: History, progress: JobProgress) -> None:
        """Nothing new: say what is awaited, and from time to time what may be wrong."""
        if history.is_known:
            self._wait_for(_awaited(history, progress))
        if time.monotonic() >= self._look_at:
            self._look_at = time.monotonic() + LOOK_SECONDS
            for trouble in self._troubles():
                self._say_once(trouble)

    def _wait_for(self, text: str) -> None:
        if text == self._waiting_for:
            return
        self._waiting_for = text
        if self._status is not None:
            self._status.update(text)
        elif not self._rounds:  # in a file the rounds speak for themselves
            note(text)

    def _troubles(self) -> list[str]:
        troubles = [
            f"not delivered to {one.recipient} yet ({count_events(one.events)}): {one.reason}"
            for one in undelivered(self._party)
            if one.reason
        ]
        refused = _refusal_texts(self._party.log.refusals())
        troubles += [text for text in refused if text not in self._refused_before]
        if not is_running(self._party):
            troubles.append("this party is not running any more: `tally party run` goes on with it")
        return troubles

    def _say_once(self, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            note(text)


def _round_line(history: History, progress: JobProgress, number: int) -> str:
    parts = [f"round {number} of at most {progress.maximum_rounds}"]
    parts += [
        f"{one.event.measure} {measure_text(one.event.measure, one.event.value)}"
        for one in history.of(LossRecorded, round=number)
    ]
    parts.append(f"{progress.round_times[number - 1]:.1f} s")
    if progress.stopped is None and progress.seconds_left is not None:
        parts.append(f"at most {_duration(progress.seconds_left)} left")
    return ", ".join(parts)


def _awaited(history: History, progress: JobProgress) -> str:
    if waiting := unanswered(history):
        return f"waiting for the answer of {', '.join(waiting)}"
    if not history.has(PublicKeyIssued):
        return f"waiting for the key of {history.terms.arbiter}"
    if not history.has(RowsAligned):
        return alignment_progress(history)
    if progress.stopped is not None:
        return "measuring the model on the held-out customers"
    return f"round {progress.rounds + 1} of at most {progress.maximum_rounds}"


def _refusal_texts(refusals: list[Refusal]) -> list[str]:
    return [storable(f"refused a message of {one.sender}: {one.reason}") for one in refusals]


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes / 60:.1f} h"

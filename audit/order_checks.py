"""How the events of a log stand to each other: numbers, chain, causes and times, line by line."""

from dataclasses import dataclass
from sys import intern
from typing import NamedTuple

from audit.envelope_checks import Line, at
from audit.findings import Check, Findings
from audit.log_copy import Scope


@dataclass
class _Stream:
    sequence: int
    digest: str
    time: str


class Seen(NamedTuple):
    """What is kept of every event: the most that an audit of a long log has in memory."""

    position: int
    digest: str
    job: str
    private: bool
    time: str


class OrderChecks:
    """Feed it every line in the order of the log. Of an export's private events, which belong to
    many jobs, those of other jobs are missing without fault.
    """

    def __init__(self, findings: Findings, scope: Scope) -> None:
        self._findings = findings
        self._scope = scope
        self._streams: dict[tuple[str, str], _Stream] = {}
        self._seen: dict[str, Seen] = {}
        self._opened: set[str] = set()
        self._position = 0
        self._left_out = 0
        self._lines = 0
        self._chained = 0

    def take(self, line: Line) -> None:
        self._lines += 1
        self._check_position(line)
        self._check_stream(line)
        self._check_cause(line)
        if line.id not in self._seen:
            self._seen[line.id] = Seen(
                line.position, line.digest, intern(line.job), line.private, line.time
            )

    def finish(self) -> None:
        for check in (Check.SEQUENCE, Check.CAUSES, Check.TIMES):
            self._findings.count(check, self._lines)
        self._findings.count(Check.CHAIN, self._chained)
        if self._left_out:
            self._findings.note(
                Check.CHAIN,
                f"{self._left_out} private events follow events of other jobs, which are not in "
                "this file",
            )

    @property
    def seen(self) -> dict[str, Seen]:
        """Every event by its id."""
        return self._seen

    def _check_position(self, line: Line) -> None:
        expected = self._position + 1
        gap = self._scope.is_whole and line.position != expected
        if gap or line.position < expected:
            self._findings.add(
                at(line, Check.SEQUENCE, f"stands at position {line.position}, not at {expected}")
            )
        self._position = max(self._position, line.position)

    def _check_stream(self, line: Line) -> None:
        stream = self._streams.get((line.source, line.stream))
        expected = stream.sequence + 1 if stream else 0
        if line.sequence < expected:
            self._findings.add(at(line, Check.SEQUENCE, self._again(line, expected)))
            return
        missing = line.sequence - expected
        if missing and self._may_miss(line):
            self._left_out += 1
        elif missing:
            self._findings.add(
                at(line, Check.SEQUENCE, f"{missing} events of this stream are missing before it")
            )
        if not missing:
            self._check_chain(line, stream)
        if stream and line.time < stream.time:
            self._findings.add(
                at(line, Check.TIMES, f"is dated {line.time}, before the event it follows")
            )
        self._streams[line.source, line.stream] = _Stream(line.sequence, line.digest, line.time)

    def _again(self, line: Line, expected: int) -> str:
        known = self._seen.get(line.id)
        if known is None or known.digest == line.digest:
            return f"has number {line.sequence} in its stream, the next one is {expected}"
        return (
            f"{line.source} signed two different events as number {line.sequence} of its stream: "
            f"the other stands at position {known.position}"
        )

    def _check_chain(self, line: Line, stream: _Stream | None) -> None:
        self._chained += 1
        if line.previous != (stream.digest if stream else None):
            self._findings.add(
                at(line, Check.CHAIN, "names another digest than that of the event before it")
            )

    def _may_miss(self, line: Line) -> bool:
        return line.private and not self._scope.is_whole

    def _check_cause(self, line: Line) -> None:
        """The first shared event of a job has no cause, and what a party notes unasked."""
        opens = line.job not in self._opened and not line.private
        if not line.private:
            self._opened.add(line.job)
        if line.cause is None:
            if not (opens or line.private):
                self._findings.add(at(line, Check.CAUSES, "names no cause"))
            return
        cause = self._seen.get(line.cause)
        if cause is None:
            if not self._may_miss(line):
                self._findings.add(
                    at(line, Check.CAUSES, "its cause is no earlier event of this log")
                )
            return
        if cause.job != line.job or (cause.private and not line.private):
            self._findings.add(at(line, Check.CAUSES, "its cause is no event of its job"))
        if line.time < cause.time:
            self._findings.add(
                at(line, Check.TIMES, f"is dated {line.time}, before its cause of {cause.time}")
            )

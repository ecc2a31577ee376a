"""One line of the doctor's report."""

from collections.abc import Iterable
from enum import StrEnum

from events.vocabulary import Frozen


class State(StrEnum):
    """`warn`: it works and somebody should look. `fail`: it does not work."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


class Finding(Frozen):
    """What was looked at, how it is, and what to do about it."""

    check: str
    state: State
    what: str
    remedy: str | None = None


def well(check: str, what: str) -> Finding:
    return Finding(check=check, state=State.OK, what=what)


def warning(check: str, what: str, remedy: str) -> Finding:
    return Finding(check=check, state=State.WARN, what=what, remedy=remedy)


def failing(check: str, what: str, remedy: str) -> Finding:
    return Finding(check=check, state=State.FAIL, what=what, remedy=remedy)


def explained(check: str, error: Exception) -> Finding:
    """An error of ours names the thing; what follows its last colon or semicolon is the remedy."""
    text = str(error)
    cut = max(text.rfind(": "), text.rfind("; "))
    if cut < 0:
        return failing(check, text, "see docs/operations.md")
    return failing(check, text[:cut], text[cut + 2 :])


def worst(findings: Iterable[Finding]) -> State:
    order = list(State)
    return max((finding.state for finding in findings), key=order.index, default=State.OK)

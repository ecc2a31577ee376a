"""When a party raises its stop flag (T9). The job stops when all flags are up at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True)
class StopRule:
    """A threshold, and the number of rounds in a row that have to stay within it."""

    threshold: float
    rounds: int


PATENT_STOP = StopRule(threshold=0.005, rounds=15)
DEFAULT_STOP = StopRule(threshold=1e-4, rounds=2)


def loss_is_flat(losses: Sequence[float], rule: StopRule = PATENT_STOP) -> bool:
    """The source's rule: the loss changed by at most the threshold, `rounds` times in a row."""
    changes = [abs(after - before) for before, after in pairwise(losses)]
    return _calm(changes, rule)


def steps_are_small(predicted_decreases: Sequence[float], rule: StopRule = DEFAULT_STOP) -> bool:
    """The default rule: the last steps promised at most the threshold, `rounds` times in a row."""
    return _calm(predicted_decreases, rule)


def _calm(changes: Sequence[float], rule: StopRule) -> bool:
    recent = changes[-rule.rounds :]
    return len(recent) == rule.rounds and all(change <= rule.threshold for change in recent)

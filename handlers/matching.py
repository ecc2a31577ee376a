"""Comparing tags of doubly blinded identifiers: places in two postings, and what all have (A3)."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from handlers.ristretto import TAG_BYTES

Places = NDArray[np.int64]


@dataclass(frozen=True)
class Matched:
    """The same customers' places in the local party's posting, rising, and in a participant's."""

    local: Places
    participant: Places

    def participant_places(self, local: Places) -> Places:
        """Where the participant has those that stand at these places of the local party."""
        return self.participant[np.searchsorted(self.local, local)]


def repeats(tags: bytes) -> bool:
    return len(np.unique(_words(tags))) < len(tags) // TAG_BYTES


def match(local: bytes, participant: bytes) -> Matched:
    """Tags without repetition, 16 bytes each, in the order of the two postings."""
    _common, ours, theirs = np.intersect1d(
        _words(local), _words(participant), assume_unique=True, return_indices=True
    )
    rising = np.argsort(ours)
    return Matched(ours[rising].astype(np.int64), theirs[rising].astype(np.int64))


def common_to_all(matches: Sequence[Matched]) -> Places:
    """Places in the local party's posting that every participant has, rising."""
    return reduce(np.intersect1d, [matched.local for matched in matches])


def _words(tags: bytes) -> NDArray[np.void]:
    return np.frombuffer(tags, dtype=[("high", "<u8"), ("low", "<u8")])

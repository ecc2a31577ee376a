"""What a party has removed from its payloads, and may: the big vectors of jobs that are over."""

from typing import ClassVar

from pydantic import Field

from events.event import Event
from events.vocabulary import Digest, Role, StreamName

MOST_COMMITMENTS = 500  # so that the envelope stays far below its limit


class PayloadsPruned(Event):
    """Ciphertexts and masked results of one ended job were removed here; the log keeps their names.

    `commitments` are those of the envelopes, so that an auditor tells pruned from missing.
    """

    PRIVATE: ClassVar = True
    ISSUERS: ClassVar = frozenset(Role)
    job: StreamName
    commitments: tuple[Digest, ...] = Field(min_length=1, max_length=MOST_COMMITMENTS)
    size: int = Field(ge=0)

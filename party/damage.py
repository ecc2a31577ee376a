"""Events whose sealed payload was damaged on the way: their issuer is asked to send them again.

The bytes differ from what the issuer announced beside the envelope, so it is not known who changed
them. A few times that is the way's fault; what never arrives whole is a breach after all.
"""

from collections import OrderedDict
from collections.abc import Callable

from events.envelope import Envelope
from party.errors import Reason

MOST_TIMES = 5
MOST_REMEMBERED = 1_000


class DamagedOnTheWay:
    """Counts how often each envelope came with other sealed bytes than announced."""

    def __init__(self, ask_again: Callable[[str, str], None]) -> None:
        self._ask_again = ask_again
        self._times: OrderedDict[str, int] = OrderedDict()

    def comes_again(self, sender: str, canonical: bytes, reason: Reason) -> bool:
        """Ask for it again, unless it was asked for too often; False for every other refusal."""
        if reason is not Reason.OTHER_SEALED_BYTES:
            return False
        event_id = Envelope.model_validate_json(canonical).id  # it was read before it was opened
        self._times[event_id] = self._times.pop(event_id, 0) + 1
        if len(self._times) > MOST_REMEMBERED:
            self._times.popitem(last=False)
        if self._times[event_id] > MOST_TIMES:
            return False
        self._ask_again(sender, event_id)
        return True

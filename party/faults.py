"""An unexpected exception, told without its message: that may hold a value of a row."""

import traceback

from bus.errors import BusError
from events.errors import EventError
from handlers.errors import HandlersError
from party.errors import PartyError
from store.errors import StoreError

OURS = (BusError, EventError, HandlersError, PartyError, StoreError)


def describe(fault: BaseException) -> str:
    """Where it was raised and its type; the message only of this software's own errors."""
    places = [
        f"{frame.filename}:{frame.lineno} in {frame.name}"
        for frame in traceback.extract_tb(fault.__traceback__)
    ]
    message = f": {fault}" if isinstance(fault, OURS) else ""
    return "\n".join([*places, f"{type(fault).__qualname__}{message}"])

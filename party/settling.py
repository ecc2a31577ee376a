"""Small payloads travel to the disk inside the log; this makes files of them.

An event's transaction is forced to the disk in any case, and making a small file beside it takes
longer than all the rest of a small event. So the log keeps such payloads, and whoever asks for one
gets it from there, until its file is safe.
"""

from party.opening import Party
from party.pump import Pump

PAUSE_SECONDS = 30.0


def settle_payloads(party: Party) -> None:
    """Every file of a kept payload is whole and on the disk; the log lets go of them."""
    after = ""
    while kept := party.log.kept_payloads(after):
        party.payloads.settle(kept)
        names = [commitment for commitment, _ in kept]
        with party.log.transaction() as transaction:
            transaction.let_payloads_go(names)
        after = names[-1]


def settling_pump(party: Party) -> Pump:
    return Pump("settle", lambda: settle_payloads(party), pause=PAUSE_SECONDS)

"""A party that only appends: a process of its own for tests that need one.

`python -m tests.store.writer URL NAME TRANSACTIONS` appends three events and moves a cursor in each
transaction, and counts the transactions on its output.
"""

import sys
from itertools import count

from events.rounds import RoundCompleted
from store import Log, LogTransaction
from tests.envelopes import Issuer

EVENTS_EACH = 3


def append_three(transaction: LogTransaction, issuer: Issuer) -> None:
    for _ in range(EVENTS_EACH):
        envelope = issuer.says(RoundCompleted(round=1))
        position = transaction.append(envelope, envelope.canonical_bytes(), ["bank", "partner"])
    transaction.move_cursor(issuer.name, position)


def main(url: str, name: str, transactions: int) -> None:
    log = Log(url)
    issuer = Issuer(name)
    for number in count(1):
        with log.transaction() as transaction:
            append_three(transaction, issuer)
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()
        if number == transactions:
            return


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))

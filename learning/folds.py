"""Which fold a customer is in, for anyone who knows the id, without a random generator."""

import hashlib

# Python refuses to read longer numbers; as text they are as good.
LONGEST_NUMBER = 4_000


def fold_of(customer: str, folds: int) -> int:
    """The id modulo `folds`; of ids that aren't whole numbers, the first 8 bytes of SHA-256."""
    if customer.isascii() and customer.isdigit() and len(customer) <= LONGEST_NUMBER:
        return int(customer) % folds
    digest = hashlib.sha256(customer.encode()).digest()
    return int.from_bytes(digest[:8], "big") % folds

"""What a job's coding of the variables means for the numbers of a round (requirements P5, T6)."""

from events.preparation import FeaturesPrepared
from events.terms import Terms
from handlers.errors import JobError

# What one party's curvature and parameters may take; a block of 4,000 columns has 128 MB.
MOST_COLUMNS = 24_000


def gradient_values(terms: Terms, columns: int) -> int:
    """How many sums a gradient of so many columns is: ordinal ones don't add up to the total."""
    return columns + (terms.coding == "ordinal")


def rank(terms: Terms, features: FeaturesPrepared) -> int:
    """How many independent equations a data party receives a round, at most.

    The bins of a one-hot variable all sum to the same total. Ordinal columns are independent, and
    the total is one more (a variable of categories among them makes it one less).
    """
    if terms.coding == "ordinal":
        return features.columns + 1
    return features.columns - features.variables + 1


def remedy(terms: Terms) -> str:
    """What an operator can do about too many columns."""
    if terms.coding == "one-hot":
        return 'coding = "ordinal" (one column a variable), fewer variables'
    return "fewer variables"


def check_width(terms: Terms, columns: int, party: str) -> None:
    """Raise JobError where a party's columns are more than can be trained."""
    if columns > MOST_COLUMNS:
        raise JobError(
            "data",
            f"{party} has {columns} columns, {MOST_COLUMNS} are the most: {remedy(terms)}",
        )

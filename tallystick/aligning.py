"""How long finding the common customers takes, by costs measured on this machine (A2, A3).

Counted: hashing identifiers and raising them to powers, which is nearly all of it. Not counted:
reading the data, matching, and the network.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from events.terms import Alignment
from handlers.alignment import handles_of
from handlers.ristretto import POINT_BYTES, TAG_BYTES, blind, blind_again, draw_exponent
from paillier.generator import DeterministicGenerator
from tallystick.errors import MeasurementError
from tallystick.estimate import Cost
from tallystick.measuring import timed

KEY_BYTES = 32
# An empty set has a cost too, which is not that of an identifier.
WARMING = 8


@dataclass(frozen=True)
class AlignmentCosts:
    """Of one identifier, with all cores at work."""

    blinding: Cost  # hashed to the group, and raised to the own power
    blinding_again: Cost  # another party's, raised once more
    hashing: Cost  # hashed under a key


@dataclass(frozen=True)
class AlignmentEstimate:
    """By party; `apart` by the clock with a machine like this one at each, `together` on one."""

    parties: Mapping[str, Cost]
    apart: float
    together: float


def measure_alignment(cores: int, identifiers: int, repeats: int) -> AlignmentCosts:
    """From so many identifiers. Raises MeasurementError where powers do not commute."""
    names = [str(15_400_000_000 + number) for number in range(identifiers)]
    mine, yours = (draw_exponent(DeterministicGenerator(secrets.token_bytes(32))) for _ in "ab")
    blind(names[:WARMING], "warming", mine, cores)
    points, blinding = timed(lambda: blind(names, "measuring", mine, cores), repeats)
    tags, again = timed(lambda: blind_again(points, yours, cores), repeats)
    others = blind_again(blind(names[:WARMING], "measuring", yours, cores), mine, cores)
    if len(points) != POINT_BYTES * identifiers or tags[: len(others)] != others:
        raise MeasurementError("two powers of an identifier depend on their order")
    if len(tags) != TAG_BYTES * identifiers:
        raise MeasurementError("some identifiers have no tag")
    _, hashing = timed(lambda: handles_of(bytes(KEY_BYTES), names), repeats)
    share = 1 / identifiers
    return AlignmentCosts(blinding * share, again * share, hashing * share)


def estimate_alignment(
    alignment: Alignment, customers: int, participants: int, costs: AlignmentCosts
) -> AlignmentEstimate:
    """Every party has so many customers, the bank and so many participants.

    By private set intersection the bank's set is raised by each participant while it is posted,
    and then the participants' sets by the bank, one after the other.
    """
    names = [f"partner-{number + 1}" for number in range(participants)]
    if alignment != "psi":
        hashed = costs.hashing * customers
        parties = dict.fromkeys(["bank", *names], hashed)
        return AlignmentEstimate(parties, 2 * hashed.wall, len(parties) * hashed.wall)
    own, other = costs.blinding * customers, costs.blinding_again * customers
    parties = {"bank": own + other * participants, **dict.fromkeys(names, own + other)}
    return AlignmentEstimate(
        parties=parties,
        apart=max(own.wall, other.wall) + max(own.wall, participants * other.wall),
        together=sum(cost.wall for cost in parties.values()),
    )

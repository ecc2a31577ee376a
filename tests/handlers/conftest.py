"""Small data of two and three parties, and a key that is made once."""

import numpy as np
import pytest

from paillier.keys import PrivateKey, generate_key_pair
from tests.simulation import Rows


@pytest.fixture(scope="session")
def key() -> PrivateKey:
    return generate_key_pair(512, minimum_bits=512)


def federation_rows(participants: int = 1, *, linear: bool = False) -> dict[str, Rows]:
    """Overlapping customers; numbers, text, missing values and dates already turned to days."""
    random = np.random.default_rng(7)
    count = 240
    ids = [f"154{number * 48271:08d}" for number in range(count)]
    features = random.normal(size=(count, 2 + 2 * participants))
    signal = features.sum(axis=1) + random.normal(size=count)
    label = np.round(signal, 3) if linear else np.where(signal > 0, 1.0, -1.0)
    features[::9, 1] = np.nan
    bank = slice(0, count - 15)
    rows = {
        "bank": Rows(
            ids[bank], {"age": features[bank, 0], "balance": features[bank, 1]}, label[bank]
        )
    }
    for number in range(participants):
        own = np.arange(10 + number, count)
        first, second = features[own, 2 + 2 * number], features[own, 3 + 2 * number]
        jobs = np.array([None, "clerk", "nurse"], dtype=object)[np.digitize(second, [-1.5, 0.0])]
        name = "partner" if participants == 1 else f"partner-{number + 1}"
        rows[name] = Rows([ids[row] for row in own], {"calls": first, "job": jobs})
    return rows

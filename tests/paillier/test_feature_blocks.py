"""A gradient in blocks of variables is the gradient, whoever computes it (requirement T6)."""

from collections.abc import Sequence

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from paillier import DeterministicGenerator, Encryptor, PrivateKey, one_hot_gradient
from paillier.feature_blocks import (
    BlockTask,
    FeatureBlock,
    Octets,
    block_gradient,
    gradient_by_workers,
)
from paillier.packed_gradient import packed_gradient
from paillier.sample_packing import sample_packing

VARIABLES = st.lists(st.tuples(st.integers(2, 6), st.booleans()), min_size=1, max_size=9)


class Backwards:
    """Workers that compute the last block first."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.blocks = 0

    def __call__(
        self, task: BlockTask, ciphertexts: Octets, blocks: Sequence[FeatureBlock]
    ) -> list[Octets]:
        self.blocks = len(blocks)
        return [task(ciphertexts, block) for block in reversed(blocks)][::-1]


@settings(max_examples=30)
@given(VARIABLES, st.integers(1, 4), st.integers(0, 99), st.booleans())
def test_blocks_give_the_same_integers(
    private_key: PrivateKey,
    variables: list[tuple[int, bool]],
    count: int,
    seed: int,
    packed: bool,
) -> None:
    key, rows = private_key.public, 12
    bins, ordinal = [one for one, _ in variables], [flag for _, flag in variables]
    random = np.random.default_rng(seed)
    codes = np.array([random.integers(0, one, rows) for one in bins], np.uint8)
    generator = DeterministicGenerator(b"s" * 32)
    packing = sample_packing(2, 40, key.bits) if packed else None
    numbers = random.integers(-1000, 1000, rows if packing is None else packing.ciphertexts(rows))
    ciphertexts = Encryptor(key).encrypt(numbers.tolist(), generator)
    workers = Backwards(count)

    found = gradient_by_workers(ciphertexts, codes, bins, ordinal, packing, key, workers)

    if packing is None:
        assert found == one_hot_gradient(ciphertexts, codes, bins, key)
    else:
        assert found == packed_gradient(ciphertexts, codes, bins, ordinal, packing, key)
    assert workers.blocks >= min(count, len(bins))


def test_a_block_takes_and_gives_plain_bytes(private_key: PrivateKey) -> None:
    key = private_key.public
    ciphertexts = Encryptor(key).encrypt([5, 6], DeterministicGenerator(b"s" * 32))
    width = 2 * key.bits // 8
    octets = np.array([list(int(one).to_bytes(width, "big")) for one in ciphertexts], np.uint8)
    block = FeatureBlock(np.array([[0, 1]], np.uint8), (2,), (False,), None, key.n, key.hs)

    result = block_gradient(octets, block)

    assert result.tolist() == octets.tolist()

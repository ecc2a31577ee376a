"""An encrypted gradient in blocks of variables, for workers outside this process.

The blocks are independent. Ciphertexts are the same for all of them and travel once, as bytes;
codes travel with their block. What comes back is the same to the bit whoever computes it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from gmpy2 import mpz
from numpy.typing import NDArray

from paillier.ciphertexts import ciphertext_bytes, to_bytes
from paillier.gradient import one_hot_gradient
from paillier.keys import PublicKey
from paillier.packed_gradient import packed_gradient
from paillier.sample_packing import SamplePacking

# More blocks than workers, so that a slow worker keeps nobody waiting for long.
BLOCKS_PER_WORKER = 3

Octets = NDArray[np.uint8]


@dataclass(frozen=True)
class FeatureBlock:
    """Some variables of a gradient: plain data, made to be sent."""

    codes: Octets
    bins: tuple[int, ...]
    ordinal: tuple[bool, ...]
    packing: SamplePacking | None
    n: int
    hs: int


class BlockTask(Protocol):
    def __call__(self, ciphertexts: Octets, block: FeatureBlock, /) -> Octets: ...


class Workers(Protocol):
    """Whoever computes blocks: calls the task with the ciphertexts and each block, in any order."""

    @property
    def count(self) -> int: ...

    def __call__(
        self, task: BlockTask, ciphertexts: Octets, blocks: Sequence[FeatureBlock]
    ) -> list[Octets]: ...


def gradient_by_workers(
    ciphertexts: Sequence[mpz],
    codes: Octets,
    bins: Sequence[int],
    ordinal: Sequence[bool],
    packing: SamplePacking | None,
    public_key: PublicKey,
    workers: Workers,
) -> list[mpz]:
    """As `one_hot_gradient`, or with a packing as `packed_gradient`, computed by the workers."""
    order = sorted(range(len(bins)), key=lambda variable: bins[variable])
    size = max(1, -(-len(bins) // (workers.count * BLOCKS_PER_WORKER)))
    groups = [order[start : start + size] for start in range(0, len(order), size)]
    blocks = [
        FeatureBlock(
            codes[group],
            tuple(bins[variable] for variable in group),
            tuple(ordinal[variable] for variable in group),
            packing,
            public_key.n,
            public_key.hs,
        )
        for group in groups
    ]
    results = workers(block_gradient, _octets(ciphertexts, public_key), blocks)
    of_variable: dict[int, list[mpz]] = {}
    for group, block, result in zip(groups, blocks, results, strict=True):
        numbers = iter(_numbers(result))
        for variable, count in zip(group, _outputs(block), strict=True):
            of_variable[variable] = [next(numbers) for _ in range(count)]
    return [number for variable in range(len(bins)) for number in of_variable[variable]]


def block_gradient(ciphertexts: Octets, block: FeatureBlock) -> Octets:
    """One block, in the worker; ciphertexts and result of shape (numbers, bytes of one)."""
    key, numbers = PublicKey(block.n, block.hs), _numbers(ciphertexts)
    if block.packing is None:
        gradient = one_hot_gradient(numbers, block.codes, block.bins, key)
    else:
        gradient = packed_gradient(
            numbers, block.codes, block.bins, block.ordinal, block.packing, key
        )
    return _octets(gradient, key)


def _outputs(block: FeatureBlock) -> list[int]:
    """How many numbers each variable gives."""
    one = block.packing is not None
    return [
        1 if one and ordinal else count
        for count, ordinal in zip(block.bins, block.ordinal, strict=True)
    ]


def _octets(numbers: Sequence[mpz], public_key: PublicKey) -> Octets:
    octets = np.frombuffer(to_bytes(numbers, public_key), np.uint8)
    return octets.reshape(len(numbers), ciphertext_bytes(public_key))


def _numbers(octets: Octets) -> list[mpz]:
    return [mpz.from_bytes(row.tobytes(), "big") for row in octets]

"""The joined products of paillier.packed_gradient on the compiled kernel."""

from collections.abc import Sequence
from itertools import accumulate, pairwise

import numpy as np
from gmpy2 import mpz
from numpy.typing import NDArray

from paillier.compiled.joint_buckets import bin_elements
from paillier.compiled.kernel import Elements, Kernel
from paillier.joint_buckets import joint_cells


def joined_products(
    kernel: Kernel,
    ciphertexts: Elements,
    codes: NDArray[np.uint8],
    bins: Sequence[int],
    ordinal: Sequence[bool],
    rows_per_ciphertext: int,
    slot_bits: int,
) -> list[list[mpz]]:
    """The outputs of every variable of one group: each slot's products, joined by Horner's rule."""
    sizes = [1 if one else count for one, count in zip(ordinal, bins, strict=True)]
    joined = kernel.ones(sum(sizes))
    steps = np.tile(np.arange(len(joined)), slot_bits)
    for slot in range(rows_per_ciphertext):
        if slot:
            kernel.square(joined, steps)
        cells = joint_cells(codes[:, slot::rows_per_ciphertext], bins)
        products = bin_elements(kernel, ciphertexts, cells, bins)
        kernel.multiply_all(joined, np.concatenate(_weigh(kernel, products, ordinal)))
    outputs = kernel.leave(joined)
    return [outputs[first:end] for first, end in pairwise(accumulate(sizes, initial=0))]


def _weigh(kernel: Kernel, products: Sequence[Elements], ordinal: Sequence[bool]) -> list[Elements]:
    """product_1 product_2^2 .. of an ordinal variable's bins, all variables in step."""
    weighed = list(products)
    chosen = np.flatnonzero(ordinal).tolist()
    if not chosen:
        return weighed
    bins = np.array([len(products[one]) for one in chosen])
    starts = np.cumsum(bins) - bins
    elements = np.concatenate([products[one] for one in chosen])
    suffix, weighted = kernel.ones(len(chosen)), kernel.ones(len(chosen))
    for number in reversed(range(1, bins.max())):
        present = np.flatnonzero(bins > number)
        kernel.multiply(suffix, present, elements, starts[present] + number)
        kernel.multiply(weighted, present, suffix, present)
    for place, one in enumerate(chosen):
        weighed[one] = weighted[place : place + 1]
    return weighed

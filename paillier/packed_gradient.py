"""The encrypted gradient where rows share ciphertexts (requirements T6).

For every slot the products over the rows in it, as without packing; the slots are then joined by
Horner's rule, so that each row's number lands in the wanted slot (paillier.sample_packing).
"""

from collections.abc import Callable, Sequence

import gmpy2
import numpy as np
from gmpy2 import mpz
from numpy.typing import NDArray

from paillier.compiled.kernel import Kernel
from paillier.compiled.packed_gradient import joined_products
from paillier.gradient import check_shapes, enter_all, variable_groups
from paillier.half_size import Multiplicands, split
from paillier.joint_buckets import bin_products
from paillier.kernels import compiled_kernel
from paillier.keys import PublicKey
from paillier.ordinal import weighted_product
from paillier.sample_packing import SamplePacking, check_ciphertexts
from paillier.workers import in_parallel

# Codes of a group, its numbers of bins, which of its variables are ordinal.
JoinedProducts = Callable[[NDArray[np.uint8], Sequence[int], Sequence[bool]], list[list[mpz]]]


def packed_gradient(
    ciphertexts: Sequence[mpz],
    codes: NDArray[np.uint8],
    bins: Sequence[int],
    ordinal: Sequence[bool],
    packing: SamplePacking,
    public_key: PublicKey,
    threads: int = 1,
) -> list[mpz]:
    """One output for an ordinal variable, one a bin for any other, variable by variable.

    An output is E of 2 k - 1 slots, of which the middle one is the sum of g over the bin, or of
    g times the bin's number. `ciphertexts` hold k rows each; `codes` has shape (variables, rows),
    with codes of variable v in [0, bins[v]). Outputs are only for paillier.slot_cutting.
    """
    check_shapes(codes.shape[-1], codes, bins)
    check_ciphertexts(len(ciphertexts), codes.shape[1], packing)
    kernel = compiled_kernel(public_key.modulus)
    if kernel:
        join = _compiled_products(ciphertexts, packing, kernel, threads)
    else:
        join = _gmpy2_products(ciphertexts, packing, public_key, threads)
    groups = variable_groups(bins, len(ciphertexts), public_key)

    def join_group(group: list[int]) -> list[list[mpz]]:
        return join(codes[group], [bins[one] for one in group], [ordinal[one] for one in group])

    outputs: list[list[mpz]] = [[] for _ in bins]
    for group, of_group in zip(groups, in_parallel(join_group, groups, threads), strict=True):
        for variable, of_variable in zip(group, of_group, strict=True):
            outputs[variable] = of_variable
    return [output for of_variable in outputs for output in of_variable]


def _compiled_products(
    ciphertexts: Sequence[mpz], packing: SamplePacking, kernel: Kernel, threads: int
) -> JoinedProducts:
    elements = enter_all(kernel, ciphertexts, threads)
    k, slot_bits = packing.rows_per_ciphertext, packing.slot_bits
    return lambda codes, bins, ordinal: joined_products(
        kernel, elements, codes, bins, ordinal, k, slot_bits
    )


def _gmpy2_products(
    ciphertexts: Sequence[mpz], packing: SamplePacking, public_key: PublicKey, threads: int
) -> JoinedProducts:
    residues, digits = split(ciphertexts, public_key, threads)
    k, n_squared, step = packing.rows_per_ciphertext, public_key.n_squared, 1 << packing.slot_bits

    def products_of_slot(
        codes: NDArray[np.uint8], bins: Sequence[int], ordinal: Sequence[bool]
    ) -> list[list[mpz]]:
        rows = codes.shape[1]
        multiplicands = Multiplicands(residues[:rows], digits[:rows])
        products = bin_products(multiplicands, codes, bins, public_key)
        return [
            [weighted_product(of_bins, n_squared)] if is_ordinal else of_bins
            for of_bins, is_ordinal in zip(products, ordinal, strict=True)
        ]

    def join(
        codes: NDArray[np.uint8], bins: Sequence[int], ordinal: Sequence[bool]
    ) -> list[list[mpz]]:
        joined = products_of_slot(codes[:, ::k], bins, ordinal)
        for slot in range(1, k):
            following = products_of_slot(codes[:, slot::k], bins, ordinal)
            joined = [
                [
                    gmpy2.powmod(x, step, n_squared) * y % n_squared
                    for x, y in zip(*one, strict=True)
                ]
                for one in zip(joined, following, strict=True)
            ]
        return joined

    return join


def packed_total(
    ciphertexts: Sequence[mpz], rows: int, packing: SamplePacking, public_key: PublicKey
) -> mpz:
    """The output whose wanted slot is the sum over all rows."""
    check_ciphertexts(len(ciphertexts), rows, packing)
    k, n_squared, step = packing.rows_per_ciphertext, public_key.n_squared, 1 << packing.slot_bits
    full = mpz(1)
    for ciphertext in ciphertexts[: rows // k]:
        full = full * ciphertext % n_squared
    total = mpz(1)
    for slot in range(k):
        # The last ciphertext may hold no row in this slot.
        of_slot = full * ciphertexts[-1] % n_squared if slot < rows % k else full
        total = gmpy2.powmod(total, step, n_squared) * of_slot % n_squared
    return total

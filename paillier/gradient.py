"""The encrypted gradient of one-hot columns (requirements T6)."""

from collections.abc import Callable, Sequence

import numpy as np
from gmpy2 import mpz
from numpy.typing import NDArray

from paillier.compiled.joint_buckets import bin_products as compiled_bin_products
from paillier.compiled.kernel import Elements, Kernel
from paillier.errors import ShapeError
from paillier.half_size import PRODUCTS_WORTH_SPLITTING, split, whole
from paillier.joint_buckets import CELL_COST, bin_products, group_variables, joint_cells
from paillier.kernels import compiled_kernel
from paillier.keys import PublicKey
from paillier.workers import blocks, in_parallel

# With the compiled kernel a product costs the same whatever its factors.
COMPILED_CELL_COST = 2.0
ENTRY_BLOCK = 512

GroupProducts = Callable[[NDArray[np.uint8], Sequence[int]], list[list[mpz]]]


def one_hot_gradient(
    ciphertexts: Sequence[mpz],
    codes: NDArray[np.uint8],
    bins: Sequence[int],
    public_key: PublicKey,
    threads: int = 1,
) -> list[mpz]:
    """E(sum of g over the rows in the bin) for every variable and bin, variable by variable.

    `ciphertexts` are E(g), one a row; `codes` has shape (variables, rows), with codes of variable
    v in [0, bins[v]). A bin without rows gives 1, the trivial encryption of 0: like all of the
    result it must be re-randomised before it leaves the party.
    """
    check_shapes(len(ciphertexts), codes, bins)
    kernel = compiled_kernel(public_key.modulus)
    groups = variable_groups(bins, len(ciphertexts), public_key)
    if kernel:
        multiply_bins = _compiled_products(ciphertexts, kernel, threads)
    else:
        multiply_bins = _gmpy2_products(ciphertexts, len(groups), public_key, threads)

    def products_of_group(group: list[int]) -> list[list[mpz]]:
        return multiply_bins(codes[group], [bins[variable] for variable in group])

    products: list[list[mpz]] = [[] for _ in bins]
    for group, results in zip(groups, in_parallel(products_of_group, groups, threads), strict=True):
        for variable, result in zip(group, results, strict=True):
            products[variable] = result
    return [product for of_variable in products for product in of_variable]


def variable_groups(
    bins: Sequence[int], ciphertexts: int, public_key: PublicKey
) -> list[list[int]]:
    """Which variables share a pass over so many ciphertexts, with the kernel in use."""
    cell_cost = COMPILED_CELL_COST if compiled_kernel(public_key.modulus) else CELL_COST
    return group_variables(bins, ciphertexts, cell_cost)


def _gmpy2_products(
    ciphertexts: Sequence[mpz], passes: int, public_key: PublicKey, threads: int
) -> GroupProducts:
    if passes >= PRODUCTS_WORTH_SPLITTING:
        multiplicands = split(ciphertexts, public_key, threads)
    else:
        multiplicands = whole(ciphertexts)
    return lambda codes, bins: bin_products(multiplicands, codes, bins, public_key)


def _compiled_products(ciphertexts: Sequence[mpz], kernel: Kernel, threads: int) -> GroupProducts:
    elements = enter_all(kernel, ciphertexts, threads)
    return lambda codes, bins: compiled_bin_products(
        kernel, elements, joint_cells(codes, bins), bins
    )


def enter_all(kernel: Kernel, ciphertexts: Sequence[mpz], threads: int) -> Elements:
    """The ciphertexts as elements of the kernel, by all threads."""
    parts = in_parallel(
        lambda block: kernel.enter(ciphertexts[block]),
        blocks(len(ciphertexts), ENTRY_BLOCK, threads),
        threads,
    )
    return np.concatenate(parts)


def check_shapes(rows: int, codes: NDArray[np.uint8], bins: Sequence[int]) -> None:
    if codes.ndim != 2 or codes.dtype != np.uint8:
        raise ShapeError(
            f"codes are {codes.dtype} with {codes.ndim} axes: expected uint8 (variables, rows)"
        )
    if rows == 0 or len(bins) == 0:
        raise ShapeError(
            f"a gradient of {rows} ciphertexts and {len(bins)} variables does not exist: give at "
            "least one of each"
        )
    if codes.shape != (len(bins), rows):
        raise ShapeError(
            f"codes have shape {codes.shape}: expected ({len(bins)} variables, {rows} ciphertexts)"
        )
    for variable, (highest, count) in enumerate(zip(codes.max(axis=1), bins, strict=True)):
        if highest >= count:
            raise ShapeError(f"variable {variable} has code {highest} but only {count} bins")

"""The encrypted residual of every customer (requirements T5)."""

from collections.abc import Sequence

import gmpy2
import numpy as np
from gmpy2 import mpz
from numpy.typing import NDArray

from paillier.errors import ShapeError
from paillier.keys import PublicKey
from paillier.workers import blocks, in_parallel

ROWS_BLOCK = 256


def combine(
    parts: Sequence[Sequence[mpz]],
    multipliers: NDArray[np.int64] | int,
    additions: Sequence[mpz],
    public_key: PublicKey,
    threads: int = 1,
) -> list[mpz]:
    """E(multiplier * (u_1 + .. + u_K) + addition) for every row.

    `parts` are the participants' vectors E(u_k); `multipliers` is one integer a row, or one for
    all; `additions` are the caller's own fresh encryptions. Their randomness is what hides the
    result from the participants, who know the randomness of their own parts.
    """
    rows = len(additions)
    lengths = {len(part) for part in parts}
    if not parts or lengths != {rows}:
        raise ShapeError(
            f"{len(parts)} encrypted scores of lengths {sorted(lengths)} do not go with {rows} "
            "additions: every party must send one number a row"
        )
    if isinstance(multipliers, np.ndarray) and multipliers.shape != (rows,):
        raise ShapeError(f"multipliers have shape {multipliers.shape}: expected ({rows},)")
    factors = np.broadcast_to(np.asarray(multipliers, dtype=np.int64), (rows,)).tolist()
    n_squared = public_key.n_squared

    def combine_block(block: slice) -> list[mpz]:
        results = []
        for factor, addition, *scores in zip(
            factors[block], additions[block], *(part[block] for part in parts), strict=True
        ):
            total = scores[0]
            for score in scores[1:]:
                total = total * score % n_squared
            results.append(gmpy2.powmod(total, factor, n_squared) * addition % n_squared)
        return results

    results = in_parallel(combine_block, blocks(rows, ROWS_BLOCK), threads)
    return [ciphertext for result in results for ciphertext in result]

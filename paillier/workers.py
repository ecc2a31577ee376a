"""Spreading arithmetic over threads: gmpy2 can let go of the interpreter while it computes.

Encryption by the compiled kernel gains almost the number of threads, residuals and bin products
somewhat less: bringing numbers into the kernel's form and back is the interpreter's work. With
gmpy2 only powers gain (residuals, decryption, packing): encryption and bin products are made of
products of microseconds, after each of which the threads meet again.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import gmpy2

from paillier.kernels import GMPY2, kernel_name

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_parallel(
    task: Callable[[Item], Result], items: Sequence[Item], threads: int
) -> list[Result]:
    """`task` of every item, in order. The number of threads changes the time, never the result."""
    if threads <= 1 or len(items) <= 1:
        return [task(item) for item in items]
    # The compiled kernel lets go by itself, and beside it gmpy2 has only small work to do.
    initializer = _let_go_of_the_interpreter if kernel_name() == GMPY2 else None
    with ThreadPoolExecutor(threads, initializer=initializer) as pool:
        return list(pool.map(task, items))


def blocks(length: int, size: int, threads: int = 1) -> list[slice]:
    """Slices of at most `size`, and small enough that each thread has one."""
    size = max(1, min(size, -(-length // threads)))
    return [slice(start, min(start + size, length)) for start in range(0, length, size)]


def _let_go_of_the_interpreter() -> None:
    # Per thread in gmpy2, and it costs a little, so single-threaded work does without.
    gmpy2.get_context().allow_release_gil = True

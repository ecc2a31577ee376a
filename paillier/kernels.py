"""Which arithmetic does the work: the compiled kernel where this machine can run it, else gmpy2.

Both give the same integers to the bit. The environment variable TALLYSTICK_KERNEL chooses one.
"""

import os
from functools import cache
from importlib.util import find_spec

from gmpy2 import mpz

from paillier.compiled.kernel import Kernel
from paillier.errors import KernelError

KERNEL_VARIABLE = "TALLYSTICK_KERNEL"
GMPY2, COMPILED = "gmpy2", "compiled"
PROCESSOR_FEATURE = "avx512ifma"


def kernel_name() -> str:
    """`compiled` or `gmpy2`; KernelError where the environment asks for what is not possible."""
    wanted = os.environ.get(KERNEL_VARIABLE, "")
    obstacle = obstacle_to_compiling()
    if wanted not in ("", GMPY2, COMPILED):
        raise KernelError(f"{KERNEL_VARIABLE} is {wanted!r}: set it to {GMPY2} or {COMPILED}")
    if wanted == COMPILED and obstacle:
        raise KernelError(f"{KERNEL_VARIABLE} asks for the compiled kernel, but {obstacle}")
    return GMPY2 if wanted == GMPY2 or obstacle else COMPILED


def compiled_kernel(n: mpz) -> Kernel | None:
    """The compiled kernel for products modulo n^2, or None where gmpy2 does the work."""
    return Kernel(n) if kernel_name() == COMPILED else None


@cache
def obstacle_to_compiling() -> str:
    """Why the compiled kernel cannot run here, with the remedy; empty where it can."""
    if find_spec("llvmlite") is None:
        return "llvmlite is not installed: install the extra tallystick[fast]"
    # A large library, and only machines that have it should wait for it.
    from llvmlite import binding  # noqa: PLC0415

    if not binding.get_host_cpu_features().get(PROCESSOR_FEATURE, False):
        return f"this processor lacks {PROCESSOR_FEATURE}: use {GMPY2}"
    return ""

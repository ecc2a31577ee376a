"""From the kernel's code to a function that can be called: compiled once a length of modulus."""

import ctypes
from collections.abc import Callable
from functools import cache
from threading import Lock
from typing import Any

from llvmlite import binding

from paillier.compiled.code import FUNCTION, kernel_code

MultiplyRows = Callable[[int, int, int, int, int, int, int, int], None]

_LOCK = Lock()
_ENGINES: list[Any] = []  # an engine that is collected takes its code with it


def multiply_rows(digits: int) -> MultiplyRows:
    """The kernel for moduli of so many base-2^52 digits; ctypes lets other threads run meanwhile.

    Takes the addresses of: target, target rows (uint32), factors, factor rows (uint32); the number
    of products; the addresses of the modulus and of (1 - R) mod n; -1 / n mod 2^52.
    """
    with _LOCK:
        return _compile(digits)


@cache
def _compile(digits: int) -> MultiplyRows:
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    machine = binding.Target.from_default_triple().create_target_machine(
        cpu=binding.get_host_cpu_name(),
        features=binding.get_host_cpu_features().flatten(),
        opt=3,
    )
    module = binding.parse_assembly(kernel_code(digits))
    module.verify()
    engine = binding.create_mcjit_compiler(module, machine)
    engine.finalize_object()
    _ENGINES.append(engine)
    pointer, count, word = ctypes.c_void_p, ctypes.c_int64, ctypes.c_uint64
    signature = ctypes.CFUNCTYPE(
        None, pointer, pointer, pointer, pointer, count, pointer, pointer, word
    )
    return signature(engine.get_function_address(FUNCTION))

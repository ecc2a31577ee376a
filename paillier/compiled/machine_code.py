"""From the kernel's code to functions that can be called: compiled once a length of modulus."""

import ctypes
from collections.abc import Callable
from functools import cache
from threading import Lock
from typing import Any, NamedTuple

from llvmlite import binding

from paillier.compiled.code import ENTER_ROWS, MULTIPLY_ROWS, kernel_code

_ADDRESS, _COUNT, _WORD = ctypes.c_void_p, ctypes.c_int64, ctypes.c_uint64
# Addresses of the modulus and of (1 - R) mod n, and -1 / n mod 2^52.
_CONSTANTS = (_ADDRESS, _ADDRESS, _WORD)
_MULTIPLY_ROWS = ctypes.CFUNCTYPE(None, _ADDRESS, _ADDRESS, _ADDRESS, _ADDRESS, _COUNT, *_CONSTANTS)
_ENTER_ROWS = ctypes.CFUNCTYPE(None, _ADDRESS, _ADDRESS, _COUNT, *_CONSTANTS)
_LOCK = Lock()


class MachineCode(NamedTuple):
    """The functions of paillier.compiled.code; ctypes lets other threads run meanwhile."""

    multiply_rows: Callable[..., None]
    enter_rows: Callable[..., None]
    engine: Any  # owns the code


def machine_code(digits: int) -> MachineCode:
    """The functions for moduli of so many base-2^52 digits."""
    with _LOCK:
        return _compile(digits)


@cache
def _compile(digits: int) -> MachineCode:
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
    return MachineCode(
        _MULTIPLY_ROWS(engine.get_function_address(MULTIPLY_ROWS)),
        _ENTER_ROWS(engine.get_function_address(ENTER_ROWS)),
        engine,
    )

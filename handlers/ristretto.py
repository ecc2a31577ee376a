"""Identifiers as elements of ristretto255, and their powers; the arithmetic is libsodium's.

The group has prime order, its encoding is canonical, and the library refuses the identity, so a
power of a received element gives nothing away about the exponent (RFC 9496).
"""

import contextlib
import hashlib
import sys
from collections.abc import Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType

from handlers.errors import HandlersError
from paillier.generator import DeterministicGenerator
from paillier.workers import blocks, in_parallel

POINT_BYTES = 32
TAG_BYTES = 16
WIDE_SCALAR_BYTES = 64
POINTS_PER_TASK = 2048


class PointError(HandlersError):
    """Bytes that encode no element of the group, or its identity."""


def draw_exponent(generator: DeterministicGenerator) -> bytes:
    """A uniform exponent that is not zero."""
    zero = bytes(POINT_BYTES)
    while (drawn := _reduced(generator.bytes(WIDE_SCALAR_BYTES))) == zero:
        pass
    return drawn


def blind(identifiers: Sequence[str], domain: str, exponent: bytes, threads: int) -> bytes:
    """H(id)^exponent of each, joined; `domain` keeps the sets of two jobs apart."""
    rbcl = _library()
    prefix = b"tallystick identifier " + hashlib.sha256(domain.encode()).digest()

    def task(block: slice) -> bytes:
        points = (
            rbcl.crypto_core_ristretto255_from_hash(
                hashlib.sha512(prefix + identifier.encode()).digest()
            )
            for identifier in identifiers[block]
        )
        return b"".join(rbcl.crypto_scalarmult_ristretto255(exponent, point) for point in points)

    return b"".join(in_parallel(task, blocks(len(identifiers), POINTS_PER_TASK, threads), threads))


def blind_again(points: bytes, exponent: bytes, threads: int) -> bytes:
    """Tags of points^exponent, joined: the same for two identifiers that are the same.

    Raises PointError for bytes that no honest party posts.
    """
    multiply = _library().crypto_scalarmult_ristretto255

    def task(block: slice) -> bytes:
        tags = []
        for place in range(block.start, block.stop):
            point = points[POINT_BYTES * place : POINT_BYTES * (place + 1)]
            try:
                power = multiply(exponent, point)
            except (RuntimeError, ValueError):
                raise PointError(f"number {place + 1} is no element of ristretto255") from None
            tags.append(hashlib.sha256(power).digest()[:TAG_BYTES])
        return b"".join(tags)

    count = -(-len(points) // POINT_BYTES)
    return b"".join(in_parallel(task, blocks(count, POINTS_PER_TASK, threads), threads))


def _reduced(wide: bytes) -> bytes:
    reduced: bytes = _library().crypto_core_ristretto255_scalar_reduce(wide)
    return reduced


@cache
def _library() -> ModuleType:
    library = import_module("rbcl")  # takes a tenth of a second, and few commands need it
    # It unpacks libsodium into a temporary file and leaves it there; loaded, it is not needed.
    unpacked = getattr(sys.modules.get("rbcl._sodium"), "lib_path", None)
    if unpacked is not None:
        with contextlib.suppress(OSError):
            Path(unpacked).unlink()
    return library

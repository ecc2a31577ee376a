"""Randomness that can be drawn again: what makes a party's log replayable to the bit.

A generator is a secret plus a path of labels. Each label moves to a child by HMAC-SHA256; the
numbers come from the AES-256-CTR keystream under a key of the child's own. Callers derive with
the job, the step and a digest of what goes in (a synthetic nonce), so that the same randomness
never meets two different inputs.
"""

import builtins
import hashlib
import hmac
from functools import cached_property

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext, algorithms, modes
from numpy.typing import NDArray

from paillier.errors import PlaintextRangeError, ShapeError, UnsafeKeyError

MINIMUM_SECRET_BYTES = 16
Label = str | int | bytes


class DeterministicGenerator:
    """A stream of uniform numbers that depends on the secret and the labels only.

    Drawing moves the stream on, so one generator belongs to one thread and one step.
    """

    def __init__(self, secret: builtins.bytes) -> None:
        if len(secret) < MINIMUM_SECRET_BYTES:
            raise UnsafeKeyError(
                f"a generator's secret has {len(secret)} bytes: give at least "
                f"{MINIMUM_SECRET_BYTES}, drawn from the system's randomness"
            )
        self._chain_key = hmac.digest(secret, b"tallystick generator: chain", hashlib.sha256)
        self._stream_key = hmac.digest(secret, b"tallystick generator: stream", hashlib.sha256)

    @cached_property
    def _keystream(self) -> CipherContext:
        """A zero counter is safe because every stream has a key of its own."""
        cipher = Cipher(algorithms.AES256(self._stream_key), modes.CTR(b"\0" * 16))
        return cipher.encryptor()

    def derive(self, *labels: Label) -> "DeterministicGenerator":
        """The child named by the labels; drawing from one never moves the other."""
        if not labels:
            raise ShapeError("a derived generator needs at least one label")
        message = b"".join(_encode_label(label) for label in labels)
        return DeterministicGenerator(hmac.digest(self._chain_key, message, hashlib.sha256))

    def bytes(self, count: int) -> builtins.bytes:
        return self._keystream.update(b"\0" * count)

    def bits(self, count: int) -> int:
        """A uniform integer in [0, 2^count)."""
        surplus = -count % 8
        return int.from_bytes(self.bytes((count + surplus) // 8), "little") >> surplus

    def below(self, limit: int) -> int:
        """A uniform integer in [0, limit), by rejection: no bias at all."""
        if limit < 1:
            raise PlaintextRangeError(f"there is no number below {limit}: the limit must be >= 1")
        width = (limit - 1).bit_length()
        while (candidate := self.bits(width)) >= limit:
            pass
        return candidate

    def permutation(self, count: int) -> NDArray[np.int64]:
        """A uniform order of 0..count-1: the ranks of 128-bit keys, which never tie in practice."""
        keys = np.frombuffer(self.bytes(16 * count), dtype="<u8").reshape(count, 2)
        return np.lexsort((keys[:, 0], keys[:, 1])).astype(np.int64)


def _encode_label(label: Label) -> bytes:
    """Type and length first, so that no two paths of labels share their bytes."""
    if isinstance(label, str):
        kind, content = b"s", label.encode()
    elif isinstance(label, bytes):
        kind, content = b"b", label
    else:
        kind, content = b"i", str(int(label)).encode()
    return kind + len(content).to_bytes(8, "big") + content

"""What can be wrong with encrypted arithmetic.

PaillierError
├── UnsafeKeyError        a key that must not be used: too short, badly formed or tampered with
├── CiphertextError       bytes or a number that is no ciphertext under this key
├── PlaintextRangeError   a number that does not fit the plaintext space or its slot
├── ShapeError            vectors whose lengths, types or codes do not belong together
└── KernelError           the arithmetic that was asked for cannot run on this machine
"""


class PaillierError(Exception):
    """Root of everything this room raises."""


class UnsafeKeyError(PaillierError):
    pass


class CiphertextError(PaillierError):
    pass


class PlaintextRangeError(PaillierError):
    pass


class ShapeError(PaillierError):
    pass


class KernelError(PaillierError):
    pass

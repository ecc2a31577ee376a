"""Arithmetic on encrypted vectors: keys, encryption, encrypted gradients, packing and masking.

Pure functions over integers: no input or output, and nothing of the other rooms.
"""

from paillier.ciphertexts import ciphertext_bytes, from_bytes, to_bytes
from paillier.encryption import Encryptor
from paillier.errors import (
    CiphertextError,
    KernelError,
    PaillierError,
    PlaintextRangeError,
    ShapeError,
    UnsafeKeyError,
)
from paillier.generator import DeterministicGenerator
from paillier.gradient import one_hot_gradient
from paillier.kernels import kernel_name
from paillier.keys import MINIMUM_KEY_BITS, PrivateKey, PublicKey, generate_key_pair
from paillier.masking import apply_masks, draw_masks, remove_masks
from paillier.ordinal import ordinal_gradient
from paillier.packing import pack, signed, slots_per_ciphertext, unpack
from paillier.phe_keys import private_from_phe, private_to_phe, public_to_phe
from paillier.residual import Term, combine, multiply

__all__ = [
    "MINIMUM_KEY_BITS",
    "CiphertextError",
    "DeterministicGenerator",
    "Encryptor",
    "KernelError",
    "PaillierError",
    "PlaintextRangeError",
    "PrivateKey",
    "PublicKey",
    "ShapeError",
    "Term",
    "UnsafeKeyError",
    "apply_masks",
    "ciphertext_bytes",
    "combine",
    "draw_masks",
    "from_bytes",
    "generate_key_pair",
    "kernel_name",
    "multiply",
    "one_hot_gradient",
    "ordinal_gradient",
    "pack",
    "private_from_phe",
    "private_to_phe",
    "public_to_phe",
    "remove_masks",
    "signed",
    "slots_per_ciphertext",
    "to_bytes",
    "unpack",
]

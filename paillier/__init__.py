"""Arithmetic on encrypted vectors: keys, encryption, encrypted gradients, packing and masking.

Pure functions over integers: no input or output, and nothing of the other rooms.
"""

from paillier.ciphertexts import ciphertext_bytes, from_bytes, to_bytes
from paillier.encryption import Encryptor
from paillier.errors import (
    CiphertextError,
    PaillierError,
    PlaintextRangeError,
    ShapeError,
    UnsafeKeyError,
)
from paillier.generator import DeterministicGenerator
from paillier.keys import MINIMUM_KEY_BITS, PrivateKey, PublicKey, generate_key_pair
from paillier.phe_keys import private_from_phe, private_to_phe, public_to_phe

__all__ = [
    "MINIMUM_KEY_BITS",
    "CiphertextError",
    "DeterministicGenerator",
    "Encryptor",
    "PaillierError",
    "PlaintextRangeError",
    "PrivateKey",
    "PublicKey",
    "ShapeError",
    "UnsafeKeyError",
    "ciphertext_bytes",
    "from_bytes",
    "generate_key_pair",
    "private_from_phe",
    "private_to_phe",
    "public_to_phe",
    "to_bytes",
]

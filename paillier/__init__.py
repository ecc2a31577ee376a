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
from paillier.packed_gradient import packed_gradient
from paillier.packing import pack, signed, slots_per_ciphertext, unpack
from paillier.phe_keys import private_from_phe, private_to_phe, public_to_phe
from paillier.residual import Term, combine, multiply
from paillier.sample_packing import (
    SamplePacking,
    most_rows_per_ciphertext,
    pack_rows,
    sample_packing,
)
from paillier.slot_cutting import (
    apply_slot_masks,
    cut_bytes,
    cut_slots,
    draw_slot_masks,
    sums_of_cuts,
)

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
    "SamplePacking",
    "ShapeError",
    "Term",
    "UnsafeKeyError",
    "apply_masks",
    "apply_slot_masks",
    "ciphertext_bytes",
    "combine",
    "cut_bytes",
    "cut_slots",
    "draw_masks",
    "draw_slot_masks",
    "from_bytes",
    "generate_key_pair",
    "kernel_name",
    "most_rows_per_ciphertext",
    "multiply",
    "one_hot_gradient",
    "ordinal_gradient",
    "pack",
    "pack_rows",
    "packed_gradient",
    "private_from_phe",
    "private_to_phe",
    "public_to_phe",
    "remove_masks",
    "sample_packing",
    "signed",
    "slots_per_ciphertext",
    "sums_of_cuts",
    "to_bytes",
    "unpack",
]

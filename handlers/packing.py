"""How many customers share a ciphertext, and what an owner may have opened of its gradient.

Customers can share where the residual scales all of them alike (Taylor at 0, linear). Their number
follows from shared facts only, so every member computes it from its own log and nobody states it;
the terms may set it (`rows_per_ciphertext`), as far as the key has room.
"""

from dataclasses import dataclass

from gmpy2 import mpz

from events.preparation import FeaturesPrepared, PublicKeyIssued, RowsAligned
from events.terms import Terms
from handlers.coding import gradient_values
from handlers.history import History
from handlers.keys import degree_of, job_slot_bits, public_key, residual_of
from handlers.own import Own
from learning.binning import FIFTHS
from learning.fixed_point import Integers
from learning.residuals import Residual
from paillier.encryption import Encryptor
from paillier.generator import DeterministicGenerator
from paillier.packing import slots_of
from paillier.packing_choice import GradientShape, RoundShape, choose_packing
from paillier.sample_packing import SamplePacking, pack_rows
from paillier.slot_cutting import cut_bytes


@dataclass(frozen=True)
class Entitlement:
    """What one owner may have opened a round: so many ciphertexts, so many bytes of each."""

    ciphertexts: int
    returned_bytes: int


def ready_to_train(history: History) -> bool:
    """The key is there and every data party has said what it trains: all that the below needs."""
    return history.has(PublicKeyIssued) and history.has_from_all(
        FeaturesPrepared, history.terms.data_parties
    )


def job_packing(history: History) -> SamplePacking | None:
    """How customers share ciphertexts, or None where each has its own."""
    terms = history.terms
    if residual_of(terms) is Residual.SMOOTHED:
        return None
    gradients = tuple(
        gradient_shape(terms, history.one(FeaturesPrepared, source=party).event)
        for party in terms.data_parties
    )
    rows = history.one(RowsAligned).event.training_rows
    shape = RoundShape(rows, _key_bits(history), job_slot_bits(history), gradients)
    return choose_packing(shape, terms.rows_per_ciphertext)


def vector_ciphertexts(history: History) -> int:
    """The length of an encrypted vector with one number a training row."""
    rows, packing = history.one(RowsAligned).event.training_rows, job_packing(history)
    return packing.ciphertexts(rows) if packing else rows


def entitlement(history: History, owner: str) -> Entitlement:
    """What the arbiter opens for this owner in a round: its sums, and nothing beside them (T7)."""
    features = history.one(FeaturesPrepared, source=owner).event
    sums, packing = gradient_values(history.terms, features.columns), job_packing(history)
    if packing:
        return Entitlement(sums, cut_bytes(packing))
    key_bits = _key_bits(history)
    return Entitlement(-(-sums // slots_of(key_bits, job_slot_bits(history))), -(-key_bits // 8))


def encryptor(history: History, own: Own) -> Encryptor:
    return Encryptor(public_key(history, own), expected_values=expected_values(history))


def expected_values(history: History) -> int:
    """How many encryptions a party will make of its rows, at most: what its table is made for."""
    terms = history.terms
    return vector_ciphertexts(history) * degree_of(terms) * terms.optimiser.maximum_rounds


def encrypt_rows(
    history: History, own: Own, values: Integers, generator: DeterministicGenerator
) -> list[mpz]:
    """Numbers of the training rows (or more than one of each, in a row), freshly encrypted."""
    plaintexts, packing = values.tolist(), job_packing(history)
    if packing:
        plaintexts = pack_rows(plaintexts, packing)
    return encryptor(history, own).encrypt(plaintexts, generator, own.threads)


def _key_bits(history: History) -> int:
    return int(history.one(PublicKeyIssued).event.modulus, 16).bit_length()


def gradient_shape(terms: Terms, features: FeaturesPrepared) -> GradientShape:
    """As far as a party tells: ordinal columns say nothing of bins, which are mostly fifths."""
    variables, columns = features.variables, features.columns
    sums = gradient_values(terms, columns)
    if terms.coding == "ordinal":
        return GradientShape(variables, FIFTHS, sums)
    return GradientShape.of(variables, columns, sums)

"""The arbiter's public key, as every member checks and uses it (requirement T3)."""

from gmpy2 import mpz

from events.preparation import PublicKeyIssued, RowsAligned
from events.terms import Terms
from handlers.errors import JobError, ProtocolError
from handlers.history import History
from handlers.own import Own
from learning.layout import largest_value
from learning.residuals import Residual, slot_bits
from paillier.ciphertexts import from_bytes
from paillier.errors import PaillierError, UnsafeKeyError
from paillier.keys import PublicKey


def public_key(history: History, own: Own) -> PublicKey:
    """The job's key. Raises JobError: shorter than agreed, or not a sound Paillier key."""
    issued = history.one(PublicKeyIssued).event
    minimum_bits = history.terms.key_bits

    def checked() -> PublicKey:
        key = PublicKey(n=int(issued.modulus, 16), hs=int(issued.obfuscator_base, 16))
        try:
            key.check(minimum_bits)
        except UnsafeKeyError as error:
            raise JobError("unsafe-key", f"{own.name} refuses the public key: {error}") from None
        if key.key_id != issued.key_id:
            raise JobError("unsafe-key", f"{own.name}: the key id is not that of the key's numbers")
        return key

    return own.remember(("public key", history.job), checked)


def residual_of(terms: Terms) -> Residual:
    """Which residual the terms mean (requirement T5; design, Training mathematics)."""
    if terms.kind == "linear":
        return Residual.LINEAR
    return Residual.TAYLOR if terms.profile == "patent" else Residual.SMOOTHED


def degree_of(terms: Terms) -> int:
    """The highest power of the participants' scores in the residual."""
    return 2 if residual_of(terms) is Residual.SMOOTHED else 1


def job_slot_bits(history: History) -> int:
    """The room of one column in a packed gradient; every member computes the same number."""
    rows = history.one(RowsAligned).event.training_rows
    terms = history.terms
    return slot_bits(residual_of(terms), len(terms.participants), rows, largest_value(terms.coding))


def read_ciphertexts(content: bytes, key: PublicKey, source: str, expected: int) -> list[mpz]:
    """Ciphertexts from another party, checked. Raises ProtocolError."""
    try:
        ciphertexts = from_bytes(content, key)
    except PaillierError as error:
        raise ProtocolError(f"{source} sent no ciphertexts of this job's key: {error}") from None
    if len(ciphertexts) != expected:
        raise ProtocolError(f"{source} sent {len(ciphertexts)} ciphertexts, not {expected}")
    return ciphertexts

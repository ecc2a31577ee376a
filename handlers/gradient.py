"""A data party's encrypted gradient: to the arbiter under masks, and back (requirements T6, T7)."""

import hashlib
from dataclasses import asdict

import numpy as np
import structlog
from gmpy2 import mpz
from numpy.typing import NDArray

from events.catalogue import Fact
from events.preparation import DataPrepared
from events.rounds import EncryptedGradientPosted, EncryptedResidualPosted, MaskedResultDecrypted
from handlers.coding import gradient_values
from handlers.drafts import Decision, blob, draft
from handlers.errors import ProtocolError
from handlers.history import History
from handlers.keys import job_slot_bits, public_key, read_ciphertexts
from handlers.own import Own
from handlers.packing import (
    encryptor,
    entitlement,
    expected_values,
    job_packing,
    vector_ciphertexts,
)
from handlers.prepared import own_prepared
from learning.residuals import mean_gradient
from paillier.ciphertexts import ciphertext_bytes, to_bytes
from paillier.errors import PaillierError
from paillier.feature_blocks import gradient_by_workers
from paillier.generator import DeterministicGenerator
from paillier.gradient import one_hot_gradient
from paillier.masking import apply_masks, draw_masks, remove_masks
from paillier.ordinal import ordinal_gradient
from paillier.packed_gradient import packed_gradient, packed_total
from paillier.packing import pack, slots_per_ciphertext, unpack
from paillier.planning import plan_gradient
from paillier.sample_packing import SamplePacking
from paillier.slot_cutting import apply_slot_masks, draw_slot_masks, sums_of_cuts

log = structlog.get_logger()


def post_gradient(history: History, fact: Fact[EncryptedResidualPosted], own: Own) -> Decision:
    """[[gX]] under a fresh mask, for the arbiter (T6)."""
    key, number, packing = public_key(history, own), fact.event.round, job_packing(history)
    expected = vector_ciphertexts(history)
    residuals = read_ciphertexts(own.read(fact.payload("residuals")), key, fact.source, expected)
    if number == 1:
        _log_plan(history, own, packing)
    outputs = _encrypted_gradient(history, own, residuals, packing)
    if packing is None:
        outputs = pack(outputs, job_slot_bits(history), key, own.threads)
    digest = hashlib.sha256(to_bytes(outputs, key)).digest()
    generator = own.generator(history.job, "gradient", number, key.key_id, digest)
    obfuscators = encryptor(history, own).obfuscators(len(outputs), generator, own.threads)
    mask_generator = _mask_generator(history, own, fact)
    if packing:
        masks = draw_slot_masks(len(outputs), key.bits, mask_generator)
        masked = apply_slot_masks(outputs, masks, obfuscators, packing, key)
    else:
        masks = draw_masks(len(outputs), key.n, mask_generator)
        masked = apply_masks(outputs, masks, obfuscators, key)
    event = EncryptedGradientPosted(round=number, ciphertexts=len(masked))
    payload = blob("gradient", to_bytes(masked, key), len(masked), ciphertext_bytes(key))
    return [draft(event, history.job, history.terms, payload)]


def own_gradient(
    history: History,
    own: Own,
    fact: Fact[MaskedResultDecrypted],
    residual: Fact[EncryptedResidualPosted],
) -> NDArray[np.float64]:
    """The mean gradient of the party's columns, float64[columns + 1]; the constant's is last."""
    prepared = own_prepared(history, own)
    try:
        sums = _sums(history, own, fact, residual)
    except PaillierError as error:
        raise ProtocolError(
            f"the result from {fact.source} is not what was sent: {error}"
        ) from None
    columns, told = sums[: prepared.columns], sums[prepared.columns :]
    totals = prepared.layout.totals(columns) | set(told)
    if len(totals) != 1:
        raise ProtocolError(f"the result from {fact.source} contradicts itself between variables")
    rows = prepared.training_codes.shape[1]
    return mean_gradient(columns, totals.pop(), residual.event.scale, rows)


def _encrypted_gradient(
    history: History, own: Own, residuals: list[mpz], packing: SamplePacking | None
) -> list[mpz]:
    """[[gX]] of every column; where some may be ordinal also the total, which they do not tell.

    Where customers share ciphertexts, each sum is in one slot of an output of its own.
    """
    prepared, key = own_prepared(history, own), public_key(history, own)
    codes, layout = prepared.training_codes, prepared.layout
    variables = (codes, layout.bins, layout.ordinal)
    if own.workers:
        sums = gradient_by_workers(residuals, *variables, packing, key, own.workers)
    elif packing:
        sums = packed_gradient(residuals, *variables, packing, key, own.threads)
    else:
        sums = one_hot_gradient(residuals, codes, layout.bins, key, own.threads)
    if history.terms.coding == "one-hot":
        return sums
    if packing:
        return [*sums, packed_total(residuals, codes.shape[1], packing, key)]
    return ordinal_gradient(sums, layout.bins, layout.ordinal, key)


def _log_plan(history: History, own: Own, packing: SamplePacking | None) -> None:
    """Once a job: how the cost model lets this machine compute."""
    key, bins = public_key(history, own), own_prepared(history, own).bins
    plan = plan_gradient(bins, vector_ciphertexts(history), expected_values(history), key)
    log.info(
        "gradient_planned",
        job=history.job,
        **asdict(plan),
        rows_per_ciphertext=packing.rows_per_ciphertext if packing else 1,
        sums_per_ciphertext=1 if packing else slots_per_ciphertext(key, job_slot_bits(history)),
        threads=own.threads,
    )


def _sums(
    history: History,
    own: Own,
    fact: Fact[MaskedResultDecrypted],
    residual: Fact[EncryptedResidualPosted],
) -> list[int]:
    """Exact, one a column and perhaps the total: what was returned, without its mask."""
    key, packing = public_key(history, own), job_packing(history)
    content, width = own.read(fact.payload("result")), entitlement(history, own.name).returned_bytes
    returned = [
        int.from_bytes(content[at : at + width], "big") for at in range(0, len(content), width)
    ]
    generator = _mask_generator(history, own, residual)
    if packing:
        return sums_of_cuts(returned, draw_slot_masks(len(returned), key.bits, generator), packing)
    packed = remove_masks(returned, draw_masks(len(returned), key.n, generator), key.n)
    values = gradient_values(history.terms, own_prepared(history, own).columns)
    return unpack(packed, job_slot_bits(history), values, key.n)


def _mask_generator(
    history: History, own: Own, residual: Fact[EncryptedResidualPosted]
) -> DeterministicGenerator:
    """Fresh for these residuals and these codes; drawn from again to take the masks away."""
    inputs = (
        residual.payload("residuals").commitment,
        history.one(DataPrepared).payload("codes").commitment,
    )
    key = public_key(history, own)
    return own.generator(history.job, "mask", residual.event.round, key.key_id, *inputs)

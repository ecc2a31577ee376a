"""One full-batch round of all parties, stage by stage, on real ciphertexts.

The participant encrypts its scores (default profile: and their squares), the local party adds its
own encrypted part, a data party computes the gradient of its columns and masks it, and the arbiter
decrypts. The gradient is compared with numpy, customer by customer in the clear, before any figure
is given. Customers share ciphertexts where the protocol's rule says so (patent profile).
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from gmpy2 import mpz
from numpy.typing import NDArray

from benchmarks.workload import Workload, check_gradient
from paillier import (
    DeterministicGenerator,
    Encryptor,
    PrivateKey,
    SamplePacking,
    apply_masks,
    apply_slot_masks,
    combine,
    cut_slots,
    draw_masks,
    draw_slot_masks,
    from_bytes,
    one_hot_gradient,
    ordinal_gradient,
    pack,
    pack_rows,
    packed_gradient,
    remove_masks,
    sums_of_cuts,
    to_bytes,
    unpack,
)
from paillier.comb import best_window, build_table
from paillier.encryption import TABLE_MEMORY_LIMIT
from paillier.kernels import KERNEL_VARIABLE
from paillier.packed_gradient import packed_total
from tallystick.estimate import Cost, groups_of
from tallystick.measuring import timed

LARGEST_SCORE = 1 << 24
LARGEST_MULTIPLIER = 1 << 12
ROUNDS = 12  # for how many rounds the encryption table is made

Result = TypeVar("Result")


@dataclass(frozen=True)
class RoundFigures:
    """Costs by stage; the `table` is made once a job and is no part of the round."""

    features: int
    features_run: int
    rows_per_ciphertext: int
    table: Cost
    stages: dict[str, Cost]
    ciphertexts_decrypted: int

    @property
    def total(self) -> Cost:
        return sum(self.stages.values(), Cost())


@dataclass(frozen=True)
class Residuals:
    """Encrypted residuals of all customers with what they hold, and what they cost so far."""

    ciphertexts: list[mpz]
    values: NDArray[np.object_]
    packing: SamplePacking | None
    encryptor: Encryptor
    table: Cost
    stages: dict[str, Cost]


@contextmanager
def kernel(name: str) -> Iterator[None]:
    """The arithmetic by one kernel meanwhile."""
    before = os.environ.get(KERNEL_VARIABLE)
    os.environ[KERNEL_VARIABLE] = name
    try:
        yield
    finally:
        if before is None:
            del os.environ[KERNEL_VARIABLE]
        else:
            os.environ[KERNEL_VARIABLE] = before


def _once(action: Callable[[], Result]) -> tuple[Result, Cost]:
    return timed(action, 1)


def encrypted_residuals(
    private_key: PrivateKey, work: Workload, packing: SamplePacking | None, threads: int
) -> Residuals:
    """Scores at the participant, then residuals at the local party, through bytes."""
    key, random = private_key.public, np.random.default_rng(0)
    generator = DeterministicGenerator(bytes(32))
    scores = random.integers(-LARGEST_SCORE, LARGEST_SCORE, (work.degree, work.rows))
    additions = random.integers(-LARGEST_SCORE, LARGEST_SCORE, work.rows)
    length = packing.ciphertexts(work.rows) if packing else work.rows
    multipliers = np.ones((1, length), dtype=np.int64)
    if work.degree > 1:
        multipliers = random.integers(-LARGEST_MULTIPLIER, LARGEST_MULTIPLIER, scores.shape)
    encryptor = Encryptor(key, expected_values=work.degree * length * ROUNDS)
    window = best_window(work.degree * length * ROUNDS, key, TABLE_MEMORY_LIMIT)
    _, table = _once(lambda: build_table(key, window, threads))
    encryptor.obfuscators(1, generator, threads)  # the encryptor has its own table now

    def encrypt(numbers: NDArray[np.int64]) -> list[mpz]:
        plaintexts = numbers.ravel().tolist()
        if packing:
            plaintexts = pack_rows(plaintexts, packing)
        return encryptor.encrypt(plaintexts, generator, threads)

    sent, scoring = _once(lambda: encrypt(scores))
    content, writing = _once(lambda: to_bytes(sent, key))
    received, reading = _once(lambda: from_bytes(content, key))
    own, adding = _once(lambda: encrypt(additions))
    vectors = [received[at : at + length] for at in range(0, len(received), length)]
    terms = list(zip(vectors, multipliers, strict=True))
    ciphertexts, combining = _once(lambda: combine(terms, own, key, threads))
    content, writing_residuals = _once(lambda: to_bytes(ciphertexts, key))
    _, reading_residuals = _once(lambda: from_bytes(content, key))
    stages = {
        "participant encrypts": scoring,
        "local party encrypts": adding,
        "local party combines": combining,
        "to and from bytes": writing + reading + writing_residuals + reading_residuals,
    }
    values = scores[0] if packing else (multipliers * scores).sum(axis=0)
    return Residuals(
        ciphertexts, (values + additions).astype(object), packing, encryptor, table, stages
    )


def whole_round(
    private_key: PrivateKey,
    work: Workload,
    residuals: Residuals,
    features: int,
    features_run: int,
    kernel_used: str,
    threads: int,
) -> RoundFigures:
    """The round with its gradient; `features_run` of the features run, the rest is scaled."""
    codes = np.random.default_rng(1).integers(
        0, work.bins, (features_run, work.rows), dtype=np.uint8
    )

    def gradient_of(count: int) -> tuple[list[mpz], Cost]:
        return _once(lambda: _gradient(private_key, work, residuals, codes[:count], threads))

    gradient, cost = gradient_of(features_run)
    if features > features_run:
        half = features_run // 2
        passes = [_passes(work, residuals, one, kernel_used) for one in (features_run, half)]
        slope = _difference(cost, gradient_of(half)[1]) * (1 / (passes[0] - passes[1]))
        cost = cost + slope * (_passes(work, residuals, features, kernel_used) - passes[0])
    sums, opening, decrypted = _opened(private_key, work, residuals, gradient, threads)
    check_gradient(sums, residuals.values, codes, work)
    scale = features / features_run
    packing = residuals.packing
    return RoundFigures(
        features,
        features_run,
        packing.rows_per_ciphertext if packing else 1,
        residuals.table,
        residuals.stages
        | {"gradient": cost}
        | {stage: one * scale for stage, one in opening.items()},
        round(decrypted * scale),
    )


def _gradient(
    private_key: PrivateKey,
    work: Workload,
    residuals: Residuals,
    codes: NDArray[np.uint8],
    threads: int,
) -> list[mpz]:
    """As handlers.gradient computes it."""
    key, packing, bins = private_key.public, residuals.packing, [work.bins] * len(codes)
    ordinal = [work.coding == "ordinal"] * len(codes)
    if packing:
        outputs = packed_gradient(
            residuals.ciphertexts, codes, bins, ordinal, packing, key, threads
        )
        if work.coding == "one-hot":
            return outputs
        return [*outputs, packed_total(residuals.ciphertexts, work.rows, packing, key)]
    of_bins = one_hot_gradient(residuals.ciphertexts, codes, bins, key, threads)
    return of_bins if work.coding == "one-hot" else ordinal_gradient(of_bins, bins, ordinal, key)


def _opened(
    private_key: PrivateKey,
    work: Workload,
    residuals: Residuals,
    gradient: list[mpz],
    threads: int,
) -> tuple[list[int], dict[str, Cost], int]:
    """The sums in the clear, what masks and decryption cost, and how many were decrypted."""
    key, packing, encryptor = private_key.public, residuals.packing, residuals.encryptor
    generator = DeterministicGenerator(bytes(range(32)))

    def mask() -> tuple[list[mpz], list[int]]:
        outputs = gradient if packing else pack(gradient, work.sum_bits, key, threads)
        obfuscators = encryptor.obfuscators(len(outputs), generator, threads)
        if packing:
            masks = draw_slot_masks(len(outputs), key.bits, generator)
            return apply_slot_masks(outputs, masks, obfuscators, packing, key), masks
        masks = draw_masks(len(outputs), key.n, generator)
        return apply_masks(outputs, masks, obfuscators, key), masks

    (masked, masks), masking = _once(mask)
    plaintexts, decryption = _once(lambda: private_key.decrypt_all(masked, threads))
    if packing:
        sums = sums_of_cuts(cut_slots(plaintexts, packing), masks, packing)
    else:
        packed = remove_masks(plaintexts, masks, key.n)
        sums = unpack(packed, work.sum_bits, len(gradient), key.n)
    stages = {"pack and mask": masking, "arbiter decrypts": decryption}
    return sums, stages, len(masked)


def _difference(more: Cost, less: Cost) -> Cost:
    return Cost(more.cpu - less.cpu, more.wall - less.wall)


def _passes(work: Workload, residuals: Residuals, features: int, kernel_used: str) -> int:
    """How often the ciphertexts are gone through."""
    slots = residuals.packing.rows_per_ciphertext if residuals.packing else 1
    groups = groups_of(len(residuals.ciphertexts), [work.bins] * features, kernel_used)
    return slots * len(groups)

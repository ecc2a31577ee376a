"""One full-batch round of all parties, stage by stage, on real ciphertexts.

The participant encrypts its scores (default profile: and their squares), the local party adds its
own encrypted part, a data party computes the gradient of its one-hot columns, packs and masks it,
and the arbiter decrypts. The gradient is compared with numpy, customer by customer in the clear,
before any figure is given. The gradient of a numeric column of bin codes is the sum of code times
one-hot sum, in the clear after decryption: the same run answers for both.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from gmpy2 import mpz
from numpy.typing import NDArray

from learning.residuals import Residual, slot_bits
from paillier import (
    DeterministicGenerator,
    Encryptor,
    PrivateKey,
    apply_masks,
    combine,
    draw_masks,
    from_bytes,
    one_hot_gradient,
    pack,
    remove_masks,
    to_bytes,
    unpack,
)
from paillier.comb import best_window, build_table
from paillier.encryption import TABLE_MEMORY_LIMIT
from paillier.kernels import KERNEL_VARIABLE
from tallystick.estimate import Cost, groups_of
from tallystick.measuring import timed

LARGEST_SCORE = 1 << 24
LARGEST_MULTIPLIER = 1 << 12
ROUNDS = 12  # for how many rounds the encryption table is made

Result = TypeVar("Result")


class BenchmarkError(Exception):
    """A result is not what numpy says: there is nothing to time."""


@dataclass(frozen=True)
class Workload:
    """What a round is about, besides the number of features."""

    rows: int
    bins: int
    residual: Residual

    @property
    def degree(self) -> int:
        return 2 if self.residual is Residual.SMOOTHED else 1


@dataclass(frozen=True)
class RoundFigures:
    """Costs by stage; the `table` is made once a job and is no part of the round."""

    features: int
    features_run: int
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


def encrypted_residuals(private_key: PrivateKey, work: Workload, threads: int) -> Residuals:
    """Scores at the participant, then residuals at the local party, through bytes."""
    key, random = private_key.public, np.random.default_rng(0)
    generator = DeterministicGenerator(bytes(32))
    scores = random.integers(-LARGEST_SCORE, LARGEST_SCORE, (work.degree, work.rows))
    additions = random.integers(-LARGEST_SCORE, LARGEST_SCORE, work.rows)
    multipliers = np.ones((1, work.rows), dtype=np.int64)
    if work.degree > 1:
        multipliers = random.integers(-LARGEST_MULTIPLIER, LARGEST_MULTIPLIER, scores.shape)
    encryptor = Encryptor(key, expected_values=work.degree * work.rows * ROUNDS)
    window = best_window(work.degree * work.rows * ROUNDS, key, TABLE_MEMORY_LIMIT)
    _, table = _once(lambda: build_table(key, window, threads))
    encryptor.obfuscators(1, generator, threads)  # the encryptor has its own table now
    sent, scoring = _once(lambda: encryptor.encrypt(scores.ravel().tolist(), generator, threads))
    content, writing = _once(lambda: to_bytes(sent, key))
    received, reading = _once(lambda: from_bytes(content, key))
    own, adding = _once(lambda: encryptor.encrypt(additions.tolist(), generator, threads))
    vectors = [received[at : at + work.rows] for at in range(0, len(received), work.rows)]
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
    values = (multipliers * scores).sum(axis=0) + additions
    return Residuals(ciphertexts, values.astype(object), table, stages)


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
    key = private_key.public
    bins = [work.bins] * features_run
    codes = np.random.default_rng(1).integers(
        0, work.bins, (features_run, work.rows), dtype=np.uint8
    )
    generator = DeterministicGenerator(bytes(range(32)))

    def gradient_of(count: int) -> tuple[list[mpz], Cost]:
        return _once(
            lambda: one_hot_gradient(
                residuals.ciphertexts, codes[:count], bins[:count], key, threads
            )
        )

    gradient, cost = gradient_of(features_run)
    if features > features_run:
        half = features_run // 2
        slope = _difference(cost, gradient_of(half)[1]) * (
            1 / (_groups(work, features_run, kernel_used) - _groups(work, half, kernel_used))
        )
        more = _groups(work, features, kernel_used) - _groups(work, features_run, kernel_used)
        cost = cost + slope * more
    slot = slot_bits(work.residual, 1, work.rows)
    scale = features / features_run
    packed, packing = _once(lambda: pack(gradient, slot, key, threads))
    encryptor = Encryptor(key, expected_values=work.degree * work.rows * ROUNDS)
    masks = draw_masks(len(packed), key.n, generator)
    masked, masking = _once(
        lambda: apply_masks(
            packed, masks, encryptor.obfuscators(len(packed), generator, threads), key
        )
    )
    plaintexts, decryption = _once(lambda: private_key.decrypt_all(masked, threads))
    sums = unpack(remove_masks(plaintexts, masks, key.n), slot, len(gradient), key.n)
    check_gradient(sums, residuals.values, codes, work.bins)
    return RoundFigures(
        features,
        features_run,
        residuals.table,
        residuals.stages
        | {
            "gradient": cost,
            "pack and mask": (packing + masking) * scale,
            "arbiter decrypts": decryption * scale,
        },
        round(len(masked) * scale),
    )


def check_gradient(
    sums: list[int], residuals: NDArray[np.object_], codes: NDArray[np.uint8], bins: int
) -> None:
    """Both the one-hot columns and, through them, the numeric columns are what numpy says."""
    values = residuals.astype(np.int64)
    one_hot = np.array(sums, dtype=object).reshape(len(codes), bins)
    for row, found in zip(codes, one_hot, strict=True):
        expected = [int(values[row == one].sum()) for one in range(bins)]
        numeric = int(values @ row.astype(np.int64))
        if list(found) != expected or int(found @ np.arange(bins)) != numeric:
            raise BenchmarkError("an encrypted gradient is not what numpy says")


def _difference(more: Cost, less: Cost) -> Cost:
    return Cost(more.cpu - less.cpu, more.wall - less.wall)


def _groups(work: Workload, features: int, kernel_used: str) -> int:
    return len(groups_of(work.rows, [work.bins] * features, kernel_used))

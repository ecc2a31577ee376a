"""What this machine needs for each step of a round, measured on small samples.

A short look takes less than a second and comes before a job; a thorough one has larger samples
and repeats them. What is timed is also decrypted and compared with the integers that went in, so
a figure never stands for a wrong result.
"""

import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import numpy as np
import pyrage
from gmpy2 import mpz

from paillier import (
    PrivateKey,
    combine,
    from_bytes,
    generate_key_pair,
    kernel_name,
    multiply,
    one_hot_gradient,
    pack,
    signed,
    to_bytes,
    unpack,
)
from paillier.comb import build_table, raise_and_add
from paillier.half_size import split
from paillier.kernels import compiled_kernel
from paillier.workers import blocks, in_parallel
from party.sealing import HashingReader, seal, unseal
from store.payloads import SALT_BYTES, PayloadStore
from tallystick.errors import MeasurementError
from tallystick.estimate import Cost, Machine, UnitCosts, bucket_products, table_products
from tallystick.messages import message_cost

SLOT_BITS = 64
LARGEST_NUMBER = 1 << 24
LARGEST_MULTIPLIER = 1 << 12  # as in the default profile
BINS = (5,) * 24
RESIDUAL_REPEATS = 8  # enough rows for every thread to have a block
ENOUGH_SECONDS = 0.03  # a repeat
PRODUCTION_KEY_BITS = 2048

Result = TypeVar("Result")


@dataclass(frozen=True)
class Look:
    """How closely to look: sizes of the samples, and how often each is timed."""

    values: int
    window: int
    bucket_rows: int
    decryptions: int
    payload_bytes: int
    messages: int
    repeats: int


SHORT = Look(
    values=128,
    window=6,
    bucket_rows=1_024,
    decryptions=8,
    payload_bytes=1 << 20,
    messages=4,
    repeats=3,
)
THOROUGH = Look(
    values=512,
    window=9,
    bucket_rows=8_192,
    decryptions=64,
    payload_bytes=16 << 20,
    messages=20,
    repeats=5,
)


@dataclass(frozen=True)
class _Sample:
    """A key and numbers on which the steps are timed."""

    private_key: PrivateKey
    numbers: list[int]
    cores: int
    look: Look

    def timed(self, action: Callable[[], Result]) -> tuple[Result, Cost]:
        return timed(action, self.look.repeats)

    def check(self, ciphertexts: Sequence[mpz], expected: Sequence[int]) -> None:
        """One decryption for all: of the sum of the numbers, the i-th taken i times."""
        key, last_ones, total = self.private_key.public, mpz(1), mpz(1)
        for ciphertext in reversed(ciphertexts):
            last_ones = last_ones * ciphertext % key.n_squared
            total = total * last_ones % key.n_squared
        weighted = sum(i * number for i, number in enumerate(expected, start=1))
        _check([signed(self.private_key.decrypt(total), key.n)], [weighted])


def _check(found: Sequence[int], expected: Sequence[int]) -> None:
    if list(found) != list(expected):
        raise MeasurementError(f"the kernel {kernel_name()} computed a wrong result")


def timed(action: Callable[[], Result], repeats: int) -> tuple[Result, Cost]:
    """The result and its least cost of some repeats: what disturbs a measurement only adds to it.

    What takes long is repeated less: disturbances are a smaller part of it.
    """
    costs: list[Cost] = []
    while len(costs) < repeats and sum(cost.wall for cost in costs) <= ENOUGH_SECONDS * repeats:
        cpu, wall = time.process_time(), time.perf_counter()
        result = action()
        costs.append(Cost(time.process_time() - cpu, time.perf_counter() - wall))
    return result, Cost(min(cost.cpu for cost in costs), min(cost.wall for cost in costs))


def measure_machine(key_bits: int, degree: int, cores: int, look: Look = SHORT) -> Machine:
    """The unit costs of this machine under a fresh key; `degree` as of the job's residual.

    Raises MeasurementError where a kernel computes wrongly, KernelError, UnsafeKeyError.
    """
    private_key = generate_key_pair(key_bits, minimum_bits=min(key_bits, PRODUCTION_KEY_BITS))
    random = np.random.default_rng(0)
    numbers = random.integers(-LARGEST_NUMBER, LARGEST_NUMBER, look.values).tolist()
    sample = _Sample(private_key, numbers, cores, look)
    ciphertexts, table_entry, table_product = _encryption(sample)
    entering = _entering(sample, ciphertexts)
    writing, reading = _bytes(sample, ciphertexts)
    sending, receiving = payload_costs(look.payload_bytes, look.repeats)
    costs = UnitCosts(
        table_entry=table_entry,
        table_product=table_product,
        entering=entering,
        bucket_product=_bucket_product(sample, ciphertexts, entering),
        residual=_residual(sample, ciphertexts, degree),
        vector_product=_vector_product(sample, ciphertexts),
        packing_square=_packing_square(sample, ciphertexts),
        decryption=_decryption(sample, ciphertexts),
        writing=writing,
        reading=reading,
        sending=sending,
        receiving=receiving,
        message=message_cost(look.messages),
    )
    return Machine(kernel_name(), cores, private_key.public, costs)


def _encryption(sample: _Sample) -> tuple[list[mpz], Cost, Cost]:
    """The ciphertexts of the numbers, one entry of the table, one product with an entry."""
    key, window, count = sample.private_key.public, sample.look.window, len(sample.numbers)
    compiled_kernel(key.modulus)  # compiled once a process: not part of any step
    table, building = timed(lambda: build_table(key, window, sample.cores), 1)
    exponents = secrets.token_bytes((key.randomness_bits + 7) // 8 * count)
    ciphertexts, encryption = sample.timed(
        lambda: raise_and_add(table, exponents, sample.numbers, sample.cores)
    )
    sample.check(ciphertexts, sample.numbers)
    rows = int(table_products(window, key))
    return ciphertexts, building * (1 / (rows << window)), encryption * (1 / (rows * count))


def _entering(sample: _Sample, ciphertexts: list[mpz]) -> Cost:
    key, cores = sample.private_key.public, sample.cores
    kernel = compiled_kernel(key.modulus)
    if kernel is None:
        cost = sample.timed(lambda: split(ciphertexts, key, cores))[1]
    else:
        slices = blocks(len(ciphertexts), len(ciphertexts), cores)
        cost = sample.timed(
            lambda: in_parallel(lambda block: kernel.enter(ciphertexts[block]), slices, cores)
        )[1]
    return cost * (1 / len(ciphertexts))


def _bucket_product(sample: _Sample, ciphertexts: list[mpz], entering: Cost) -> Cost:
    """From a gradient of many variables over the ciphertexts again and again."""
    key, repeats = sample.private_key.public, sample.look.bucket_rows // len(ciphertexts)
    rows = repeats * len(ciphertexts)
    codes = np.random.default_rng(1).integers(0, BINS[0], (len(BINS), rows), dtype=np.uint8)
    gradient, cost = sample.timed(
        lambda: one_hot_gradient(ciphertexts * repeats, codes, BINS, key, sample.cores)
    )
    numbers = np.tile(sample.numbers, repeats)
    expected = [int(numbers[codes[0] == one].sum()) for one in range(BINS[0])]
    sample.check(gradient[: BINS[0]], expected)
    products = bucket_products(rows, BINS, kernel_name())
    return _at_least_half_of(cost, cost + entering * -rows) * (1 / products)


def _at_least_half_of(whole: Cost, part: Cost) -> Cost:
    """A difference of two measurements, should noise have made too little of it."""
    return Cost(max(part.cpu, whole.cpu / 2), max(part.wall, whole.wall / 2))


def _residual(sample: _Sample, ciphertexts: list[mpz], degree: int) -> Cost:
    key, rows = sample.private_key.public, ciphertexts * RESIDUAL_REPEATS
    count, numbers = len(rows), sample.numbers * RESIDUAL_REPEATS
    random = np.random.default_rng(2)
    signed_multipliers = random.integers(-LARGEST_MULTIPLIER, LARGEST_MULTIPLIER, (degree, count))
    multipliers = signed_multipliers if degree > 1 else np.ones((1, count), dtype=np.int64)
    terms = [(rows, of_term) for of_term in multipliers]
    residuals, cost = sample.timed(lambda: combine(terms, rows, key, sample.cores))
    sample.check(residuals, ((multipliers.sum(axis=0) + 1) * numbers).tolist())
    return cost * (1 / count)


def _vector_product(sample: _Sample, ciphertexts: list[mpz]) -> Cost:
    key, rows = sample.private_key.public, ciphertexts * RESIDUAL_REPEATS
    sums, cost = sample.timed(lambda: multiply([rows] * 2, key, sample.cores))
    sample.check(sums, [2 * number for number in sample.numbers] * RESIDUAL_REPEATS)
    return cost * (1 / len(rows))


def _packing_square(sample: _Sample, ciphertexts: list[mpz]) -> Cost:
    key = sample.private_key.public
    packed, cost = sample.timed(lambda: pack(ciphertexts, SLOT_BITS, key, sample.cores))
    plaintexts = sample.private_key.decrypt_all(packed, sample.cores)
    _check(unpack(plaintexts, SLOT_BITS, len(ciphertexts), key.n), sample.numbers)
    return cost * (1 / (len(ciphertexts) * SLOT_BITS))


def _decryption(sample: _Sample, ciphertexts: list[mpz]) -> Cost:
    some = ciphertexts[: sample.look.decryptions]
    cost = sample.timed(lambda: sample.private_key.decrypt_all(some, sample.cores))[1]
    return cost * (1 / len(some))


def _bytes(sample: _Sample, ciphertexts: list[mpz]) -> tuple[Cost, Cost]:
    key = sample.private_key.public
    content, writing = sample.timed(lambda: to_bytes(ciphertexts, key))
    _, reading = sample.timed(lambda: from_bytes(content, key))
    return writing * (1 / len(ciphertexts)), reading * (1 / len(ciphertexts))


def payload_costs(size: int, repeats: int) -> tuple[Cost, Cost]:
    """A byte stored and sealed at the sender, and a byte unsealed and stored at the reader."""
    identity = pyrage.x25519.Identity.generate()
    with TemporaryDirectory() as name:
        folder = Path(name)
        sender, reader = PayloadStore(folder / "sender"), PayloadStore(folder / "reader")

        def send() -> tuple[Path, str]:
            stored = sender.put(secrets.token_bytes(SALT_BYTES), [bytes(size)])
            salted = sender.salted_file(stored.commitment)
            recipients = [str(identity.to_public())]
            return seal(salted, folder / "sealed", recipients).path, stored.commitment

        (sealed, commitment), sending = timed(send, repeats)

        def receive() -> bytes:
            opened = folder / "opened"
            unseal(HashingReader([sealed]), opened, [identity])
            reader.adopt(opened, commitment)
            return reader.read(commitment)

        content, receiving = timed(receive, repeats)
        if content != bytes(size):
            raise MeasurementError("a sealed payload came out other than it went in")
    return sending * (1 / size), receiving * (1 / size)

"""T6 with several rows a ciphertext: every output's wanted slot against sums in the clear."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from phe.paillier import EncryptedNumber

from paillier import (
    DeterministicGenerator,
    Encryptor,
    PrivateKey,
    PublicKey,
    SamplePacking,
    ShapeError,
    apply_slot_masks,
    cut_slots,
    draw_slot_masks,
    most_rows_per_ciphertext,
    pack_rows,
    packed_gradient,
    private_to_phe,
    sample_packing,
    signed,
    sums_of_cuts,
)
from paillier.kernels import KERNEL_VARIABLE
from tests.paillier.conftest import AVAILABLE_KERNELS

SECRET = b"a secret only the tests know"
Codes = NDArray[np.uint8]


def in_the_clear(
    values: list[int], codes: Codes, bins: list[int], ordinal: list[bool]
) -> list[int]:
    sums: list[int] = []
    for of_rows, count, is_ordinal in zip(codes.tolist(), bins, ordinal, strict=True):
        rows = list(zip(values, of_rows, strict=True))
        if is_ordinal:
            sums.append(sum(value * code for value, code in rows))
        else:
            sums += [sum(value for value, code in rows if code == b) for b in range(count)]
    return sums


def outputs_of(
    key: PublicKey,
    values: list[int],
    codes: Codes,
    bins: list[int],
    ordinal: list[bool],
    packing: SamplePacking,
    threads: int = 1,
) -> list[int]:
    packed = pack_rows(values, packing)
    ciphertexts = Encryptor(key).encrypt(packed, DeterministicGenerator(SECRET))
    return packed_gradient(ciphertexts, codes, bins, ordinal, packing, key, threads)


def through_the_arbiter(key: PrivateKey, outputs: list[int], packing: SamplePacking) -> list[int]:
    generator = DeterministicGenerator(SECRET).derive("masks")
    masks = draw_slot_masks(len(outputs), key.public.bits, generator)
    obfuscators = Encryptor(key.public).obfuscators(len(outputs), generator)
    masked = apply_slot_masks(outputs, masks, obfuscators, packing, key.public)
    return sums_of_cuts(cut_slots(key.decrypt_all(masked), packing), masks, packing)


@pytest.mark.usefixtures("kernel")
@settings(max_examples=40)
@given(data=st.data())
def test_the_sum_over_each_bin_comes_back(private_key: PrivateKey, data: st.DataObject) -> None:
    # given values at the limits, negative ones, rows that fill their last ciphertext or do not
    rows = data.draw(st.integers(1, 25))
    bins = data.draw(st.lists(st.integers(1, 7), min_size=1, max_size=5))
    ordinal = data.draw(st.lists(st.booleans(), min_size=len(bins), max_size=len(bins)))
    value_bits = data.draw(st.integers(1, 40))
    limit = 2**value_bits
    value = st.sampled_from([-limit, 0, limit]) | st.integers(-limit, limit)
    values = data.draw(st.lists(value, min_size=rows, max_size=rows))
    codes = np.array(
        [data.draw(st.lists(st.integers(0, c - 1), min_size=rows, max_size=rows)) for c in bins],
        dtype=np.uint8,
    )
    # when they are packed with slots for the largest sum there can be
    sum_bits = (limit * rows * max(bins)).bit_length() + 1
    most = most_rows_per_ciphertext(sum_bits, private_key.public.bits)
    packing = sample_packing(data.draw(st.integers(1, most)), sum_bits, private_key.public.bits)
    outputs = outputs_of(private_key.public, values, codes, bins, ordinal, packing)
    # then
    expected = in_the_clear(values, codes, bins, ordinal)
    assert through_the_arbiter(private_key, outputs, packing) == expected


@pytest.mark.parametrize("rows_per_ciphertext", [1, 2, 5])
@pytest.mark.parametrize(
    ("rows", "bins"),
    [(403, [5] * 6), (300, [2, 3, 30, 2, 7]), (300, [255, 2, 1]), (3, [3, 1]), (1, [1])],
)
def test_every_kernel_and_any_threads_give_the_same_integers(
    private_key: PrivateKey,
    monkeypatch: pytest.MonkeyPatch,
    rows: int,
    bins: list[int],
    rows_per_ciphertext: int,
) -> None:
    random = np.random.default_rng(rows)
    codes = np.array([random.integers(0, count, rows) for count in bins], dtype=np.uint8)
    values = random.integers(-(2**20), 2**20, rows).tolist()
    ordinal = [place % 2 == 0 for place in range(len(bins))]
    packing = sample_packing(rows_per_ciphertext, 42, private_key.public.bits)
    found = []
    for name in AVAILABLE_KERNELS:
        monkeypatch.setenv(KERNEL_VARIABLE, name)
        found += [
            outputs_of(private_key.public, values, codes, bins, ordinal, packing, threads)
            for threads in (1, 2, 3)
        ]
    assert all(outputs == found[0] for outputs in found)
    expected = in_the_clear(values, codes, bins, ordinal)
    assert through_the_arbiter(private_key, found[0], packing) == expected


@pytest.mark.usefixtures("kernel")
def test_phe_computes_the_same_from_our_packed_ciphertexts(
    private_key: PrivateKey, generator: DeterministicGenerator
) -> None:
    """Given phe's own sums and products, slot by slot, then they decrypt to our output."""
    theirs = private_to_phe(private_key)
    packing = sample_packing(3, 40, private_key.public.bits)
    values, codes = [5, -7, 2**20, 11, -(2**20), 1, 3], np.array([[2, 0, 1, 2, 1, 2, 0]], np.uint8)
    ciphertexts = Encryptor(private_key.public).encrypt(pack_rows(values, packing), generator)
    (ours,) = packed_gradient(ciphertexts, codes, [3], [True], packing, private_key.public)
    numbers = [EncryptedNumber(theirs.public_key, int(one)) for one in ciphertexts]
    joined = theirs.public_key.encrypt(0)
    for slot in range(3):
        joined *= 2**packing.slot_bits
        for number, code in zip(numbers, codes[0, slot::3].tolist(), strict=False):
            joined += number * code
    assert theirs.decrypt(joined) == signed(private_key.decrypt(ours), private_key.public.n)
    assert theirs.decrypt(EncryptedNumber(theirs.public_key, int(ours))) == theirs.decrypt(joined)


@pytest.mark.usefixtures("kernel")
def test_a_key_of_production_length_takes_many_rows(
    long_private_key: PrivateKey,
) -> None:
    random = np.random.default_rng(5)
    codes = random.integers(0, 5, (3, 60), dtype=np.uint8)
    values = random.integers(-(2**33), 2**33, 60).tolist()
    packing = sample_packing(17, 51, long_private_key.public.bits)
    outputs = outputs_of(long_private_key.public, values, codes, [5] * 3, [False] * 3, packing)
    expected = in_the_clear(values, codes, [5] * 3, [False] * 3)
    assert through_the_arbiter(long_private_key, outputs, packing) == expected


@pytest.mark.usefixtures("kernel")
def test_an_output_that_is_not_cut_holds_more_than_its_owner_may_know(
    private_key: PrivateKey,
) -> None:
    """The attack: beside each bin's sum stand 2 k - 2 sums over other rows."""
    random = np.random.default_rng(3)
    rows, k = 12, 3
    values = random.integers(-(2**20), 2**20, rows).tolist()
    codes = random.integers(0, 2, (1, rows), dtype=np.uint8)
    packing = sample_packing(k, 30, private_key.public.bits)
    outputs = outputs_of(private_key.public, values, codes, [2], [False], packing)
    for place, ciphertext in enumerate(outputs):
        plaintext = signed(private_key.decrypt(ciphertext), private_key.public.n)
        for slot in range(packing.slots):
            shift = slot - (k - 1)
            shifted = sum(
                values[row + shift]
                for row in range(rows)
                if codes[0, row] == place and row // k == (row + shift) // k
            )
            half = 1 << (packing.slot_bits - 1)
            digit = (plaintext + half) % (2 * half) - half
            assert digit == shifted
            plaintext = (plaintext - digit) >> packing.slot_bits


def test_vectors_that_do_not_fit_are_refused(
    public_key: PublicKey, generator: DeterministicGenerator
) -> None:
    packing = sample_packing(2, 30, public_key.bits)
    ciphertexts = Encryptor(public_key).encrypt([1, 2, 3], generator)
    with pytest.raises(ShapeError, match="4 rows, 2 a ciphertext, are 2 ciphertexts, not 3"):
        packed_gradient(
            ciphertexts, np.zeros((1, 4), dtype=np.uint8), [1], [False], packing, public_key
        )
    with pytest.raises(ShapeError, match="code 2 but only 2 bins"):
        packed_gradient(
            ciphertexts, np.full((1, 6), 2, dtype=np.uint8), [2], [False], packing, public_key
        )

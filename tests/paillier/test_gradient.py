"""T6: the encrypted gradient of one-hot columns against sums in the clear."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from paillier import (
    CiphertextError,
    DeterministicGenerator,
    Encryptor,
    PrivateKey,
    PublicKey,
    ShapeError,
    one_hot_gradient,
    signed,
)
from paillier.joint_buckets import group_variables
from paillier.kernels import GMPY2, KERNEL_VARIABLE

pytestmark = pytest.mark.usefixtures("kernel")

SECRET = b"a secret only the tests know"
GRID = 2**40


def sums_in_the_clear(values: list[int], codes: NDArray[np.uint8], bins: list[int]) -> list[int]:
    return [
        sum(
            value for value, code in zip(values, codes[variable].tolist(), strict=True) if code == b
        )
        for variable, count in enumerate(bins)
        for b in range(count)
    ]


def check(key: PrivateKey, values: list[int], codes: NDArray[np.uint8], bins: list[int]) -> None:
    ciphertexts = Encryptor(key.public).encrypt(values, DeterministicGenerator(SECRET))
    gradient = one_hot_gradient(ciphertexts, codes, bins, key.public)
    decrypted = [signed(plaintext, key.public.n) for plaintext in key.decrypt_all(gradient)]
    assert decrypted == sums_in_the_clear(values, codes, bins)
    assert one_hot_gradient(ciphertexts, codes, bins, key.public, threads=2) == gradient


@settings(max_examples=40)
@given(data=st.data())
def test_the_gradient_is_the_sum_over_each_bin(
    private_key: PrivateKey, data: st.DataObject
) -> None:
    rows = data.draw(st.integers(min_value=1, max_value=25))
    bins = data.draw(st.lists(st.integers(min_value=1, max_value=9), min_size=1, max_size=7))
    values = data.draw(st.lists(st.integers(-GRID, GRID), min_size=rows, max_size=rows))
    codes = np.array(
        [
            data.draw(st.lists(st.integers(0, count - 1), min_size=rows, max_size=rows))
            for count in bins
        ],
        dtype=np.uint8,
    )
    check(private_key, values, codes, bins)


@pytest.mark.parametrize(
    ("rows", "bins"),
    [
        (400, [5] * 4),
        (400, [2, 3, 5, 7, 30, 2, 2, 30, 4]),
        (300, [255, 2]),
        (300, [5] * 22),  # many passes: the residues are split first
        (1, [1]),
        (1, [3, 2]),
        (50, [1, 1, 4]),
    ],
)
def test_many_shapes(private_key: PrivateKey, rows: int, bins: list[int]) -> None:
    random = np.random.default_rng(rows)
    codes = np.array([random.integers(0, count, rows) for count in bins], dtype=np.uint8)
    values = random.integers(-GRID, GRID, rows).tolist()
    check(private_key, values, codes, bins)


def test_an_empty_bin_is_the_trivial_encryption_of_zero(
    private_key: PrivateKey, generator: DeterministicGenerator
) -> None:
    # given a variable of four bins, two of them without rows
    ciphertexts = Encryptor(private_key.public).encrypt([10, 20, 30], generator)
    codes = np.array([[1, 3, 1]], dtype=np.uint8)
    gradient = one_hot_gradient(ciphertexts, codes, [4], private_key.public)
    assert (gradient[0], gradient[2]) == (1, 1)
    assert private_key.decrypt_all(gradient) == [0, 40, 0, 20]


@given(
    st.lists(st.integers(min_value=1, max_value=40), min_size=1, max_size=30),
    st.integers(min_value=1, max_value=100_000),
)
def test_every_variable_is_in_exactly_one_group(bins: list[int], rows: int) -> None:
    groups = group_variables(bins, rows)
    assert sorted(itertools.chain.from_iterable(groups)) == list(range(len(bins)))


def test_groups_grow_with_the_rows() -> None:
    assert [len(group) for group in group_variables([5] * 10, 66_000)] == [5, 5]
    assert [len(group) for group in group_variables([2] * 24, 66_000)] == [12, 12]
    assert all(len(group) <= 2 for group in group_variables([5] * 10, 50))
    assert group_variables([255, 255], 1000) == [[0], [1]]


@pytest.mark.parametrize(
    ("codes", "bins", "problem"),
    [
        (np.zeros((1, 2), dtype=np.uint8), [2], "1 variables, 3 ciphertexts"),
        (np.zeros((2, 3), dtype=np.uint8), [2], r"shape \(2, 3\)"),
        (np.zeros((1, 3), dtype=np.int64), [2], "int64"),
        (np.zeros(3, dtype=np.uint8), [2], "1 axes"),
        (np.zeros((0, 3), dtype=np.uint8), [], "0 variables"),
        (np.array([[0, 1, 2]], dtype=np.uint8), [2], "code 2 but only 2 bins"),
    ],
)
def test_vectors_that_do_not_fit_are_refused(
    public_key: PublicKey,
    generator: DeterministicGenerator,
    codes: NDArray[np.uint8],
    bins: list[int],
    problem: str,
) -> None:
    ciphertexts = Encryptor(public_key).encrypt([1, 2, 3], generator)
    with pytest.raises(ShapeError, match=problem):
        one_hot_gradient(ciphertexts, codes, bins, public_key)


def test_a_gradient_over_no_rows_is_refused(public_key: PublicKey) -> None:
    with pytest.raises(ShapeError, match="0 ciphertexts"):
        one_hot_gradient([], np.zeros((1, 0), dtype=np.uint8), [2], public_key)


def test_numbers_that_no_encryption_gives_are_found_when_split(
    private_key: PrivateKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KERNEL_VARIABLE, GMPY2)
    codes = np.zeros((5, 1), dtype=np.uint8)
    with pytest.raises(CiphertextError, match="shares a factor"):
        one_hot_gradient([private_key.p], codes, [200] * 5, private_key.public)

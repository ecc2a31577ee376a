"""T5: the encrypted residual of every customer."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paillier import (
    DeterministicGenerator,
    Encryptor,
    PrivateKey,
    PublicKey,
    ShapeError,
    combine,
    signed,
)

SECRET = b"a secret only the tests know"
scores = st.integers(min_value=-(2**40), max_value=2**40)
rows = st.tuples(scores, scores, st.integers(min_value=-(2**20), max_value=2**20), scores)


@settings(max_examples=25)
@given(table=st.lists(rows, min_size=1, max_size=12))
def test_multiplier_times_sum_plus_addition(
    private_key: PrivateKey, table: list[tuple[int, int, int, int]]
) -> None:
    # given two participants' scores, a multiplier a row and the local party's own share
    key, generator = private_key.public, DeterministicGenerator(SECRET)
    first, second, multipliers, shares = (list(column) for column in zip(*table, strict=True))
    encryptor = Encryptor(key)
    parts = [encryptor.encrypt(first, generator), encryptor.encrypt(second, generator)]
    additions = encryptor.encrypt(shares, generator)
    # when
    residuals = combine(parts, np.array(multipliers), additions, key)
    # then
    assert [signed(plaintext, key.n) for plaintext in private_key.decrypt_all(residuals)] == [
        m * (u + v) + a for u, v, m, a in table
    ]


@pytest.mark.parametrize("multiplier", [1, 0, -1, 4])
def test_one_multiplier_for_all_rows(
    private_key: PrivateKey, generator: DeterministicGenerator, multiplier: int
) -> None:
    key = private_key.public
    parts = [Encryptor(key).encrypt([5, -6], generator)]
    additions = Encryptor(key).encrypt([100, 200], generator)
    residuals = private_key.decrypt_all(combine(parts, multiplier, additions, key))
    assert residuals == [100 + 5 * multiplier, 200 - 6 * multiplier]


def test_threads_do_not_change_a_bit(
    public_key: PublicKey, generator: DeterministicGenerator
) -> None:
    part = Encryptor(public_key).encrypt(list(range(600)), generator)
    additions = Encryptor(public_key).encrypt([7] * 600, generator)
    multipliers = np.arange(600, dtype=np.int64)
    one = combine([part], multipliers, additions, public_key)
    assert combine([part], multipliers, additions, public_key, threads=2) == one


def test_the_participant_cannot_divide_its_own_ciphertext_out(
    public_key: PublicKey, generator: DeterministicGenerator
) -> None:
    # given a row whose residual is m u + a; then residual / [[u]]^m is not the bare 1 + a n
    part = Encryptor(public_key).encrypt([3], generator)
    additions = Encryptor(public_key).encrypt([11], generator)
    (residual,) = combine([part], 2, additions, public_key)
    square = public_key.n**2
    quotient = int(residual) * pow(int(part[0]), -2, square) % square
    assert quotient % public_key.n != 1


def test_vectors_that_do_not_fit_are_refused(
    public_key: PublicKey, generator: DeterministicGenerator
) -> None:
    one, two = (Encryptor(public_key).encrypt([1] * count, generator) for count in (1, 2))
    with pytest.raises(ShapeError, match=r"lengths \[1\] do not go with 2"):
        combine([one], 1, two, public_key)
    with pytest.raises(ShapeError, match="0 encrypted scores"):
        combine([], 1, two, public_key)
    with pytest.raises(ShapeError, match=r"expected \(2,\)"):
        combine([two], np.array([1, 2, 3]), two, public_key)

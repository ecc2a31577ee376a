"""T5: the encrypted residual of every customer."""

import numpy as np
import pytest
from gmpy2 import mpz
from hypothesis import given, settings
from hypothesis import strategies as st

from paillier import (
    CiphertextError,
    DeterministicGenerator,
    Encryptor,
    PrivateKey,
    PublicKey,
    ShapeError,
    Term,
    combine,
    multiply,
    signed,
)

pytestmark = pytest.mark.usefixtures("kernel")

SECRET = b"a secret only the tests know"
scores = st.integers(min_value=-(2**40), max_value=2**40)
multipliers = st.integers(min_value=-(2**20), max_value=2**20)


@settings(max_examples=25)
@given(data=st.data(), term_count=st.integers(1, 5), rows=st.integers(1, 9))
def test_each_row_is_a_weighted_sum(
    private_key: PrivateKey, data: st.DataObject, term_count: int, rows: int
) -> None:
    # given a few encrypted vectors, a signed multiplier a row for each, and the additions
    key, generator = private_key.public, DeterministicGenerator(SECRET)
    encryptor = Encryptor(key)
    column = st.lists(scores, min_size=rows, max_size=rows)
    factors_of_rows = st.lists(multipliers, min_size=rows, max_size=rows)
    vectors = [data.draw(column) for _ in range(term_count)]
    factors = [data.draw(factors_of_rows) for _ in range(term_count)]
    shares = data.draw(column)
    # when
    terms = [
        (encryptor.encrypt(vector, generator), np.array(of_term))
        for vector, of_term in zip(vectors, factors, strict=True)
    ]
    residuals = combine(terms, encryptor.encrypt(shares, generator), key)
    # then
    assert [signed(plaintext, key.n) for plaintext in private_key.decrypt_all(residuals)] == [
        sum(m[row] * x[row] for m, x in zip(factors, vectors, strict=True)) + shares[row]
        for row in range(rows)
    ]


@pytest.mark.parametrize("multiplier", [1, 0, -1, 4, -(2**63), 2**63 - 1])
def test_one_multiplier_for_all_rows(
    private_key: PrivateKey, generator: DeterministicGenerator, multiplier: int
) -> None:
    key = private_key.public
    vector = Encryptor(key).encrypt([5, -6], generator)
    additions = Encryptor(key).encrypt([0, 0], generator)
    residuals = private_key.decrypt_all(combine([(vector, multiplier)], additions, key))
    assert residuals == [5 * multiplier % key.n, -6 * multiplier % key.n]


@settings(max_examples=25)
@given(table=st.lists(st.tuples(scores, scores, scores), max_size=9), count=st.integers(1, 3))
def test_vectors_multiplied_together_are_their_sum(
    private_key: PrivateKey, table: list[tuple[int, int, int]], count: int
) -> None:
    key, generator = private_key.public, DeterministicGenerator(SECRET)
    columns = [[row[term] for row in table] for term in range(count)]
    product = multiply([Encryptor(key).encrypt(column, generator) for column in columns], key)
    assert [signed(plaintext, key.n) for plaintext in private_key.decrypt_all(product)] == [
        sum(row[:count]) for row in table
    ]


def test_threads_do_not_change_a_bit(
    public_key: PublicKey, generator: DeterministicGenerator
) -> None:
    vector = Encryptor(public_key).encrypt(list(range(600)), generator)
    additions = Encryptor(public_key).encrypt([7] * 600, generator)
    terms: list[Term] = [(vector, np.arange(-300, 300)), (vector[::-1], 3)]
    one = combine(terms, additions, public_key)
    assert combine(terms, additions, public_key, threads=2) == one
    product = multiply([vector, additions], public_key)
    assert multiply([vector, additions], public_key, threads=2) == product


def test_the_participant_cannot_divide_its_own_ciphertext_out(
    public_key: PublicKey, generator: DeterministicGenerator
) -> None:
    # given a row whose residual is m u + a; then residual / [[u]]^m is not the bare 1 + a n
    vector = Encryptor(public_key).encrypt([3], generator)
    additions = Encryptor(public_key).encrypt([11], generator)
    (residual,) = combine([(vector, 2)], additions, public_key)
    square = public_key.n**2
    quotient = int(residual) * pow(int(vector[0]), -2, square) % square
    assert quotient % public_key.n != 1


def test_vectors_that_do_not_fit_are_refused(
    public_key: PublicKey, generator: DeterministicGenerator
) -> None:
    one, two = (Encryptor(public_key).encrypt([1] * count, generator) for count in (1, 2))
    with pytest.raises(ShapeError, match=r"lengths \[1\] do not go with 2"):
        combine([(one, 1)], two, public_key)
    with pytest.raises(ShapeError, match="0 encrypted terms"):
        combine([], two, public_key)
    with pytest.raises(ShapeError, match=r"expected \(\) or \(2,\)"):
        combine([(two, np.array([1, 2, 3]))], two, public_key)
    with pytest.raises(ShapeError, match=r"lengths \[1, 2\] have no sum"):
        multiply([one, two], public_key)
    with pytest.raises(ShapeError, match="0 encrypted vectors"):
        multiply([], public_key)


def test_numbers_that_no_encryption_gives_have_no_negative_multiple(
    private_key: PrivateKey,
) -> None:
    with pytest.raises(CiphertextError, match="shares a factor"):
        combine([([mpz(private_key.p)], -1)], [mpz(1)], private_key.public)

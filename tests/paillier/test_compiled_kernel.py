"""The compiled kernel against Python's own integers."""

import numpy as np
import pytest
from gmpy2 import mpz
from hypothesis import given, settings
from hypothesis import strategies as st

from paillier import CiphertextError, ShapeError
from paillier.compiled.digits import from_digits, to_digits
from paillier.compiled.kernel import Kernel
from paillier.compiled.powers import invert_elements, power_of_all, product_of_powers

LENGTHS = [2, 27, 52, 399, 400, 401, 512, 1024, 2048, 3072]


def odd_numbers(bits: int) -> st.SearchStrategy[int]:
    top = 1 << (bits - 1)
    return st.sampled_from([top | 1, 2 * top - 1]) | st.integers(top // 2, top - 1).map(
        lambda half: 2 * half + 1
    )


def residues(n: int) -> st.SearchStrategy[mpz]:
    edges = [0, 1, n - 1, n, n + 1, n * n - n, n * n - 1]
    return (st.sampled_from(edges) | st.integers(0, n * n - 1)).map(mpz)


@pytest.mark.parametrize("bits", LENGTHS)
@settings(max_examples=20)
@given(data=st.data())
def test_products_are_those_of_integers(bits: int, data: st.DataObject) -> None:
    # given vectors of numbers modulo n^2
    n = data.draw(odd_numbers(bits))
    pairs = data.draw(st.lists(st.tuples(residues(n), residues(n)), min_size=1, max_size=9))
    left, right = ([pair[side] for pair in pairs] for side in (0, 1))
    kernel = Kernel(mpz(n))
    products, factors = kernel.enter(left), kernel.enter(right)
    assert kernel.leave(products) == left
    # when they are multiplied, squared and multiplied again
    rows = np.arange(len(pairs))
    kernel.multiply_all(products, factors)
    kernel.square(products, rows)
    kernel.multiply(products, rows, factors, rows[::-1])
    # then
    reversed_right = right[::-1]
    assert kernel.leave(products) == [
        (x * y) ** 2 * z % n**2 for x, y, z in zip(left, right, reversed_right, strict=True)
    ]


@settings(max_examples=30)
@given(data=st.data(), count=st.integers(1, 100))
def test_digits_are_those_of_the_numbers(data: st.DataObject, count: int) -> None:
    limit = 2 ** (52 * count)
    numbers = data.draw(st.lists(st.sampled_from([0, 1, limit - 1]) | st.integers(0, limit - 1)))
    digits = to_digits([mpz(number) for number in numbers], count)
    assert [[int(digit) for digit in row] for row in digits] == [
        [number >> 52 * place & (2**52 - 1) for place in range(count)] for number in numbers
    ]
    in_pairs = to_digits([mpz(number) for number in numbers], count + count % 2)
    assert from_digits(in_pairs) == numbers


@settings(max_examples=30)
@given(data=st.data(), exponent=st.integers(0, 2**70))
def test_powers_are_those_of_integers(data: st.DataObject, exponent: int) -> None:
    n = data.draw(odd_numbers(128))
    kernel, numbers = Kernel(mpz(n)), data.draw(st.lists(residues(n), max_size=7))
    powers = power_of_all(kernel, kernel.enter(numbers), exponent)
    assert kernel.leave(powers) == [pow(int(number), exponent, n**2) for number in numbers]


@settings(max_examples=30)
@given(data=st.data(), rows=st.integers(1, 7), terms=st.integers(1, 3))
def test_products_of_powers_are_those_of_integers(
    data: st.DataObject, rows: int, terms: int
) -> None:
    n = data.draw(odd_numbers(128))
    kernel = Kernel(mpz(n))
    vector, factors = st.lists(residues(n), min_size=rows, max_size=rows), st.integers(0, 2**63)
    bases = [data.draw(vector) for _ in range(terms)]
    exponents = [data.draw(st.lists(factors, min_size=rows, max_size=rows)) for _ in range(terms)]
    products = product_of_powers(
        kernel, [kernel.enter(base) for base in bases], np.array(exponents, dtype=np.uint64)
    )
    expected = [1] * rows
    for base, powers in zip(bases, exponents, strict=True):
        expected = [
            product * pow(int(number), power, n**2) % n**2
            for product, number, power in zip(expected, base, powers, strict=True)
        ]
    assert kernel.leave(products) == expected


@given(data=st.data())
def test_inverses_are_those_of_integers(data: st.DataObject) -> None:
    # given a prime, to which all but its multiples are coprime
    n = 2**127 - 1
    numbers = data.draw(st.lists(residues(n).filter(lambda number: number % n), max_size=9))
    kernel = Kernel(mpz(n))
    inverses = kernel.leave(invert_elements(kernel, kernel.enter(numbers)))
    assert inverses == [pow(int(number), -1, n**2) for number in numbers]


def test_a_number_without_inverse_is_refused() -> None:
    kernel = Kernel(mpz(35))
    with pytest.raises(CiphertextError, match="shares a factor"):
        invert_elements(kernel, kernel.enter([mpz(2), mpz(5)]))


def test_rows_beyond_the_elements_are_refused() -> None:
    # the compiled code itself would write anywhere
    kernel = Kernel(mpz(35))
    elements = kernel.enter([mpz(2), mpz(3), mpz(4)])
    with pytest.raises(ShapeError, match="row 3 is beyond the 3 elements"):
        kernel.multiply(elements, [0, 3], elements, [0, 0])
    with pytest.raises(ShapeError, match="row 3 is beyond the 3 elements"):
        kernel.multiply(elements, [0, 1], elements, [3, 0])
    with pytest.raises(ShapeError, match="2 targets have 1 factors"):
        kernel.multiply(elements, [0, 1], elements, [0])
    with pytest.raises(ShapeError, match="contiguous"):
        kernel.multiply(elements[::2], [0], elements, [0])
    with pytest.raises(ShapeError, match=r"expected \(any, "):
        kernel.multiply(elements, [0], elements.reshape(1, -1), [0])

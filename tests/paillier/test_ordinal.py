"""One ciphertext an ordinal variable, from the products of its bins (requirement T6)."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paillier import (
    DeterministicGenerator,
    Encryptor,
    PrivateKey,
    ShapeError,
    one_hot_gradient,
    ordinal_gradient,
    signed,
)

VARIABLES = st.lists(st.tuples(st.integers(2, 7), st.booleans()), min_size=1, max_size=4)


@given(VARIABLES, st.lists(st.integers(-(2**40), 2**40), min_size=1, max_size=12), st.data())
def test_it_decrypts_to_the_sum_of_bin_number_times_residual(
    private_key: PrivateKey,
    variables: list[tuple[int, bool]],
    residuals: list[int],
    data: st.DataObject,
) -> None:
    bins, ordinal = [count for count, _ in variables], [flag for _, flag in variables]
    rows = len(residuals)
    drawn = [data.draw(st.lists(st.integers(0, n - 1), min_size=rows, max_size=rows)) for n in bins]
    codes = np.array(drawn, np.uint8)
    key = private_key.public
    ciphertexts = Encryptor(key).encrypt(residuals, DeterministicGenerator(b"s" * 32))

    of_bins = one_hot_gradient(ciphertexts, codes, bins, key)
    gradient = ordinal_gradient(of_bins, bins, ordinal, key)

    expected = []
    for row, count, is_ordinal in zip(codes.tolist(), bins, ordinal, strict=True):
        pairs = list(zip(row, residuals, strict=True))
        if is_ordinal:
            expected.append(sum(code * residual for code, residual in pairs))
        else:
            expected += [sum(g for code, g in pairs if code == b) for b in range(count)]
    found = [signed(private_key.decrypt(ciphertext), key.n) for ciphertext in gradient]
    assert found == [*expected, sum(residuals)]


def test_bin_products_of_other_variables_are_refused(private_key: PrivateKey) -> None:
    with pytest.raises(ShapeError, match="do not belong"):
        ordinal_gradient([], [2], [True], private_key.public)

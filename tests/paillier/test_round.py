"""One whole round of T4 to T7 with a key of production length."""

import numpy as np
import pytest

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

pytestmark = pytest.mark.usefixtures("kernel")


def test_a_round_gives_each_party_its_gradient(
    long_private_key: PrivateKey, generator: DeterministicGenerator
) -> None:
    # given scores at the participant, slopes and shares at the local party, codes at both
    key = long_private_key.public
    random = np.random.default_rng(0)
    rows, bins, slot_bits = 40, [3, 2, 5], 64
    scores, shares = random.integers(-(2**30), 2**30, (2, rows))
    slopes = random.integers(1, 2**10, rows)
    codes = np.array([random.integers(0, count, rows) for count in bins], dtype=np.uint8)
    encryptor = Encryptor(key)
    # when the participant sends its scores and the local party the residuals
    scores_sent = to_bytes(encryptor.encrypt(scores.tolist(), generator), key)
    additions = encryptor.encrypt(shares.tolist(), generator)
    residuals = combine([(from_bytes(scores_sent, key), slopes)], additions, key)
    # and a party packs and masks its gradient, which the arbiter decrypts
    packed = pack(one_hot_gradient(residuals, codes, bins, key), slot_bits, key)
    masks = draw_masks(len(packed), key.n, generator)
    masked = apply_masks(packed, masks, encryptor.obfuscators(len(packed), generator), key)
    seen = long_private_key.decrypt_all(masked)
    # then the party reads the gradient from one ciphertext, exactly
    gradient = unpack(remove_masks(seen, masks, key.n), slot_bits, sum(bins), key.n)
    residuals_in_the_clear = slopes * scores + shares
    assert len(seen) == 1
    assert gradient == [
        int(residuals_in_the_clear[codes[variable] == b].sum())
        for variable, count in enumerate(bins)
        for b in range(count)
    ]

"""The same round with other software: unit costs on samples, times how often a round needs them.

Every sample is decrypted and compared with numpy before its time counts.
"""

from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np
from phe import paillier as phe_paillier

from benchmarks.whole_round import LARGEST_MULTIPLIER, LARGEST_SCORE
from benchmarks.workload import BenchmarkError, Workload
from tallystick.measuring import timed

HEU_ROWS = 2_048
HEU_FEATURES = 8
PHE_ENCRYPTIONS = 12
PHE_ROWS = 200
BINS = 5


@dataclass(frozen=True)
class OtherCosts:
    """CPU seconds of one core for one unit each."""

    encryption: float
    addition: float
    multiplication: float  # by a signed multiplier of twelve bits
    bucket: float  # one customer's bin code of one feature taken into the gradient
    decryption: float
    outputs_per_feature: int

    def round_seconds(self, work: Workload, features: int) -> float:
        """Scores, residual and gradient of one round, every result decrypted by itself."""
        vectors = work.degree + 1
        combining = work.degree * self.addition
        if work.degree > 1:
            combining += work.degree * self.multiplication
        per_row = vectors * self.encryption + combining + features * self.bucket
        outputs = features * self.outputs_per_feature
        return work.rows * per_row + outputs * (self.addition + self.decryption)


def _check(found: object, expected: object, name: str) -> None:
    if not np.array_equal(np.asarray(found), np.asarray(expected)):
        raise BenchmarkError(f"{name} computed another result than numpy")


def phe_costs(bits: int) -> OtherCosts:
    """`phe` with gmpy2, integers as they are: c * code summed over the customers."""
    public, private = phe_paillier.generate_paillier_keypair(n_length=bits)
    random = np.random.default_rng(0)
    numbers = random.integers(-LARGEST_SCORE, LARGEST_SCORE, PHE_ENCRYPTIONS).tolist()
    encrypted, encryption = timed(lambda: [public.encrypt(one) for one in numbers], 1)
    decrypted, decryption = timed(lambda: [private.decrypt(one) for one in encrypted], 1)
    _check(decrypted, numbers, "phe")
    repeats = -(-PHE_ROWS // PHE_ENCRYPTIONS)
    many, values = encrypted * repeats, np.array(numbers * repeats)
    sums, addition = timed(lambda: [x + y for x, y in zip(many, many[::-1], strict=True)], 3)
    _check([private.decrypt(one) for one in sums[:5]], (values + values[::-1])[:5], "phe")
    multipliers = random.integers(-LARGEST_MULTIPLIER, LARGEST_MULTIPLIER, len(many)).tolist()
    products, multiplication = timed(
        lambda: [x * m for x, m in zip(many, multipliers, strict=True)], 3
    )
    expected = (values * multipliers)[:5]
    _check([private.decrypt(one) for one in products[:5]], expected, "phe")
    codes = random.integers(0, BINS, len(many)).tolist()
    gradient, bucket = timed(lambda: sum(x * code for x, code in zip(many, codes, strict=True)), 3)
    _check(private.decrypt(gradient), int(values @ codes), "phe")
    return OtherCosts(
        encryption=encryption.cpu / len(numbers),
        addition=addition.cpu / len(many),
        multiplication=multiplication.cpu / len(many),
        bucket=bucket.cpu / len(many),
        decryption=decryption.cpu / len(numbers),
        outputs_per_feature=1,
    )


def heu_costs(bits: int) -> OtherCosts | None:
    """HEU's ZPaillier with its fastest gradient, bucket sums; None where it is not installed."""
    if find_spec("heu") is None:
        return None
    from heu import numpy as heu_numpy  # noqa: PLC0415 - optional, and large
    from heu import phe as heu_phe  # noqa: PLC0415

    kit = heu_numpy.setup(heu_phe.SchemaType.ZPaillier, bits)
    encoder, evaluator = kit.bigint_encoder(), kit.evaluator()
    random = np.random.default_rng(0)
    numbers = random.integers(-LARGEST_SCORE, LARGEST_SCORE, (HEU_ROWS, 1))
    plain = kit.array(numbers, encoder)

    def opened(ciphertexts: object) -> object:
        return kit.decryptor().decrypt(ciphertexts).to_numpy(encoder).astype(np.int64)

    encrypted, encryption = timed(lambda: kit.encryptor().encrypt(plain), 1)
    sums, addition = timed(lambda: evaluator.add(encrypted, encrypted), 3)
    _check(opened(sums), 2 * numbers, "HEU")
    multipliers = random.integers(-LARGEST_MULTIPLIER, LARGEST_MULTIPLIER, numbers.shape)
    plain_multipliers = kit.array(multipliers, encoder)
    products, multiplication = timed(lambda: evaluator.mul(encrypted, plain_multipliers), 1)
    _check(opened(products), numbers * multipliers, "HEU")
    codes = random.integers(0, BINS, (HEU_ROWS, HEU_FEATURES)).astype(np.int8)
    everybody = np.ones((1, HEU_ROWS), dtype=np.int8)
    buckets, bucket = timed(
        lambda: evaluator.feature_wise_bucket_sum(encrypted, everybody, codes, BINS, False), 3
    )
    gradient, decryption = timed(lambda: opened(buckets), 1)
    expected = [
        [int(numbers[codes[:, feature] == one].sum())]
        for feature in range(HEU_FEATURES)
        for one in range(BINS)
    ]
    _check(gradient, expected, "HEU")
    return OtherCosts(
        encryption=encryption.cpu / HEU_ROWS,
        addition=addition.cpu / HEU_ROWS,
        multiplication=multiplication.cpu / HEU_ROWS,
        bucket=bucket.cpu / (HEU_ROWS * HEU_FEATURES),
        decryption=decryption.cpu / len(expected),
        # Its bucket sums add up to the numeric gradient, one small power a bin, so one decryption.
        outputs_per_feature=1,
    )

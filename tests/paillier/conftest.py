"""Fixed keys: 512 bits for speed, and one of the length that production requires."""

from collections.abc import Iterator

import pytest

from paillier import DeterministicGenerator, PrivateKey, PublicKey
from paillier.kernels import COMPILED, GMPY2, KERNEL_VARIABLE, obstacle_to_compiling
from paillier.keys import draw_randomness_base

AVAILABLE_KERNELS = [GMPY2] if obstacle_to_compiling() else [GMPY2, COMPILED]
# What only the compiled kernel has; test_kernels.py says on which machines that must run.
collect_ignore = [] if COMPILED in AVAILABLE_KERNELS else ["test_compiled_kernel.py"]

SHORT_PRIMES = (
    115042354728008381882482521258376202978193623771274741187824861299914036374011,
    98142188229535152889240752064122281097766353866694929240500264504039928001259,
)
LONG_PRIMES = (
    int(
        "de3356f631ce6eca1040f2f2440b8a4dc1e015ed905987b86523151fffa2ced6"
        "e1c04479932d61312280016833897eb5b21622b7affe77e740e7a676072e8dea"
        "1473bd022e277f7b986c7dc3c100f917844377c56295de803e3a0415529174cb"
        "34beeb0e19a6f71862c466306d38646e9ad9e001e684c3cf5f49f146ac1420c7",
        16,
    ),
    int(
        "c9dccdfbd21a7050b346d98cf68dbcbba014bd08228786fab7fc710dd110ca5a"
        "bc2020974017928b65cd71065259b4239ca32c4a9da68cfcfe4dac01376de3a2"
        "c2136cf054d3251fefd368ccbaba327e8af4b0f4275d7cb48ca3a314d0e327c5"
        "8263a1c76d22e2cb3bd006e2f40dffe6fdee6b334c14f4976c71d2ec7800fceb",
        16,
    ),
)


def key_of(primes: tuple[int, int]) -> PrivateKey:
    p, q = primes
    return PrivateKey(p=p, q=q, hs=draw_randomness_base(p * q))


@pytest.fixture(scope="session")
def private_key() -> PrivateKey:
    return key_of(SHORT_PRIMES)


@pytest.fixture(scope="session")
def public_key(private_key: PrivateKey) -> PublicKey:
    return private_key.public


@pytest.fixture(scope="session")
def long_private_key() -> PrivateKey:
    return key_of(LONG_PRIMES)


@pytest.fixture
def generator() -> DeterministicGenerator:
    return DeterministicGenerator(b"a secret only the tests know")


@pytest.fixture(scope="module", params=AVAILABLE_KERNELS)
def kernel(request: pytest.FixtureRequest) -> Iterator[str]:
    """Each arithmetic this machine has, in turn."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(KERNEL_VARIABLE, request.param)
        yield request.param

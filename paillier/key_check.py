"""What every party checks before it encrypts anything under a public key.

The arbiter issues the key, and a party's data is only as safe as the key is sound. What can be
seen from the public numbers is checked here. That hs is an n-th residue cannot be seen without
the primes; an arbiter that publishes another hs only spoils its own decryption.
"""

from functools import cache

import gmpy2
from gmpy2 import mpz

from paillier.errors import UnsafeKeyError

TRIAL_DIVISION_LIMIT = 5000


def check_size(bits: int, minimum_bits: int) -> None:
    if bits < minimum_bits:
        raise UnsafeKeyError(
            f"the Paillier key has {bits} bits, at least {minimum_bits} are required: issue a "
            "longer key (or, in a test, lower the minimum explicitly)"
        )


def check_public_numbers(n: int, hs: int, minimum_bits: int) -> None:
    """Raise UnsafeKeyError unless n and hs look like a sound DJN key."""
    check_size(int(n).bit_length(), minimum_bits)
    _check_modulus(mpz(n))
    _check_randomness_base(mpz(n), mpz(hs))


def _check_modulus(n: mpz) -> None:
    # Two primes that are 3 mod 4 have a product that is 1 mod 4.
    if n % 4 != 1:
        _refuse("n is not the product of two primes that are 3 mod 4")
    if gmpy2.gcd(n, _small_primes_product()) != 1:
        _refuse("n has a small prime factor")
    if gmpy2.is_prime(n):
        _refuse("n is itself prime")
    if gmpy2.is_power(n):
        _refuse("n is a perfect power")


def _check_randomness_base(n: mpz, hs: mpz) -> None:
    if not 0 < hs < n * n:
        _refuse("hs is outside (0, n^2)")
    if gmpy2.gcd(hs, n) != 1:
        _refuse("hs shares a factor with n")
    # Such a base has no randomness modulo n: anybody could read what is encrypted with it.
    if hs % n in (1, n - 1):
        _refuse("hs is 1 or -1 modulo n")
    # hs = (-x^2)^n, and -1 has symbol (-1)(-1) = +1 when both primes are 3 mod 4.
    if gmpy2.jacobi(hs % n, n) != 1:
        _refuse("hs has the wrong Jacobi symbol modulo n")


def _refuse(finding: str) -> None:
    raise UnsafeKeyError(
        f"the Paillier public key is unsafe: {finding}; ask the arbiter for a new key"
    )


@cache
def _small_primes_product() -> mpz:
    return gmpy2.primorial(TRIAL_DIVISION_LIMIT)

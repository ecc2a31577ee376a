"""Every party checks the public key before it encrypts anything under it (design, sealing)."""

from collections.abc import Callable

import gmpy2
import pytest

from paillier import PrivateKey, PublicKey, UnsafeKeyError

Forgery = Callable[[PrivateKey], PublicKey]


def prime_after(start: int, residue: int) -> int:
    prime = int(gmpy2.next_prime(start))
    while prime % 4 != residue:
        prime = int(gmpy2.next_prime(prime))
    return prime


def with_n(n: int) -> PublicKey:
    return PublicKey(n=n, hs=4)


def wrong_symbol(key: PrivateKey) -> PublicKey:
    n = key.public.n
    hs = next(h for h in range(2, 100) if gmpy2.jacobi(h, n) == -1)
    return PublicKey(n=n, hs=hs)


FORGERIES: list[tuple[str, Forgery]] = [
    ("3 mod 4", lambda key: with_n(key.public.n + 1)),
    ("3 mod 4", lambda key: with_n(key.p * prime_after(key.q, residue=1))),
    ("small prime factor", lambda _: with_n(4999 * prime_after(2**512, residue=3))),
    ("itself prime", lambda _: with_n(prime_after(2**512, residue=1))),
    ("perfect power", lambda key: with_n(key.p**2)),
    (r"outside \(0, n\^2\)", lambda key: PublicKey(key.public.n, 0)),
    (r"outside \(0, n\^2\)", lambda key: PublicKey(key.public.n, key.public.n**2 + 4)),
    ("shares a factor", lambda key: PublicKey(key.public.n, key.p)),
    ("1 or -1", lambda key: PublicKey(key.public.n, 1)),
    ("1 or -1", lambda key: PublicKey(key.public.n, key.public.n**2 - 1)),
    ("1 or -1", lambda key: PublicKey(key.public.n, 1 + 7 * key.public.n)),
    ("Jacobi symbol", wrong_symbol),
]


@pytest.mark.parametrize(("finding", "forge"), FORGERIES)
def test_a_forged_key_is_refused_with_its_flaw(
    private_key: PrivateKey, finding: str, forge: Forgery
) -> None:
    with pytest.raises(UnsafeKeyError, match=finding):
        forge(private_key).check(minimum_bits=256)


def test_a_sound_key_passes(private_key: PrivateKey, long_private_key: PrivateKey) -> None:
    private_key.public.check(minimum_bits=512)
    long_private_key.public.check()


def test_keys_below_2048_bits_are_refused_unless_the_caller_says_otherwise(
    public_key: PublicKey,
) -> None:
    with pytest.raises(UnsafeKeyError, match="512 bits, at least 2048 are required"):
        public_key.check()

"""Paillier keys in the form of Damgård, Jurik and Nielsen (requirements T3).

n = p q with p = q = 3 mod 4 and gcd(p-1, q-1) = 2. Beside n the owner publishes
hs = h^n mod n^2 for h = -x^2 mod n, x random; encrypting m is (1 + m n) hs^r mod n^2 with r of
|n|/2 bits. The ciphertexts are plain Paillier ciphertexts: any Paillier software decrypts them.
Source: Damgård, Jurik, Nielsen, "A generalization of Paillier's public-key system with
applications to electronic voting" (2010). Not constant time, as GMP is not.
"""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import gmpy2
from gmpy2 import mpz

from paillier.compiled.powers import power_of_all
from paillier.errors import CiphertextError, UnsafeKeyError
from paillier.kernels import compiled_kernel
from paillier.key_check import check_public_numbers, check_size
from paillier.workers import blocks, in_parallel

MINIMUM_KEY_BITS = 2048
DECRYPTION_BLOCK = 256


@dataclass(frozen=True)
class PublicKey:
    """What everybody knows: the modulus n and the base hs of the randomness."""

    n: int
    hs: int

    @cached_property
    def bits(self) -> int:
        return int(self.n).bit_length()

    @cached_property
    def randomness_bits(self) -> int:
        """The length of r, as the scheme's authors state it."""
        return self.bits // 2

    @cached_property
    def modulus(self) -> mpz:
        """n, ready for fast arithmetic."""
        return mpz(self.n)

    @cached_property
    def n_squared(self) -> mpz:
        return self.modulus * self.modulus

    @cached_property
    def key_id(self) -> str:
        """SHA-256 (hex) of n and hs."""
        numbers = b"".join(
            len(octets := _octets(number)).to_bytes(4, "big") + octets
            for number in (self.n, self.hs)
        )
        return hashlib.sha256(b"tallystick paillier public key" + numbers).hexdigest()

    def check(self, minimum_bits: int = MINIMUM_KEY_BITS) -> None:
        """Refuse a key that a careless or hostile arbiter could have issued (UnsafeKeyError)."""
        check_public_numbers(self.n, self.hs, minimum_bits)


@dataclass(frozen=True)
class PrivateKey:
    """The arbiter's secret: the two primes, with the hs that was published for them."""

    p: int = field(repr=False)
    q: int = field(repr=False)
    hs: int

    @cached_property
    def public(self) -> PublicKey:
        return PublicKey(n=int(self.p) * int(self.q), hs=self.hs)

    @cached_property
    def _prime_factors(self) -> "tuple[_PrimeFactor, _PrimeFactor]":
        return _PrimeFactor.of(self.p, self.public.n), _PrimeFactor.of(self.q, self.public.n)

    @cached_property
    def _p_inverse(self) -> mpz:
        return gmpy2.invert(self.p, self.q)

    def decrypt(self, ciphertext: int | mpz) -> int:
        """The plaintext in [0, n)."""
        return self.decrypt_all([mpz(ciphertext)])[0]

    def decrypt_all(self, ciphertexts: Sequence[mpz], threads: int = 1) -> list[int]:
        """The plaintexts in [0, n), by Chinese remaindering."""
        for ciphertext in ciphertexts:
            if not 0 < ciphertext < self.public.n_squared:
                raise CiphertextError("a ciphertext is outside (0, n^2): it is not under this key")
        slices = blocks(len(ciphertexts), DECRYPTION_BLOCK, threads)
        results = in_parallel(lambda block: self._decrypt(ciphertexts[block]), slices, threads)
        return [plaintext for result in results for plaintext in result]

    def _decrypt(self, ciphertexts: Sequence[mpz]) -> list[int]:
        p_side, q_side = self._prime_factors
        plaintexts = []
        for modulo_p, modulo_q in zip(
            p_side.decrypt(ciphertexts), q_side.decrypt(ciphertexts), strict=True
        ):
            lifted = (modulo_q - modulo_p) * self._p_inverse % q_side.prime
            plaintexts.append(int(modulo_p + p_side.prime * lifted))
        return plaintexts


@dataclass(frozen=True)
class _PrimeFactor:
    """Decryption modulo one of the two primes: L(c^(prime-1) mod prime^2) * scale."""

    prime: mpz
    square: mpz
    scale: mpz

    @classmethod
    def of(cls, prime: int, n: int) -> "_PrimeFactor":
        big_prime = mpz(prime)
        square = big_prime * big_prime
        logarithm = (gmpy2.powmod(1 + n, big_prime - 1, square) - 1) // big_prime
        return cls(big_prime, square, gmpy2.invert(logarithm, big_prime))

    def decrypt(self, ciphertexts: Sequence[mpz]) -> list[mpz]:
        numbers, exponent = [c % self.square for c in ciphertexts], self.prime - 1
        kernel = compiled_kernel(self.prime)
        if kernel:
            powers = kernel.leave(power_of_all(kernel, kernel.enter(numbers), exponent))
        else:
            powers = [gmpy2.powmod(number, exponent, self.square) for number in numbers]
        return [(power - 1) // self.prime * self.scale % self.prime for power in powers]


def generate_key_pair(
    bits: int = MINIMUM_KEY_BITS, *, minimum_bits: int = MINIMUM_KEY_BITS
) -> PrivateKey:
    """A fresh key pair from the system's randomness (requirements T3).

    Keys below 2048 bits need a lower `minimum_bits`, said aloud by the caller.
    """
    check_size(bits, minimum_bits)
    if bits % 2:
        raise UnsafeKeyError(f"a key of {bits} bits cannot have two primes of one length: use even")
    while True:
        p, q = _random_prime(bits // 2), _random_prime(bits // 2)
        far_apart = abs(p - q).bit_length() > bits // 2 - 100
        if gmpy2.gcd(p - 1, q - 1) == 2 and (far_apart or bits // 2 <= 100):
            break
    return PrivateKey(p=p, q=q, hs=draw_randomness_base(p * q))


def draw_randomness_base(n: int) -> int:
    """A fresh hs = h^n mod n^2, for h = -x^2 mod n with x random and coprime to n."""
    while True:
        x = secrets.randbelow(n - 2) + 2
        if gmpy2.gcd(x, n) == 1:
            return int(gmpy2.powmod(-x * x % n, n, mpz(n) * n))


def _random_prime(bits: int) -> int:
    """Congruent 3 mod 4, with the two top bits set so that a product of two has full length."""
    while True:
        candidate = secrets.randbits(bits) | (3 << (bits - 2)) | 3
        if gmpy2.is_prime(candidate, 40):
            return candidate


def _octets(number: int) -> bytes:
    return int(number).to_bytes((int(number).bit_length() + 7) // 8, "big")

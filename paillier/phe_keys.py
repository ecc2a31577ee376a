"""Keys to and from `phe`, so that other Paillier software can check what this room computes."""

import gmpy2
from phe.paillier import PaillierPrivateKey, PaillierPublicKey

from paillier.errors import UnsafeKeyError
from paillier.keys import PrivateKey, PublicKey, draw_randomness_base


def public_to_phe(public_key: PublicKey) -> PaillierPublicKey:
    return PaillierPublicKey(n=int(public_key.n))


def private_to_phe(private_key: PrivateKey) -> PaillierPrivateKey:
    return PaillierPrivateKey(
        public_to_phe(private_key.public), int(private_key.p), int(private_key.q)
    )


def private_from_phe(phe_key: PaillierPrivateKey) -> PrivateKey:
    """The same primes with a fresh hs; UnsafeKeyError for primes the DJN scheme does not allow."""
    p, q = int(phe_key.p), int(phe_key.q)
    if p % 4 != 3 or q % 4 != 3 or gmpy2.gcd(p - 1, q - 1) != 2:
        raise UnsafeKeyError(
            "phe's key has primes that are not 3 mod 4 with gcd(p-1, q-1) = 2, as most of its keys "
            "do: generate the key here and hand it to phe"
        )
    return PrivateKey(p=p, q=q, hs=draw_randomness_base(p * q))

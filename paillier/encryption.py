"""Encrypting vectors of integers (requirements T4, T5), with randomness that can be drawn again."""

from collections import OrderedDict
from collections.abc import Sequence
from threading import Lock

from gmpy2 import mpz

from paillier.comb import CombTable, best_window, build_table, raise_and_add
from paillier.errors import PlaintextRangeError
from paillier.generator import DeterministicGenerator
from paillier.kernels import kernel_name
from paillier.keys import PublicKey

TABLE_MEMORY_LIMIT = 256 * 2**20
KEYS_REMEMBERED = 4


class _TableCache:
    """The widest table made so far for each of the last few keys; shared by all threads."""

    def __init__(self) -> None:
        self._tables: OrderedDict[tuple[PublicKey, str], CombTable] = OrderedDict()
        self._lock = Lock()

    def table(self, public_key: PublicKey, window: int, threads: int) -> CombTable:
        place = (public_key, kernel_name())
        with self._lock:
            known = self._tables.get(place)
            if known is None or known.window < window:
                known = build_table(public_key, window, threads)
                self._tables[place] = known
            self._tables.move_to_end(place)
            while len(self._tables) > KEYS_REMEMBERED:
                self._tables.popitem(last=False)
            return known


_CACHE = _TableCache()


class Encryptor:
    """Encrypts under one public key.

    `expected_values` is how many encryptions are to come in all (rounds times rows, say): the
    table is sized for it. The ciphertexts depend on the key, the plaintexts and the generator
    only; neither the table nor the number of threads changes a bit of them.
    """

    def __init__(
        self,
        public_key: PublicKey,
        expected_values: int = 0,
        memory_limit: int = TABLE_MEMORY_LIMIT,
    ) -> None:
        self._public_key = public_key
        self._expected_values = expected_values
        self._memory_limit = memory_limit

    def encrypt(
        self, plaintexts: Sequence[int], generator: DeterministicGenerator, threads: int = 1
    ) -> list[mpz]:
        """Fresh ciphertexts of integers in (-n/2, n); a negative one stands for n minus its size.

        Draws one exponent of |n|/2 bits a value from the generator, in the order of the values.
        """
        n = self._public_key.n
        plaintexts = [int(plaintext) for plaintext in plaintexts]
        if any(not (-n < 2 * plaintext and plaintext < n) for plaintext in plaintexts):
            raise PlaintextRangeError(
                f"a plaintext is outside (-n/2, n) for a key of {self._public_key.bits} bits: "
                "use a longer key or a coarser grid"
            )
        exponent_bytes = (self._public_key.randomness_bits + 7) // 8
        exponents = generator.bytes(exponent_bytes * len(plaintexts))
        window = best_window(
            max(len(plaintexts), self._expected_values), self._public_key, self._memory_limit
        )
        table = _CACHE.table(self._public_key, window, threads)
        return raise_and_add(table, exponents, plaintexts, threads)

    def obfuscators(
        self, count: int, generator: DeterministicGenerator, threads: int = 1
    ) -> list[mpz]:
        """Fresh encryptions of 0: a ciphertext times one of them is unlinkable to what it was."""
        return self.encrypt([0] * count, generator, threads)

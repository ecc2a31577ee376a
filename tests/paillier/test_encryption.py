"""T4, T5: encryption by fixed-base comb, with randomness that can be drawn again."""

import pytest
from gmpy2 import mpz
from hypothesis import given, settings
from hypothesis import strategies as st

from paillier import (
    DeterministicGenerator,
    Encryptor,
    PlaintextRangeError,
    PrivateKey,
    PublicKey,
    signed,
)
from paillier.comb import best_window, build_table, raise_and_add
from paillier.half_size import join, split
from paillier.kernels import GMPY2
from paillier.keys import draw_randomness_base

pytestmark = pytest.mark.usefixtures("kernel")


@settings(max_examples=25)
@given(data=st.data())
def test_what_is_encrypted_is_decrypted(private_key: PrivateKey, data: st.DataObject) -> None:
    n = private_key.public.n
    plaintexts = data.draw(st.lists(st.integers(min_value=-((n - 1) // 2), max_value=n - 1)))
    generator = DeterministicGenerator(b"a secret only the tests know")
    ciphertexts = Encryptor(private_key.public).encrypt(plaintexts, generator)
    assert private_key.decrypt_all(ciphertexts) == [plaintext % n for plaintext in plaintexts]


def test_negative_numbers_come_back_signed(
    private_key: PrivateKey, generator: DeterministicGenerator
) -> None:
    n = private_key.public.n
    limits = [-((n - 1) // 2), -1, 0, 1, (n - 1) // 2]
    ciphertexts = Encryptor(private_key.public).encrypt(limits, generator)
    assert [signed(private_key.decrypt(c), n) for c in ciphertexts] == limits


def test_numbers_that_do_not_fit_are_refused(
    public_key: PublicKey, generator: DeterministicGenerator
) -> None:
    for plaintext in (public_key.n, -(public_key.n + 1) // 2):
        with pytest.raises(PlaintextRangeError, match="outside"):
            Encryptor(public_key).encrypt([plaintext], generator)


@pytest.mark.parametrize("window", [0, 1, 3, 8, 10])
@pytest.mark.parametrize("threads", [1, 2])
def test_every_table_gives_the_power_the_scheme_defines(
    public_key: PublicKey, generator: DeterministicGenerator, window: int, threads: int
) -> None:
    # given exponents of 256 bits, the extremes among them
    exponents = [0, 1, 2**256 - 1, *(generator.bits(256) for _ in range(20))]
    octets = b"".join(exponent.to_bytes(32, "little") for exponent in exponents)
    plaintexts = list(range(len(exponents)))
    # when
    table = build_table(public_key, window, threads)
    ciphertexts = raise_and_add(table, octets, plaintexts, threads)
    # then each is (1 + m n) hs^r mod n^2
    n, square = public_key.n, public_key.n**2
    assert ciphertexts == [
        (1 + m * n) * pow(public_key.hs, r, square) % square
        for m, r in zip(plaintexts, exponents, strict=True)
    ]


def test_threads_and_tables_do_not_change_a_bit(private_key: PrivateKey) -> None:
    def encrypt(expected_values: int, threads: int) -> list[mpz]:
        generator = DeterministicGenerator(b"a secret only the tests know")
        encryptor = Encryptor(private_key.public, expected_values)
        return encryptor.encrypt(list(range(600)), generator, threads)

    first = encrypt(expected_values=0, threads=1)
    assert encrypt(expected_values=0, threads=2) == first
    assert encrypt(expected_values=5000, threads=1) == first
    assert encrypt(expected_values=5000, threads=2) == first


def test_a_value_keeps_its_randomness_when_others_follow(
    public_key: PublicKey, generator: DeterministicGenerator
) -> None:
    # r depends on the position in the stream only
    few = Encryptor(public_key).encrypt([5, 6], generator.derive("step"))
    many = Encryptor(public_key).encrypt([5, 6, 7], generator.derive("step"))
    assert many[:2] == few


def test_encrypting_twice_gives_unlinkable_ciphertexts(
    public_key: PublicKey, generator: DeterministicGenerator
) -> None:
    encryptor = Encryptor(public_key)
    ciphertexts = encryptor.encrypt([1] * 50, generator) + encryptor.encrypt([1] * 50, generator)
    assert len(set(ciphertexts)) == 100


def test_obfuscators_are_fresh_encryptions_of_zero(
    private_key: PrivateKey, generator: DeterministicGenerator
) -> None:
    obfuscators = Encryptor(private_key.public).obfuscators(30, generator, threads=2)
    assert len(set(obfuscators)) == 30
    assert private_key.decrypt_all(obfuscators) == [0] * 30


def test_a_key_whose_length_is_no_multiple_of_bytes_works() -> None:
    key = PrivateKey(p=10007, q=10039, hs=draw_randomness_base(10007 * 10039))
    generator = DeterministicGenerator(b"a secret only the tests know")
    ciphertexts = Encryptor(key.public).encrypt(list(range(200)), generator)
    assert key.public.randomness_bits % 8 != 0
    assert key.decrypt_all(ciphertexts) == list(range(200))


def test_the_window_grows_with_the_work_and_stays_within_memory(
    long_private_key: PrivateKey, kernel: str
) -> None:
    key = long_private_key.public
    widest, within_20_megabytes = (10, 8) if kernel == GMPY2 else (12, 8)
    windows = [best_window(count, key, 2**28) for count in (1, 50, 3_000, 100_000)]
    assert windows == sorted(windows)
    assert windows[0] <= 2
    assert 1 <= windows[1] <= 5
    assert windows[3] == widest
    assert best_window(100_000, key, memory_limit=20 * 2**20) == within_20_megabytes
    assert best_window(100_000, key, memory_limit=0) == 0


@given(data=st.data())
def test_half_size_multiplicands_stand_for_their_ciphertexts(
    public_key: PublicKey, data: st.DataObject
) -> None:
    square = public_key.n**2
    numbers = data.draw(st.lists(st.integers(min_value=1, max_value=2**256 - 1), min_size=1))
    ciphertexts = [mpz(pow(number, 3, square)) for number in numbers]
    residues, digits = split(ciphertexts, public_key)
    assert all(0 < residue < public_key.n for residue in residues)
    assert [
        join(a, digit, public_key) for a, digit in zip(residues, digits, strict=True)
    ] == ciphertexts

"""Which arithmetic does the work, and that the choice never changes a bit."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from paillier import (
    DeterministicGenerator,
    Encryptor,
    KernelError,
    PrivateKey,
    combine,
    kernel_name,
    kernels,
    one_hot_gradient,
    pack,
)
from paillier.kernels import COMPILED, GMPY2, KERNEL_VARIABLE, obstacle_to_compiling

OBSTACLE = "this processor lacks avx512ifma"


@pytest.fixture
def without_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(KERNEL_VARIABLE, raising=False)


def processor_has_the_instructions() -> bool:
    """As the operating system tells it, not llvmlite."""
    description = Path("/proc/cpuinfo")
    return description.exists() and "avx512ifma" in description.read_text(encoding="utf-8")


@pytest.mark.usefixtures("without_choice")
def test_the_compiled_kernel_is_chosen_exactly_where_it_can_run() -> None:
    can_run = processor_has_the_instructions() and find_spec("llvmlite") is not None
    assert kernel_name() == (COMPILED if can_run else GMPY2)


@pytest.mark.usefixtures("without_choice")
def test_gmpy2_does_the_work_where_the_kernel_cannot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "obstacle_to_compiling", lambda: OBSTACLE)
    assert kernel_name() == GMPY2


def test_the_environment_forces_gmpy2(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "obstacle_to_compiling", lambda: "")
    monkeypatch.setenv(KERNEL_VARIABLE, GMPY2)
    assert kernel_name() == GMPY2


def test_the_environment_forces_the_compiled_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "obstacle_to_compiling", lambda: "")
    monkeypatch.setenv(KERNEL_VARIABLE, COMPILED)
    assert kernel_name() == COMPILED


def test_a_forced_kernel_that_cannot_run_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "obstacle_to_compiling", lambda: OBSTACLE)
    monkeypatch.setenv(KERNEL_VARIABLE, COMPILED)
    with pytest.raises(KernelError, match="asks for the compiled kernel, but this processor"):
        kernel_name()


def test_an_unknown_kernel_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KERNEL_VARIABLE, "cuda")
    with pytest.raises(KernelError, match="'cuda': set it to gmpy2 or compiled"):
        kernel_name()


def test_without_llvmlite_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "find_spec", lambda _name: None)
    obstacle_to_compiling.cache_clear()
    try:
        assert "tallystick[fast]" in obstacle_to_compiling()
    finally:
        obstacle_to_compiling.cache_clear()


def round_of(key: PrivateKey, rows: int, threads: int) -> list[list[int]]:
    """Everything a round computes, number by number, edge values included."""
    random, public = np.random.default_rng(1), key.public
    generator = DeterministicGenerator(b"a secret only the tests know")
    edges = [0, 1, -1, public.n - 1, (public.n - 1) // 2, -((public.n - 1) // 2)]
    plaintexts = [*edges, *random.integers(-(2**40), 2**40, rows - len(edges)).tolist()]
    vector = Encryptor(public).encrypt(plaintexts, generator, threads)
    additions = Encryptor(public, 10_000).encrypt(plaintexts[::-1], generator, threads)
    slopes = random.integers(-(2**12), 2**12, rows)
    residuals = combine([(vector, slopes), (additions, slopes[::-1])], vector, public, threads)
    codes = np.array([random.integers(0, bins, rows) for bins in (2, 3, 5)], dtype=np.uint8)
    gradient = one_hot_gradient(residuals, codes, [2, 3, 6], public, threads)
    packed = pack(gradient, 60, public, threads)
    return [vector, additions, residuals, gradient, packed, key.decrypt_all(packed, threads)]


def test_every_kernel_gives_the_same_integers(
    private_key: PrivateKey, kernel: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    computed = [round_of(private_key, rows=37, threads=threads) for threads in (1, 2)]
    monkeypatch.setenv(KERNEL_VARIABLE, GMPY2)
    assert computed == [round_of(private_key, rows=37, threads=1)] * 2


def test_every_kernel_gives_the_same_integers_at_production_length(
    long_private_key: PrivateKey, kernel: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    computed = round_of(long_private_key, rows=13, threads=2)
    monkeypatch.setenv(KERNEL_VARIABLE, GMPY2)
    assert computed == round_of(long_private_key, rows=13, threads=1)

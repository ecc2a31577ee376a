"""Randomness is a function of the secret and the labels, and of nothing else."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paillier import DeterministicGenerator, PlaintextRangeError, ShapeError, UnsafeKeyError

SECRET = b"a secret only the tests know"
labels = st.lists(st.text() | st.integers() | st.binary(), min_size=1, max_size=4)


def fresh() -> DeterministicGenerator:
    return DeterministicGenerator(SECRET)


@given(labels)
def test_the_same_secret_and_labels_give_the_same_stream(path: list[str | int | bytes]) -> None:
    assert fresh().derive(*path).bytes(64) == fresh().derive(*path).bytes(64)


@given(labels, labels)
def test_different_labels_give_different_streams(
    one: list[str | int | bytes], other: list[str | int | bytes]
) -> None:
    same = [(type(label), label) for label in one] == [(type(label), label) for label in other]
    streams_agree = fresh().derive(*one).bytes(16) == fresh().derive(*other).bytes(16)
    assert streams_agree == same


def test_labels_cannot_be_confused_with_their_neighbours_or_types() -> None:
    paths: list[list[str | int | bytes]] = [
        ["ab", "c"],
        ["a", "bc"],
        ["abc"],
        [b"abc"],
        ["1"],
        [1],
        [b"1"],
        ["", "1"],
        [-1],
    ]
    assert len({fresh().derive(*path).bytes(16) for path in paths}) == len(paths)


def test_deriving_in_steps_is_another_path_than_deriving_at_once() -> None:
    assert fresh().derive("a").derive("b").bytes(16) != fresh().derive("a", "b").bytes(16)


def test_another_secret_gives_another_stream() -> None:
    assert fresh().bytes(16) != DeterministicGenerator(SECRET + b"!").bytes(16)


def test_drawing_moves_the_stream_on_but_not_the_children() -> None:
    # given a generator that has drawn and one that has not
    used, unused = fresh(), fresh()
    first, second = used.bytes(16), used.bytes(16)
    # then its stream never repeats, and both have the same child
    assert first != second
    assert used.derive("child").bytes(16) == unused.derive("child").bytes(16)


def test_a_stream_is_the_same_however_it_is_cut() -> None:
    whole, cut = fresh(), fresh()
    assert whole.bytes(100) == cut.bytes(1) + cut.bytes(0) + cut.bytes(67) + cut.bytes(32)


def test_known_stream_so_that_yesterdays_logs_replay_tomorrow() -> None:
    child = DeterministicGenerator(bytes(32)).derive("job", 7, b"digest")
    assert child.bytes(16).hex() == "6f1fd36d8834bb42f4b269189f571fd5"


@given(st.integers(min_value=1, max_value=2**300), st.integers())
def test_below_stays_in_range(limit: int, label: int) -> None:
    assert 0 <= fresh().derive(label).below(limit) < limit


@given(st.integers(min_value=0, max_value=200), st.integers())
def test_bits_stay_in_range(width: int, label: int) -> None:
    assert 0 <= fresh().derive(label).bits(width) < 2**width


def test_below_is_uniform_where_rejection_matters() -> None:
    generator = fresh()
    counts = np.bincount([generator.below(5) for _ in range(5000)], minlength=5)
    assert len(counts) == 5
    assert counts.min() > 850  # 1,000 expected, standard deviation 28; the stream is fixed


def test_there_is_no_number_below_zero() -> None:
    with pytest.raises(PlaintextRangeError, match="must be >= 1"):
        fresh().below(0)


@given(st.integers(min_value=0, max_value=200), st.integers())
def test_a_permutation_holds_every_index_once(count: int, label: int) -> None:
    permutation = fresh().derive(label).permutation(count)
    assert permutation.dtype == np.int64
    assert sorted(permutation.tolist()) == list(range(count))


def test_permutations_are_drawn_anew_and_repeatable() -> None:
    generator = fresh()
    first, second = generator.permutation(50), generator.permutation(50)
    assert not np.array_equal(first, second)
    assert np.array_equal(first, fresh().permutation(50))


def test_a_secret_that_could_be_guessed_is_refused() -> None:
    with pytest.raises(UnsafeKeyError, match="8 bytes"):
        DeterministicGenerator(b"8 bytes!")


def test_a_child_needs_a_label() -> None:
    with pytest.raises(ShapeError, match="at least one label"):
        fresh().derive()

"""How columns are cut into bins (requirements P3 to P5)."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from learning.binning import (
    Column,
    Rule,
    VariableBins,
    apply_bins,
    learn_bins,
)
from learning.errors import BinningError, ConstantColumnError

NAN = np.nan
Floats = npt.NDArray[np.float64]


def everyone(column: Column) -> npt.NDArray[np.bool_]:
    return np.ones(len(column), bool)


def learn(column: Column, rule: Rule | None = None) -> VariableBins:
    return learn_bins("x", column, everyone(column), rule)


def texts(**counts: int) -> npt.NDArray[np.object_]:
    """A text column with so many of each; `none` stands for missing."""
    values = [None if text == "none" else text for text, n in counts.items() for _ in range(n)]
    return np.array(values, dtype=object)


def repeated(*pairs: tuple[float, int]) -> Floats:
    return np.repeat([float(value) for value, _ in pairs], [count for _, count in pairs])


class TestTheRuleIsFound:
    def test_many_values_become_five_bins_of_equal_size(self) -> None:
        column = np.random.default_rng(1).permutation(1000).astype(float)

        bins = learn(column)

        assert bins.rule is Rule.QUANTILE
        assert bins.edges == (199, 399, 599, 799)
        assert np.bincount(apply_bins(bins, column)).tolist() == [200] * 5

    def test_at_most_five_values_have_a_bin_each(self) -> None:
        bins = learn(repeated((1, 30), (2, 40), (3, 50), (4, 60), (9, 70)))

        assert (bins.rule, bins.edges) == (Rule.VALUES, (1, 2, 3, 4))

    def test_quintiles_that_all_fall_on_zero_become_zero_and_non_zero(self) -> None:
        column = np.concatenate([np.zeros(850), np.arange(1, 151)])

        bins = learn(column)

        assert bins.rule is Rule.ZERO_NONZERO
        assert bins.labels == ("0", "not 0")

    def test_quintiles_that_all_fall_on_zero_become_signs_where_some_are_negative(self) -> None:
        column = np.concatenate([-np.arange(1.0, 41), np.zeros(850), np.arange(1, 111)])

        bins = learn(column)

        assert bins.rule is Rule.SIGN
        assert bins.labels == ("< 0", "0", "> 0")

    def test_signs_are_also_named_where_they_say_what_quintiles_say(self) -> None:
        column = repeated((-1, 300), (0, 600), (1, 20), (2, 20), (3, 30), (8, 30))

        assert learn(column).rule is Rule.SIGN

    def test_one_value_or_missing_becomes_presence(self) -> None:
        bins = learn(repeated((7, 50), (NAN, 50)))

        assert (bins.rule, bins.labels) == (Rule.PRESENCE, ("missing", "present"))

    def test_text_becomes_categories(self) -> None:
        assert learn(texts(clerk=30, farmer=40)).rule is Rule.CATEGORY


class TestTheRuleIsGiven:
    def test_zero_and_non_zero_puts_both_signs_together(self) -> None:
        column = repeated((-2, 30), (0, 40), (5, 30))

        codes = apply_bins(learn(column, Rule.ZERO_NONZERO), column)

        assert codes.tolist() == [1] * 30 + [0] * 40 + [1] * 30

    def test_presence_of_a_text(self) -> None:
        column = texts(none=30, a=1, b=1, c=40)

        codes = apply_bins(learn(column, Rule.PRESENCE), column)

        assert codes.tolist() == [0] * 30 + [1] * 42

    def test_quantiles_of_few_values(self) -> None:
        assert learn(repeated((1, 50), (2, 50)), Rule.QUANTILE).edges == (1.0,)

    @pytest.mark.parametrize("rule", [Rule.QUANTILE, Rule.SIGN, Rule.VALUES, Rule.ZERO_NONZERO])
    def test_a_rule_for_numbers_refuses_text(self, rule: Rule) -> None:
        with pytest.raises(BinningError, match="column x is text"):
            learn(texts(a=30, b=30), rule)

    def test_a_rule_for_text_refuses_numbers(self) -> None:
        with pytest.raises(BinningError, match="column x is numeric"):
            learn(np.arange(100.0), Rule.CATEGORY)

    def test_more_than_255_bins_are_refused(self) -> None:
        with pytest.raises(BinningError, match="more than 255 bins"):
            learn(np.repeat(np.arange(300.0), 20), Rule.VALUES)


class TestMissingValues:
    def test_enough_of_them_have_the_lowest_bin_to_themselves(self) -> None:
        column = repeated((NAN, 20), (1, 50), (2, 50))

        bins = learn(column)

        assert bins.labels[0] == "missing"
        assert apply_bins(bins, np.array([NAN, 1, 2])).tolist() == [0, 1, 2]

    def test_a_few_count_as_minus_infinity(self) -> None:
        bins = learn(repeated((NAN, 19), (1, 50), (2, 50)))

        assert not bins.has_missing_bin
        assert apply_bins(bins, np.array([NAN, 1, 2])).tolist() == [0, 0, 1]

    def test_a_few_missing_texts_join_the_others(self) -> None:
        bins = learn(texts(none=5, a=50, b=60, c=15))

        assert bins.labels == ("a", "b", "other")
        assert apply_bins(bins, texts(none=1, c=1)).tolist() == [2, 2]

    def test_a_text_and_the_missing_alone_are_two_bins(self) -> None:
        assert learn(texts(none=30, a=40)).labels == ("missing", "a")


class TestSmallBins:
    def test_a_small_interval_joins_its_smaller_neighbour(self) -> None:
        bins = learn(repeated((1, 50), (2, 19), (3, 40), (4, 60)))

        assert bins.edges == (1, 3)
        assert bins.merged == 1

    def test_small_intervals_at_the_ends_join_inwards(self) -> None:
        assert learn(repeated((1, 5), (2, 40), (3, 40), (4, 5))).edges == (2.0,)

    def test_rare_texts_share_a_bin(self) -> None:
        bins = learn(texts(a=50, b=12, c=13, d=40))

        assert (bins.labels, bins.merged) == (("a", "d", "other"), 2)

    def test_too_few_rare_texts_join_the_smallest_category(self) -> None:
        bins = learn(texts(a=50, b=12, d=40))

        assert bins.labels == ("a", "d or other")

    def test_rare_texts_are_not_named_in_the_model(self) -> None:
        assert "hermit" not in learn(texts(a=50, b=50, hermit=2)).model_dump_json()

    @given(
        st.lists(
            st.one_of(st.just(NAN), st.integers(-5, 60).map(float)), min_size=60, max_size=300
        ),
        st.sampled_from([None, Rule.QUANTILE, Rule.VALUES, Rule.SIGN, Rule.ZERO_NONZERO]),
    )
    def test_every_learned_bin_has_at_least_twenty_customers(
        self, values: list[float], rule: Rule | None
    ) -> None:
        column = np.array(values)
        try:
            bins = learn(column, rule)
        except ConstantColumnError:
            return
        sizes = np.bincount(apply_bins(bins, column), minlength=bins.bins)
        assert len(sizes) == bins.bins
        assert sizes.min() >= 20


class TestScoringCutsAsTrainingDid:
    def test_edges_are_learned_on_the_training_rows_only(self) -> None:
        column = np.arange(1000.0)
        training = column < 500

        assert learn_bins("x", column, training).edges == (99, 199, 299, 399)

    def test_a_value_on_an_edge_belongs_to_the_lower_bin(self) -> None:
        bins = learn(np.arange(1000.0))

        assert apply_bins(bins, np.array([199, np.nextafter(199, 200)])).tolist() == [0, 1]

    def test_numbers_beyond_the_training_range_fall_in_the_outer_bins(self) -> None:
        assert apply_bins(learn(np.arange(1000.0)), np.array([-1e300, 1e300])).tolist() == [0, 4]

    @pytest.mark.parametrize(
        ("training", "expected"),
        [
            (texts(a=50, b=60, c=10, d=15), "other"),
            (texts(none=30, a=50, b=60), "missing"),
            (texts(a=50, b=60), "b"),
            (texts(none=30, a=50, b=60, c=5), "a or other"),
        ],
    )
    def test_an_unseen_text_goes_to_other_else_missing_else_the_largest(
        self, training: npt.NDArray[np.object_], expected: str
    ) -> None:
        bins = learn(training)

        assert bins.labels[apply_bins(bins, texts(never_seen=1))[0]] == expected

    @given(st.lists(st.floats(allow_nan=True, allow_infinity=False), min_size=100, max_size=200))
    def test_stored_bins_read_back_are_the_same_to_the_bit(self, values: list[float]) -> None:
        column = np.array(values)
        try:
            bins = learn(column)
        except ConstantColumnError:
            return
        again = VariableBins.model_validate_json(bins.model_dump_json())
        assert again == bins
        assert np.array_equal(apply_bins(again, column), apply_bins(bins, column))

    def test_a_column_that_changed_its_kind_is_refused(self) -> None:
        number, text = learn(np.arange(100.0)), learn(texts(a=30, b=30))

        with pytest.raises(BinningError, match="was numeric in training and is text now"):
            apply_bins(number, texts(a=1))
        with pytest.raises(BinningError, match="was text in training and is numeric now"):
            apply_bins(text, np.zeros(1))


class TestColumnsThatSayNothing:
    @pytest.mark.parametrize(
        "column",
        [
            np.full(100, 3.0),
            np.full(100, NAN),
            np.concatenate([np.zeros(990), np.ones(10)]),
            texts(a=100),
            texts(none=100),
            texts(a=100, b=3),
        ],
        ids=["constant", "missing", "almost constant", "one text", "no text", "nearly one text"],
    )
    def test_are_refused_by_name(self, column: Column) -> None:
        with pytest.raises(ConstantColumnError, match="column x has one bin only"):
            learn(column)

    @pytest.mark.parametrize("value", [np.inf, -np.inf])
    def test_infinity_is_refused_by_name_of_the_column(self, value: float) -> None:
        column = np.arange(100.0)
        column[3] = value

        with pytest.raises(BinningError, match="column x holds infinity"):
            learn(column)
        with pytest.raises(BinningError, match="column x holds infinity"):
            apply_bins(learn(np.arange(100.0)), column)

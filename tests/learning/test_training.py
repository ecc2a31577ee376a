"""What the mathematics promises of a whole training, on plaintext integers (T1 to T10)."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest

from learning.curvature import Constant
from learning.fixed_point import from_grid
from learning.pretraining import pretrain
from learning.reference import pooled_reference
from learning.residuals import Kind, Residual
from learning.stopping import StopRule
from tests.learning.shipped import binned, prepared
from tests.oracles.replica import (
    Settings,
    Side,
    joint_scores,
    patent_settings,
    train,
)

Floats = npt.NDArray[np.float64]
TO_THE_END = StopRule(threshold=1e-15, rounds=2)


def a_federation(seed: int = 1) -> tuple[list[Side], Floats]:
    """A bank and two participants whose columns are correlated, and labels that follow them."""
    generator = np.random.default_rng(seed)
    shared = generator.normal(size=(600, 1))
    columns = generator.normal(size=(600, 6)) + 0.7 * shared
    labels = np.where(columns.sum(1) + generator.normal(0, 2, 600) > 1, 1.0, -1.0)
    sides = []
    for own in (columns[:, :2], columns[:, 2:4], columns[:, 4:]):
        table = {str(at): column for at, column in enumerate(own.T)}
        sides.append(binned(table, np.ones(600, bool)))
    return sides, labels


def closed_form(sides: Sequence[Side], labels: Floats, kind: Kind) -> Floats:
    """Solution of (c X'X/n + lambda I0) w = c' X'y/n over the joined columns; intercept last."""
    columns = joined_columns(sides)
    rows, width = columns.shape
    ridge = np.diag([10 / rows] * (width - 1) + [0.0])
    slope, pull = (1.0, 1.0) if kind == "linear" else (0.25, 0.5)
    weights = np.linalg.solve(
        slope * columns.T @ columns / rows + ridge, pull * columns.T @ labels / rows
    )
    return np.asarray(weights, np.float64)


def joined_columns(sides: Sequence[Side]) -> Floats:
    """Everybody's one-hot columns side by side, and the constant."""
    columns = [side.layout.values(side.codes, np.float64) for side in sides]
    return np.column_stack([*columns, np.ones(columns[0].shape[0])])


def training_rows(data: str) -> tuple[Sequence[Side], Floats]:
    """Made up, or the training rows of a shipped data set."""
    if data == "made up":
        return a_federation()
    federation = prepared(data)
    return federation.rows(federation.training), federation.labels[federation.training]


@pytest.mark.parametrize("intercept", [0, 1])
@pytest.mark.parametrize(
    ("kind", "residual"), [("logistic", Residual.TAYLOR), ("linear", Residual.LINEAR)]
)
@pytest.mark.parametrize("data", ["made up", "term_deposit", "high_income"])
def test_a_converged_run_is_the_closed_form_within_a_millionth(
    data: str, kind: Kind, residual: Residual, intercept: int
) -> None:
    """Compared: every parameter, the sum of the constants, and every training row's joint score.

    Parameters lie on a grid of 2^-24 (6e-8), and a score adds up to a few dozen of them.
    """
    sides, labels = training_rows(data)
    if kind == "linear" and data == "made up":
        labels = labels * 30 + 100
    settings = Settings(
        kind=kind, residual=residual, intercept=intercept, maximum_rounds=200, stop=TO_THE_END
    )

    run = train(sides, labels, settings)

    assert run.stopped
    expected = closed_form(sides, labels, kind)
    weights = [from_grid(own) for own in run.weights[-1]]
    constants = sum(own[-1] for own in weights)
    parameters = np.concatenate([*(own[:-1] for own in weights), [constants]])
    assert np.allclose(parameters, expected, rtol=0, atol=1e-6)
    scores = joint_scores(sides, run.weights[-1])
    assert np.allclose(scores, joined_columns(sides) @ expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("data", ["term_deposit", "high_income"])
@pytest.mark.parametrize("participants", [1, 2])
def test_the_joint_model_is_as_good_as_pooling_the_data(data: str, participants: int) -> None:
    federation = prepared(data, participants)

    run, quality = federation.train(Settings())

    assert run.stopped
    assert run.rounds <= 12
    assert quality.auc == pytest.approx(federation.pooled().auc, abs=0.003)


def test_more_participants_need_no_other_settings() -> None:
    federation = prepared("term_deposit", 5)

    run, quality = federation.train(Settings(maximum_rounds=30))

    assert run.stopped
    assert quality.auc == pytest.approx(federation.pooled().auc, abs=0.003)


def test_the_patent_profile_starts_from_every_partys_own_model_and_stops_by_its_losses() -> None:
    federation = prepared("term_deposit")

    run, quality = federation.train(patent_settings(2, step=0.1, maximum_rounds=100))

    assert all(start.any() for start in run.start)
    assert run.stopped
    assert 16 <= run.rounds < 100
    assert abs(run.measures[-1][0] - run.measures[-16][0]) <= 15 * 0.005
    assert quality.auc == pytest.approx(federation.pooled().auc, abs=0.01)


def test_a_job_stops_only_when_all_flags_are_up_at_once() -> None:
    sides, labels = a_federation()

    run = train(sides, labels, Settings(maximum_rounds=30))

    assert [all(flags) for flags in run.flags] == [False] * (run.rounds - 1) + [True]


def test_a_job_ends_at_its_limit_of_rounds() -> None:
    sides, labels = a_federation()

    run = train(sides, labels, Settings(maximum_rounds=3))

    assert (run.rounds, run.stopped) == (3, False)


def test_rows_in_another_order_give_the_same_model_to_the_bit() -> None:
    sides, labels = a_federation()
    order = np.random.default_rng(9).permutation(len(labels))
    shuffled = [Side(np.ascontiguousarray(side.codes[:, order]), side.layout) for side in sides]

    one, other = train(sides, labels, Settings()), train(shuffled, labels[order], Settings())

    assert one.rounds == other.rounds
    for ours, theirs in zip(one.weights[-1], other.weights[-1], strict=True):
        assert ours.tolist() == theirs.tolist()


def test_without_an_intercept_no_party_has_a_constant() -> None:
    sides, labels = a_federation()

    run = train(sides, labels, Settings(intercept=None, maximum_rounds=30))

    assert [int(weights[-1]) for weights in run.weights[-1]] == [0, 0, 0]


class TestPretraining:
    @pytest.mark.parametrize("kind", ["logistic", "linear"])
    def test_is_scikit_learns_model_of_the_own_columns(self, kind: Kind) -> None:
        (bank, *_), labels = a_federation()

        weights = pretrain(
            bank.codes,
            bank.layout,
            labels,
            kind=kind,
            inverse_penalty=0.1,
            constant=Constant.INTERCEPT,
        )

        expected = pooled_reference(
            bank.codes, bank.layout, labels, np.ones(600, bool), kind=kind, inverse_penalty=0.1
        )
        assert np.allclose(joint_scores([bank], [weights]), expected, atol=1e-3)

    def test_leaves_the_intercept_to_the_party_that_holds_it(self) -> None:
        (bank, *_), labels = a_federation()

        weights = pretrain(
            bank.codes,
            bank.layout,
            labels,
            kind="logistic",
            inverse_penalty=0.1,
            constant=Constant.CENTRE,
        )

        assert abs(float(joint_scores([bank], [weights]).mean())) < 1e-6
        assert np.abs(from_grid(weights)).max() > 0.1

"""The shipped data, aligned, binned and divided as a job does it."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

import tallystick
from learning.binning import Column, apply_bins, learn_bins
from learning.folds import fold_of
from learning.layout import Layout
from learning.quality import LogisticQuality, logistic_quality
from learning.reference import pooled_reference
from party.sources import SourceSettings, Table, read_source
from tests.oracles.replica import Run, Settings, Side, joint_scores, train

DATA = Path(str(tallystick.__file__)).parent / "data"


@dataclass(frozen=True)
class Prepared:
    """Every party's codes of all common rows, bank first; fold 0 is held out."""

    sides: tuple[Side, ...]
    labels: npt.NDArray[np.float64]
    training: npt.NDArray[np.bool_]

    def rows(self, mask: npt.NDArray[np.bool_]) -> tuple[Side, ...]:
        return tuple(
            Side(np.ascontiguousarray(side.codes[:, mask]), side.layout) for side in self.sides
        )

    def train(self, settings: Settings) -> tuple[Run, LogisticQuality]:
        """The run, and the joint model's quality on the held-out customers."""
        run = train(self.rows(self.training), self.labels[self.training], settings)
        scores = joint_scores(self.rows(~self.training), run.weights[-1])
        return run, logistic_quality(scores, self.labels[~self.training])

    def pooled(self) -> LogisticQuality:
        scores = pooled_reference(
            np.vstack([side.codes for side in self.sides]),
            Layout.joined(side.layout for side in self.sides),
            self.labels,
            self.training,
            kind="logistic",
            inverse_penalty=0.1,
        )
        return logistic_quality(scores[~self.training], self.labels[~self.training])


@cache
def prepared(name: str, participants: int = 1) -> Prepared:
    """A shipped data set; the partner's columns dealt out to so many participants."""
    bank = read_source(SourceSettings(file=str(DATA / f"{name}_bank.csv.gz")), labelled=True)
    partner = read_source(SourceSettings(file=str(DATA / f"{name}_partner.csv.gz")))
    common = sorted(set(bank.ids) & set(partner.ids))
    training = np.array([fold_of(customer, 5) != 0 for customer in common])
    assert bank.label is not None
    names = list(partner.columns)
    shares = [names[first::participants] for first in range(participants)]
    tables = [_rows(bank, common, list(bank.columns))]
    tables += [_rows(partner, common, share) for share in shares]
    labels = _rows(Table(bank.ids, {"y": bank.label}, None, {}, ()), common, ["y"])["y"]
    sides = tuple(binned(table, training) for table in tables)
    return Prepared(sides, labels.astype(np.float64), training)


def binned(table: Mapping[str, Column], training: npt.NDArray[np.bool_]) -> Side:
    """A party's codes, bins learned on the training rows."""
    variables = [learn_bins(name, column, training) for name, column in table.items()]
    codes = [apply_bins(bins, table[bins.name]) for bins in variables]
    return Side(np.stack(codes), Layout.of(variables, "one-hot"))


def _rows(table: Table, customers: list[str], names: list[str]) -> dict[str, Column]:
    place = {customer: row for row, customer in enumerate(table.ids)}
    rows = np.array([place[customer] for customer in customers])
    return {name: table.columns[name][rows] for name in names}

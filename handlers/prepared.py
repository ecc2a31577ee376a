"""A data party's rows, ready to train on: bins learned, codes made, order agreed (P5, A3)."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from events.preparation import DataPrepared, DataSnapshotted, RowsAligned
from events.rounds import ParametersUpdated
from handlers.delivered import delivered_snapshot, is_served_by_mart
from handlers.errors import ProtocolError
from handlers.history import History
from handlers.own import Own
from handlers.snapshot import Snapshot, decode_snapshot
from learning.binning import VariableBins
from learning.layout import Coding, Layout
from learning.optimisers import Parameters

VARIABLES = TypeAdapter(tuple[VariableBins, ...])
NOTES = TypeAdapter(tuple[str, ...])


@dataclass(frozen=True)
class Prepared:
    """Bins and codes of all common rows; `open_codes` may map a file, for as long as it is read."""

    variables: tuple[VariableBins, ...]
    open_codes: Callable[[], NDArray[np.uint8]] = field(repr=False)
    held_out_mask: NDArray[np.bool_]
    coding: Coding = "one-hot"

    @property
    def codes(self) -> NDArray[np.uint8]:
        """uint8[variables, common rows], in the common order."""
        return self.open_codes()

    @cached_property
    def layout(self) -> Layout:
        return Layout.of(self.variables, self.coding)

    @property
    def bins(self) -> list[int]:
        return [variable.bins for variable in self.variables]

    @property
    def columns(self) -> int:
        return self.layout.columns

    @cached_property
    def training_codes(self) -> NDArray[np.uint8]:
        """uint8[variables, training rows], in the common order."""
        return np.ascontiguousarray(np.asarray(self.codes)[:, ~self.held_out_mask])

    @cached_property
    def held_out_codes(self) -> NDArray[np.uint8]:
        return np.ascontiguousarray(np.asarray(self.codes)[:, self.held_out_mask])


def own_snapshot(history: History, own: Own) -> Snapshot:
    """The party's own table, or what the mart delivered in its place."""
    if is_served_by_mart(history, own):
        return own.remember(("snapshot", history.job), lambda: delivered_snapshot(history, own))
    fact = history.one(DataSnapshotted)
    return own.remember(
        ("snapshot", history.job),
        lambda: decode_snapshot(lambda: own.array(fact.payload("table"), "u1")),
    )


def own_prepared(history: History, own: Own) -> Prepared:
    fact = history.one(DataPrepared)

    def load() -> Prepared:
        return Prepared(
            variables=VARIABLES.validate_json(own.read(fact.payload("bins"))),
            open_codes=lambda: own.array(fact.payload("codes"), "u1"),
            held_out_mask=held_out_mask(history, own),
            coding=history.terms.coding,
        )

    return own.remember(("prepared", history.job), load)


def held_out_mask(history: History, own: Own) -> NDArray[np.bool_]:
    """Which of the common rows nobody trains on, as many as announced. Raises ProtocolError."""
    aligned = history.one(RowsAligned)
    mask = own.array(aligned.payload("held_out"), "u1")
    counts = np.bincount(mask, minlength=2).tolist()
    if counts != [aligned.event.training_rows, aligned.event.held_out_rows]:
        raise ProtocolError(f"{aligned.source} holds out other rows than it announces")
    return mask.astype(np.bool_)


def own_parameters(history: History, own: Own, after_round: int) -> Parameters:
    """The parameters after a round; after round 0 those that the training starts from (T2)."""
    if after_round == 0:
        weights = own.array(history.one(DataPrepared).payload("start"), "i8")
        return Parameters(weights, np.zeros_like(weights))
    fact = history.one(ParametersUpdated, round=after_round)
    return Parameters(
        weights=own.array(fact.payload("weights"), "i8"),
        velocity=own.array(fact.payload("velocity"), "i8"),
    )

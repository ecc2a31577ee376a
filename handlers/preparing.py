"""How a data party makes its rows ready: alignment, bins, codes, starting parameters."""

import numpy as np
from numpy.typing import NDArray

from events.intersection import IntersectionComputed
from events.lifecycle import TrainingRequested
from events.preparation import DataPrepared, FeaturesPrepared, LabelsShared, RowsAligned
from events.terms import Terms
from handlers.alignment import handles_of, rows_of, split_handles
from handlers.coding import check_width
from handlers.delivered import is_served_by_mart, rows_in_mart
from handlers.drafts import Draft, blob, draft, vector
from handlers.errors import JobError, ProtocolError
from handlers.history import History
from handlers.own import Own
from handlers.posted import matched_rows
from handlers.prepared import NOTES, VARIABLES, held_out_mask, own_snapshot
from handlers.scores import constant_of
from handlers.snapshot import Snapshot
from learning.binning import VariableBins, apply_bins, learn_bins
from learning.errors import ConstantColumnError, LearningError, NothingToLearnError
from learning.folds import fold_of
from learning.layout import Layout
from learning.pretraining import pretrain


def own_handles(history: History, own: Own) -> list[bytes]:
    """Keyed hashes of this party's customers, in the order of its snapshot (A1, A2)."""
    key = own.read(history.one(TrainingRequested).payload("alignment_key"))
    return handles_of(key, own_snapshot(history, own).ids)


def common_rows(history: History, own: Own) -> NDArray[np.int64]:
    """Where the common rows stand in the own snapshot, in the common order (A3)."""
    if history.terms.alignment == "psi":
        if own.name != history.terms.local:
            return matched_rows(history, own)
        return own.array(history.one(IntersectionComputed).payload("rows"), "i8")
    if is_served_by_mart(history, own):
        return np.arange(history.one(RowsAligned).event.rows)
    if history.terms.mart is not None:
        return rows_in_mart(history, own, own_snapshot(history, own).ids)
    order = split_handles(own.read(history.one(RowsAligned).payload("handles")))
    if len(order) != history.one(RowsAligned).event.rows or len(set(order)) != len(order):
        raise ProtocolError("the aligned rows are not as many as announced, or repeated")
    try:
        return rows_of(order, own_handles(history, own))
    except KeyError:
        raise ProtocolError("the aligned rows name a customer that this party never had") from None


def own_labels(history: History, own: Own) -> NDArray[np.float64]:
    """Labels of the training rows in units of the job: the own ones, or those shared (T2)."""
    if shared := history.of(LabelsShared):
        return own.array(shared[0].payload("labels"), "f8")
    training = common_rows(history, own)[~held_out_mask(history, own)]
    return training_labels(own_snapshot(history, own), training, history.terms)


def training_labels(
    snapshot: Snapshot, rows: NDArray[np.int64], terms: Terms
) -> NDArray[np.float64]:
    """Raises JobError for one class only: there is nothing to learn (P2)."""
    if snapshot.label is None:
        raise JobError("data", f"{terms.local} has no labels in its data")
    if not len(rows):
        raise JobError(
            "data",
            f"every common customer is in fold {terms.held_out_fold} of {terms.folds}, which is "
            "held out: choose other folds",
        )
    labels = np.asarray(snapshot.label[rows] / terms.label_unit)
    if len(np.unique(labels)) < 2:
        raise JobError("data", "all common training rows have the same label: nothing to learn")
    return labels


def prepare(history: History, own: Own) -> list[Draft]:
    """Bins learned on the training rows, codes of all common rows, and the start (P5, T2)."""
    terms = history.terms
    rows, held_out = common_rows(history, own), held_out_mask(history, own)
    snapshot = own_snapshot(history, own)
    _check_rows(history, own, snapshot, rows, held_out)
    variables: list[VariableBins] = []
    codes = np.empty((len(snapshot.columns), len(rows)), np.uint8)
    constant: list[str] = []
    try:
        for name, column in snapshot.take(rows):
            rule = snapshot.rules.get(name)
            try:
                bins = learn_bins(name, column, ~held_out, rule, terms.smallest_bin)
            except ConstantColumnError:
                constant.append(name)
                continue
            codes[len(variables)] = apply_bins(bins, column)
            variables.append(bins)
        if not variables:
            raise NothingToLearnError(
                f"all {len(constant)} columns are constant on the common training rows"
            )
    except LearningError as error:
        detail = (
            f"the data of {own.name} cannot be binned; its operator finds the reason in its log"
        )
        raise JobError("data", detail, private=str(error)) from None
    layout = Layout.of(variables, terms.coding)
    check_width(terms, layout.columns, own.name)
    matrix = codes[: len(variables)]
    start = _starting_parameters(history, own, layout, matrix, held_out)
    prepared = DataPrepared(job=history.job, variables=len(variables), columns=layout.columns)
    announced = FeaturesPrepared(variables=prepared.variables, columns=prepared.columns)
    return [
        draft(
            prepared,
            history.job,
            terms,
            blob("bins", VARIABLES.dump_json(tuple(variables))),
            vector("codes", matrix),
            vector("start", start),
            blob("notes", NOTES.dump_json(_notes(variables, constant))),
        ),
        draft(announced, history.job, terms),
    ]


def _check_rows(
    history: History,
    own: Own,
    snapshot: Snapshot,
    rows: NDArray[np.int64],
    held_out: NDArray[np.bool_],
) -> None:
    """Enough customers for this party's policy; of the agreed fold held out, and no others."""
    if len(rows) < own.policy.smallest_overlap:
        raise JobError("no-overlap", f"{len(rows)} common customers are too few for {own.name}")
    if is_served_by_mart(history, own):
        return  # it knows no ids, hence no folds
    if not np.array_equal(held_out, held_out_rows(snapshot, rows, history.terms)):
        raise ProtocolError(f"{history.terms.local} holds out other customers than the terms say")


def held_out_rows(snapshot: Snapshot, rows: NDArray[np.int64], terms: Terms) -> NDArray[np.bool_]:
    """True for the customers of the held-out fold; whoever knows an id knows its fold."""
    folds = (fold_of(snapshot.ids[row], terms.folds) for row in rows)
    return np.fromiter((fold == terms.held_out_fold for fold in folds), np.bool_, len(rows))


def _starting_parameters(
    history: History,
    own: Own,
    layout: Layout,
    codes: NDArray[np.uint8],
    held_out: NDArray[np.bool_],
) -> NDArray[np.int64]:
    """The party's own model where it knows labels (T2), else zeros; the constant comes last."""
    terms = history.terms
    if terms.profile != "patent" and own.name != terms.local:
        return np.zeros(layout.columns + 1, np.int64)
    return pretrain(
        codes[:, ~held_out],
        layout,
        own_labels(history, own),
        kind=terms.kind,
        inverse_penalty=terms.inverse_penalty,
        constant=constant_of(terms, own.name),
    )


def _notes(variables: list[VariableBins], constant: list[str]) -> tuple[str, ...]:
    """What the party's own people want to know; private, since it names columns."""
    notes = [f"{name}: left out, the same for (nearly) all customers" for name in constant]
    for bins in variables:
        merged = f", {bins.merged} small bins merged" if bins.merged else ""
        notes.append(f"{bins.name}: {bins.rule}, {bins.bins} bins{merged}")
    return tuple(notes)

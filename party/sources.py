"""A party's own data, read at the edge: a CSV or Parquet file, or a SQL query (P1, P2, P4).

What comes out is what training reads: ids as text exactly as written, columns of numbers (NaN for
missing) or of categories (None for missing), labels. Messages name files and columns and count
rows; they never quote an id or a value.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from learning.binning import Column, Rule
from learning.residuals import Kind
from party.choosing import SourceSettings, chooser
from party.errors import SourceError
from party.raw import ColumnKind, RawColumn, RawTable
from party.sample_reading import OpenKind, read_samples
from party.source_files import as_features, read_file
from party.source_queries import read_query

__all__ = ["SourceSettings", "Table", "read_source"]

MOST_CATEGORIES = 30

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Table:
    """One party's rows; `notes` say to its own people what was found and decided.

    A column is read from the disk whenever it is asked for.
    """

    ids: list[str]
    columns: Mapping[str, Column]
    label: Floats | None
    rules: Mapping[str, Rule]
    notes: tuple[str, ...]


def read_source(
    settings: SourceSettings,
    *,
    kind: Kind = "logistic",
    labelled: bool | None = None,
    folder: Path | None = None,
    open_kind: OpenKind | None = None,
) -> Table:
    """Read everything, by way of a file in `folder`, where a relative file name starts too.

    Raises SourceError.

    `open_kind` opens the kind of samples that the source names.

    Labels become -1 and 1 for a logistic model (P2) and stay as they are for a linear one.
    `labelled` says whether there has to be a label (True), may not be one (False), or may.
    """
    if settings.samples is not None and open_kind is not None:
        with open_kind(settings.samples) as samples:
            settings = settings.model_copy(update={"observed_on": samples.kind.observed_on})
            raw, notes = read_samples(samples, settings, labelled, folder or Path())
            table = _table(raw, settings, kind)
            return replace(table, notes=(*notes, *table.notes))
    choose = chooser(settings, labelled)
    path = (folder or Path()) / settings.file if settings.file is not None else None
    try:
        if path is not None:
            return _table(read_file(path, choose, settings.observed_on, folder), settings, kind)
        raw = read_query(str(settings.url), str(settings.query), choose, folder)
        return _table(as_features(raw, settings.observed_on, folder), settings, kind)
    except SourceError as error:
        raise SourceError(f"{path or 'the query of the source'}: {error}") from None


def _table(raw: RawTable, settings: SourceSettings, kind: Kind) -> Table:
    ids = _checked_ids(raw)
    label = None
    if raw.choice.label is not None:
        label = _label(raw.choice.label, raw.columns[raw.choice.label], kind)
    notes = [_feature(name, raw.columns[name], settings)[1] for name in raw.choice.features]
    columns = _Features(raw, settings)
    return Table(ids, columns, label, settings.rules, tuple(note for note in notes if note))


class _Features(Mapping[str, Column]):
    """The features of a table that was found good, each read when it is asked for (P6)."""

    def __init__(self, raw: RawTable, settings: SourceSettings) -> None:
        self._raw = raw
        self._settings = settings

    def __getitem__(self, name: str) -> Column:
        return _feature(name, self._raw.columns[name], self._settings)[0]

    def __iter__(self) -> Iterator[str]:
        return iter(self._raw.choice.features)

    def __len__(self) -> int:
        return len(self._raw.choice.features)


def _checked_ids(raw: RawTable) -> list[str]:
    """Every row has an id, and no two the same (A3); only counts are told."""
    if not raw.ids:
        raise SourceError("there is no row")
    if missing := sum(not identifier for identifier in raw.ids):
        raise SourceError(f"{missing} rows have no id in the column {raw.choice.id}")
    ids = [identifier for identifier in raw.ids if identifier]
    if repeated := len(ids) - len(set(ids)):
        raise SourceError(
            f"{repeated} rows repeat an id of another row in the column {raw.choice.id}; "
            "keep one row a customer"
        )
    return ids


def _label(name: str, column: RawColumn, kind: Kind) -> Floats:
    """-1 and 1 for a logistic model (P2), any finite numbers for a linear one."""
    if column.kind is not ColumnKind.NUMBER:
        raise SourceError(f"the label {name} is {column.kind}, not a number: recode it as 0 and 1")
    label = column.values.astype(np.float64, copy=False)
    if missing := int(np.isnan(label).sum()):
        raise SourceError(f"{missing} rows have no label in the column {name}: leave them out")
    _refuse_infinity(name, label)
    values = set(np.unique(label))
    if len(values) == 1:
        raise SourceError(f"the label {name} is the same in all rows: there is nothing to learn")
    if kind == "linear":
        return label
    if not (values <= {0.0, 1.0} or values <= {-1.0, 1.0}):
        raise SourceError(
            f"the label {name} has {len(values)} different values; a logistic model needs "
            "0 and 1, -1 and 1, or true and false"
        )
    return np.where(label == 1, 1.0, -1.0)


def _feature(name: str, column: RawColumn, settings: SourceSettings) -> tuple[Column, str]:
    """A column as training reads it, and a note where something was decided."""
    if column.kind is not ColumnKind.TEXT:
        numbers = column.values.astype(np.float64, copy=False)
        _refuse_infinity(name, numbers)
        if column.kind is ColumnKind.DATE:
            day = settings.observed_on or "the day of observation"
            return numbers, f"{name}: dates, taken as days before {day}"
        return numbers, f"{name}: no value at all" if np.isnan(numbers).all() else ""
    texts = column.values.astype(object, copy=False)
    categories = {text for text in texts if text is not None}
    if len(categories) > MOST_CATEGORIES and settings.rules.get(name) is not Rule.PRESENCE:
        raise SourceError(
            f"the column {name} is text with {len(categories)} different values; at most "
            f'{MOST_CATEGORIES} become categories. Leave it out (exclude = ["{name}"]), or keep '
            f'only whether it is there (rules.{name} = "presence")'
        )
    return texts, f"{name}: text, taken as {len(categories)} categories"


def _refuse_infinity(name: str, numbers: Floats) -> None:
    if infinite := int(np.isinf(numbers).sum()):
        raise SourceError(
            f"the column {name} is infinite in {infinite} rows: make them missing, or mend them"
        )

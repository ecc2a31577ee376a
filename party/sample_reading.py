"""Training's features through a kind's extraction, with labels of their own (P1, S5)."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from party.choosing import SourceSettings, chooser
from party.column_spool import ColumnSpool
from party.errors import SourceError
from party.raw import Choice, ColumnKind, RawColumn, RawTable
from party.source_files import as_features, read_file
from party.source_queries import read_query
from scoring.errors import ScoringError
from scoring.features import OBSERVED_AT, SAMPLE_ID
from scoring.loading import load_raw
from scoring.sample_features import Extracted, look_at, stream_features
from scoring.samples import Samples
from scoring.tables import ColumnType

OpenKind = Callable[[str], Samples]


def read_samples(
    samples: Samples, settings: SourceSettings, labelled: bool | None, folder: Path
) -> tuple[RawTable, tuple[str, ...]]:
    """The features that scoring reads, of the customers that have a label where one is needed.

    Raises SourceError.
    """
    labels = _labels(settings, folder) if labelled is not False else None
    if labelled and labels is None:
        raise SourceError(
            f"the samples {samples.name} have no label: name a file, or a url and a query, with "
            "the id and the label under [source]"
        )
    try:
        load_raw(samples)
        extracted = look_at(samples, samples.batch)
        features = [name for name in extracted.names if name != OBSERVED_AT]
        choice = _choice(settings, features)
        batches = stream_features(samples, samples.batch, extracted)
        raw = _collect(batches, choice, extracted, folder)
    except ScoringError as error:
        raise SourceError(str(error)) from None
    return (raw, ()) if labels is None else _join(raw, labels)


def _choice(settings: SourceSettings, features: Sequence[str]) -> Choice:
    changes = {"id": SAMPLE_ID, "label": None}
    return chooser(settings.model_copy(update=changes), False)([SAMPLE_ID, *features])


def _labels(settings: SourceSettings, folder: Path) -> RawTable | None:
    """Ids and labels; the other columns of their file or query are not read."""

    def choose(names: Sequence[str]) -> Choice:
        plain = SourceSettings(file="labels", id=settings.id, label=settings.label)
        chosen = chooser(plain, True, featureless=True)(names)
        return Choice(chosen.id, chosen.label, ())

    if settings.file is not None:
        return read_file(folder / settings.file, choose, None, folder)
    if settings.url is not None:
        raw = read_query(settings.url, str(settings.query), choose, folder)
        return as_features(raw, None, folder)
    return None


def _collect(
    batches: Iterable[pa.RecordBatch], choice: Choice, extracted: Extracted, folder: Path
) -> RawTable:
    ids: list[str | None] = []
    spool = ColumnSpool(choice.features, folder)
    for batch in batches:
        ids += batch.column(SAMPLE_ID).to_pylist()
        for name in choice.features:
            array, type_ = batch.column(extracted.names[name]), extracted.kinds[name].type
            if type_ is ColumnType.TEXT:
                spool.append_texts(name, array)
            else:
                kind = ColumnKind.DATE if type_ is ColumnType.TIME else ColumnKind.NUMBER
                spool.append(name, kind, array.to_numpy(zero_copy_only=False))
    return RawTable(choice, ids, spool)


class _SomeRows(Mapping[str, RawColumn]):
    """Some rows of columns that are read when they are asked for, and one column more."""

    def __init__(
        self,
        columns: Mapping[str, RawColumn],
        rows: npt.NDArray[np.int64],
        more: Mapping[str, RawColumn],
    ) -> None:
        self._columns, self._rows, self._more = columns, rows, more

    def __getitem__(self, name: str) -> RawColumn:
        if name in self._more:
            return self._more[name]
        column = self._columns[name]
        return RawColumn(column.kind, column.values[self._rows])

    def __iter__(self) -> Iterator[str]:
        return iter({**dict.fromkeys(self._columns), **self._more})

    def __len__(self) -> int:
        return len(self._columns.keys() | self._more.keys())


def _join(raw: RawTable, labels: RawTable) -> tuple[RawTable, tuple[str, ...]]:
    """The rows whose id has a label; an id that has several labels is refused."""
    name = str(labels.choice.label)
    place = {one: row for row, one in enumerate(labels.ids) if one}
    if repeated := sum(bool(one) for one in labels.ids) - len(place):
        raise SourceError(f"{repeated} labels are of an id that has another label: keep one an id")
    rows = [row for row, one in enumerate(raw.ids) if one in place]
    if not rows:
        raise SourceError("no sample has a label: are the ids of both written alike?")
    label = labels.columns[name]
    of_rows = np.array([place[str(raw.ids[row])] for row in rows])
    of_samples = RawColumn(label.kind, label.values[of_rows])
    columns = _SomeRows(raw.columns, np.array(rows), {name: of_samples})
    choice = Choice(raw.choice.id, name, raw.choice.features)
    note = (
        f"{len(rows)} samples have a label; {len(raw.ids) - len(rows)} without one are left out, "
        f"and {len(place) - len(rows)} labels without a sample"
    )
    return RawTable(choice, [raw.ids[row] for row in rows], columns), (note,)

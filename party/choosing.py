"""Where a party's data is, and which of its columns are ids, label and features (P1, P5)."""

import datetime as dt
from collections.abc import Mapping, Sequence

from pydantic import BaseModel, ConfigDict, Field, model_validator

from learning.binning import Rule
from party.errors import SourceError
from party.raw import Choice, Choose

ID_NAMES = frozenset(
    {"customer_id", "client_id", "user_id", "member_id", "account_id", "cust_id", "customer"}
    | {"uid", "userid", "phone", "phone_number", "mobile", "msisdn"}
)
LABEL_NAMES = ("y", "label", "target")


class SourceSettings(BaseModel):
    """Where a party's data is and how to read it: `file`, or `url` and `query`, or `samples`.

    `samples` names a kind of samples, whose extraction yields the features; a file or a query
    beside it has the labels, by id. `include` and `exclude` choose features, `rules` sets binning
    rules by hand (P5), `observed_on` is the day to which dates are counted (P4).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    samples: str | None = None
    file: str | None = Field(default=None, min_length=1)
    url: str | None = None
    query: str | None = None
    id: str | None = None
    label: str | None = None
    observed_on: dt.date | None = None
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    rules: Mapping[str, Rule] = {}

    @model_validator(mode="after")
    def _one_place(self) -> "SourceSettings":
        by_query = self.url is not None and self.query is not None
        places = (self.file is not None) + by_query
        enough = places == 1 or (places == 0 and self.samples is not None)
        if not enough or (self.url is None) != (self.query is None):
            raise ValueError("a source is either a file, or a url with a query, or samples")
        return self


def chooser(
    settings: SourceSettings, labelled: bool | None, *, featureless: bool = False
) -> Choose:
    """Which columns are ids, label and features, once their names are known."""

    def choose(names: Sequence[str]) -> Choice:
        identifier = _id_column(settings, names)
        label = _label_column(settings, names, labelled)
        features = [name for name in names if name not in (identifier, label)]
        for setting in ("include", "exclude", "rules"):
            if unknown := [name for name in getattr(settings, setting) if name not in features]:
                raise SourceError(
                    f"{setting} names {', '.join(unknown)}, which the source has not as a feature; "
                    f"it has {_listed(features)}"
                )
        if settings.include:
            features = [name for name in features if name in settings.include]
        features = [name for name in features if name not in settings.exclude]
        if not features and not featureless:
            raise SourceError("the source has no feature besides id and label")
        return Choice(identifier, label, tuple(features))

    return choose


def _id_column(settings: SourceSettings, names: Sequence[str]) -> str:
    if settings.id is not None:
        return _given(settings.id, "id", names)
    found = [name for name in names if name.lower() == "id"]
    found = found or [name for name in names if name.lower() in ID_NAMES]
    if len(found) != 1:
        what = "no column is plainly the id" if not found else f"{_listed(found)} may be the id"
        raise SourceError(f"{what}: name it (id, or --id); the columns are {_listed(names)}")
    return found[0]


def _label_column(
    settings: SourceSettings, names: Sequence[str], labelled: bool | None
) -> str | None:
    if labelled is False:
        return None
    if settings.label is not None:
        return _given(settings.label, "label", names)
    for known in LABEL_NAMES:
        if found := [name for name in names if name.lower() == known]:
            return found[0]
    if labelled:
        raise SourceError(
            "no column is plainly the label: name it (label, or --label); "
            f"the columns are {_listed(names)}"
        )
    return None


def _given(name: str, setting: str, names: Sequence[str]) -> str:
    if name not in names:
        raise SourceError(f"there is no {setting} column {name}; the columns are {_listed(names)}")
    return name


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:30])
    return shown if len(names) <= 30 else f"{shown} and {len(names) - 30} more"

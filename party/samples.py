"""A party's kinds of samples, opened: settings, scripts and raw rows (requirements S4, S5)."""

from collections.abc import Mapping
from pathlib import Path

from events.vocabulary import Role
from party.choosing import SourceSettings
from party.errors import SettingsError
from party.raw_sources import raw_source
from party.settings import PartySettings, from_environment
from scoring.samples import DEFAULT_KIND, SampleKind, Samples


def sample_kinds(settings: PartySettings) -> Mapping[str, SampleKind]:
    """By name, as configured; without any, one made from [source]. Raises SettingsError."""
    if settings.samples:
        return settings.samples
    source = settings.source
    if source is None:
        raise SettingsError(
            "party.toml has neither [samples.NAME] nor [source]: this party has nothing to score"
        )
    kind = SampleKind(
        file=source.file,
        url=source.url,
        query=source.query,
        id=source.id,
        observed_on=source.observed_on,
        include=source.include,
        exclude=source.exclude,
    )
    return {DEFAULT_KIND: kind}


def open_samples(settings: PartySettings, folder: Path, name: str | None = None) -> Samples:
    """One kind at work, the only one where none is named. Raises SettingsError."""
    kinds = sample_kinds(settings)
    if name is None and len(kinds) == 1:
        (name,) = kinds
    if name is None or name not in kinds:
        raise SettingsError(
            f"party.toml has no [samples.{name}]; its kinds of samples are {', '.join(kinds)}"
            if name
            else f"name one of the kinds of samples: {', '.join(kinds)}"
        )
    kind = kinds[name]
    script = _script(folder / kind.extraction) if kind.extraction is not None else None
    if kind.file is None and kind.url is None:
        return Samples(name, kind, folder, script)
    label = settings.source.label if settings.source is not None else None
    place = SourceSettings(
        file=kind.file,
        url=kind.url and from_environment(kind.url, f"samples.{name}.url"),
        query=kind.query,
        id=kind.id,
        label=label,
        include=kind.include,
        exclude=kind.exclude,
    )
    is_feature = settings.role is not Role.LOCAL
    source = raw_source(place, kind.observed, folder, label_is_feature=is_feature)
    return Samples(name, kind, folder, script, source)


def _script(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"the extraction {path} cannot be read: {error}") from None

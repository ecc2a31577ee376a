"""A new party.toml shows every setting there is, as it would be written."""

import re
from pathlib import Path

import pytest

from events.vocabulary import DATA_ROLES, Role
from handlers.policy import Policy
from party.errors import SettingsError
from party.settings import PartySettings, parse_settings
from party.sources import SourceSettings
from party.template import settings_text
from scoring.samples import SampleKind


def uncommented(role: Role, without: tuple[str, ...]) -> PartySettings:
    """The template with every example in force, but for some settings of [source]."""
    lines = settings_text(role, "somebody", None, "").splitlines()
    shown = [re.sub(r"^# (?=\[|[a-z_]+ = )", "", line) for line in lines]
    left = [line for line in shown if line.split(" = ")[0] not in without]
    return parse_settings("\n".join(left), Path("party.toml"))


@pytest.mark.parametrize("role", sorted(DATA_ROLES))
@pytest.mark.parametrize("without", [("file",), ("url", "query")])
def test_every_setting_of_a_source_is_shown_and_can_be_used(
    role: Role, without: tuple[str, ...]
) -> None:
    source = uncommented(role, without).source
    assert source is not None
    assert source.model_fields_set == SourceSettings.model_fields.keys() - set(without)


@pytest.mark.parametrize("role", sorted(DATA_ROLES))
def test_every_setting_of_a_kind_of_samples_is_shown_and_can_be_used(role: Role) -> None:
    kinds = uncommented(role, ("file",)).samples
    places = {"file", "url", "query"}  # in place of a table
    assert kinds["customer"].model_fields_set == SampleKind.model_fields.keys() - places


def test_every_limit_of_a_policy_is_shown_and_can_be_used() -> None:
    policy = uncommented(Role.ARBITER, ()).policy
    assert policy.model_fields_set >= Policy.model_fields.keys() - {"accept_short_keys"}


def test_a_new_party_is_valid_before_anything_is_filled_in() -> None:
    settings = parse_settings(settings_text(Role.LOCAL, "bank", None, ""), Path("party.toml"))
    assert (settings.name, settings.source, settings.policy) == ("bank", None, Policy())


def test_two_kinds_of_samples_never_share_a_table() -> None:
    """Given a kind x, whose tables may be numbered, then no other is called x_1 (S5, P6)."""
    text = 'name = "bank"\nrole = "local"\n[samples.customer_2]\n'
    assert parse_settings(text, Path("party.toml")).samples
    with pytest.raises(SettingsError, match=r"\[samples.customer_2\] could share tables"):
        parse_settings(text + "[samples.customer]\n", Path("party.toml"))

"""A party's folder: made whole or not at all, its secrets closed, settings checked by name."""

from pathlib import Path

import pytest

from events.vocabulary import Role
from paillier.keys import generate_key_pair
from party.creating import create_party
from party.errors import FolderError, KeyFileError, SettingsError
from party.folder import PartyFolder
from party.opening import keep_private_key, open_party, party_card, read_private_key
from party.settings import (
    broker_of,
    from_environment,
    log_address,
    model_from_environment,
    read_settings,
)
from tests.party.federation import ROLES


def write(folder: PartyFolder, text: str) -> None:
    folder.settings.write_text(text, encoding="utf-8")


@pytest.mark.parametrize("name", ["bank", "partner", "arbiter", "watcher"])
def test_a_new_party_can_be_opened_as_it_is(tmp_path: Path, name: str) -> None:
    create_party(tmp_path / name, ROLES[name], name)
    party = open_party(tmp_path / name)
    assert (party.name, party.role) == (name, ROLES[name])
    assert party.card == party_card(tmp_path / name)
    assert party.log.head() == 0
    party.close()


def test_secrets_are_readable_by_their_owner_alone(tmp_path: Path) -> None:
    folder = create_party(tmp_path / "bank", Role.LOCAL, "bank")
    modes = {path.name: path.stat().st_mode & 0o777 for path in folder.keys.iterdir()}
    assert modes == {"signing.key": 0o600, "sealing.key": 0o600, "master.secret": 0o600}
    assert folder.keys.stat().st_mode & 0o777 == 0o700


def test_two_parties_share_no_key(tmp_path: Path) -> None:
    for name in ("bank", "partner"):
        create_party(tmp_path / name, ROLES[name], name)
    one, other = party_card(tmp_path / "bank"), party_card(tmp_path / "partner")
    assert one.signing_key != other.signing_key
    assert one.sealing_key != other.sealing_key


@pytest.mark.parametrize("file", ["signing.key", "sealing.key", "master.secret"])
def test_a_key_that_others_can_read_is_refused_with_the_remedy(tmp_path: Path, file: str) -> None:
    folder = create_party(tmp_path / "bank", Role.LOCAL, "bank")
    (folder.keys / file).chmod(0o640)
    with pytest.raises(KeyFileError, match=f"chmod 600 .*{file}"):
        open_party(folder.path)


@pytest.mark.parametrize("file", ["signing.key", "sealing.key", "master.secret"])
def test_a_damaged_or_missing_key_is_named(tmp_path: Path, file: str) -> None:
    folder = create_party(tmp_path / "bank", Role.LOCAL, "bank")
    (folder.keys / file).write_bytes(b"\xff no key")
    with pytest.raises(KeyFileError, match=f"{file} is damaged"):
        open_party(folder.path)
    (folder.keys / file).unlink()
    with pytest.raises(KeyFileError, match=f"{file} cannot be read"):
        open_party(folder.path)


def test_an_occupied_folder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "bank").mkdir()
    (tmp_path / "bank" / "precious").write_text("data")
    with pytest.raises(FolderError, match="not empty"):
        create_party(tmp_path / "bank", Role.LOCAL, "bank")
    assert [path.name for path in tmp_path.rglob("*")] == ["bank", "precious"]


@pytest.mark.parametrize("name", ["Bank", "my bank", "", "a" * 33, "../bank"])
def test_a_name_that_cannot_be_makes_no_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(SettingsError, match="name"):
        create_party(tmp_path / "party", Role.LOCAL, name)
    assert list(tmp_path.iterdir()) == []


def test_unknown_settings_are_named(tmp_path: Path) -> None:
    folder = create_party(tmp_path / "bank", Role.LOCAL, "bank")
    write(folder, 'name = "bank"\nrole = "local"\ncolour = 1\n[policy]\nleek_budget = 2\n')
    with pytest.raises(SettingsError) as error:
        read_settings(folder)
    assert "unknown setting colour" in str(error.value)
    assert "unknown setting policy.leek_budget" in str(error.value)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('name = "bank"\nrole = "banker"', "role"),
        ('name = "bank"', "role: Field required"),
        ('name = "bank"\nrole = "local"\nthreads = 0', "threads"),
        ('name = "bank', "not TOML"),
        ('name = "a"\nrole = "arbiter"\n[source]\nfile = "x.csv"', "role arbiter has none"),
    ],
)
def test_a_setting_that_cannot_be_is_named(tmp_path: Path, text: str, complaint: str) -> None:
    folder = create_party(tmp_path / "bank", Role.LOCAL, "bank")
    write(folder, text)
    with pytest.raises(SettingsError, match=complaint):
        read_settings(folder)


def test_a_folder_that_is_no_partys_says_so(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="tally party new"):
        open_party(tmp_path)


def test_tables_given_at_creation_replace_the_examples(tmp_path: Path) -> None:
    tables = '[source]\nfile = "rows.csv"\nid = "id"\n[policy]\nrequesters = ["bank"]\n'
    folder = create_party(tmp_path / "partner", Role.PARTICIPANT, "partner", tables=tables)
    settings = read_settings(folder)
    assert settings.source is not None
    assert settings.source.file == "rows.csv"
    assert settings.policy.requesters == ("bank",)


def test_secrets_come_from_the_environment_when_they_are_used(tmp_path: Path) -> None:
    folder = create_party(
        tmp_path / "bank", Role.LOCAL, "bank", broker="amqp://bank:${TALLY_TEST_SECRET}@host/v"
    )
    settings = read_settings(folder)
    with pytest.raises(SettingsError, match=r"broker of party.toml needs .* TALLY_TEST_SECRET"):
        broker_of(settings, folder)
    assert from_environment("a${X}b${X}", "any", {"X": "1"}) == "a1b1"


def test_a_source_takes_secrets_from_the_environment_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables = '[source]\nurl = "postgresql://u:${TALLY_TEST_SECRET}@h/d"\nquery = "select 1"\n'
    folder = create_party(tmp_path / "bank", Role.LOCAL, "bank", tables=tables)
    monkeypatch.setenv("TALLY_TEST_SECRET", "sesame")
    source = read_settings(folder).source
    assert source is not None
    assert model_from_environment(source, "source").url == "postgresql://u:sesame@h/d"


def test_a_relative_store_lies_in_the_folder(tmp_path: Path) -> None:
    folder = create_party(tmp_path / "bank", Role.LOCAL, "bank")
    assert log_address(read_settings(folder), folder) == f"sqlite:///{folder.path}/log.sqlite"
    write(folder, 'name = "bank"\nrole = "local"\nstore = "sqlite:///other.db"')
    assert log_address(read_settings(folder), folder) == f"sqlite:///{folder.path}/other.db"


def test_a_paillier_key_is_kept_by_its_id(tmp_path: Path) -> None:
    folder = create_party(tmp_path / "arbiter", Role.ARBITER, "arbiter")
    key = generate_key_pair(256, minimum_bits=256)
    keep_private_key(folder, key)
    assert read_private_key(folder, key.public.key_id) == key
    path = next((folder.keys / "paillier").iterdir())
    assert path.stat().st_mode & 0o777 == 0o600
    path.rename(path.with_name("f" * 64 + ".json"))
    with pytest.raises(KeyFileError, match="another key"):
        read_private_key(folder, "f" * 64)

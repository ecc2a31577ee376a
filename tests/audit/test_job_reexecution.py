"""Deciding a party's part again needs its log, one job's secret and its data; nothing else (D4)."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from audit.errors import EvidenceError
from audit.export import export_log
from audit.job_reexecution import JobReexecution, Material, reexecute_job
from audit.job_secret import JobSecret, job_secret_of, read_job_secret, write_job_secret
from audit.log_copy import Scope
from audit.opening import open_log
from paillier.keys import PrivateKey
from party.choosing import SourceSettings
from party.errors import KeyFileError
from party.opening import Party, read_private_key_file
from tests.audit.conftest import JOB, Federation
from tests.audit.forging import insider, log_of, place_of, rechained, with_data
from tests.tallystick.federations import tally, well


def keys_of(party: Party) -> Mapping[str, PrivateKey]:
    keys = map(read_private_key_file, party.folder.path.glob("keys/paillier/*.json"))
    return {key.public.key_id: key for key in keys}


def again(party: Party, place: str, **material: Any) -> JobReexecution:
    given = {"secret": job_secret_of(party, JOB), "keys": keys_of(party), **material}
    with open_log(place) as copy:
        return reexecute_job(copy, Material(**given))


def exported(party: Party, folder: Path) -> str:
    path = folder / f"{party.name}.tally"
    export_log(party, path, Scope(JOB), payloads=True)
    return str(path)


@pytest.mark.parametrize("name", ["bank", "partner", "arbiter"])
def test_an_honest_party_is_proved_from_its_export(
    name: str, federation: Federation, tmp_path: Path
) -> None:
    party = federation[name]
    result = again(party, exported(party, tmp_path))
    assert result.divergences == ()
    assert all(one.holds for one in result.commitments)
    assert result.holds
    assert result.repeated > 5
    assert (result.decrypted > 0) == (name == "arbiter")


def test_the_data_at_hand_are_those_of_the_training(federation: Federation, tmp_path: Path) -> None:
    partner = federation["partner"]
    place, data = exported(partner, tmp_path), partner.folder.path.parent / "partner.csv"
    result = again(partner, place, source=SourceSettings(file=str(data)))
    assert result.holds
    assert "data as given, read again" in {one.what for one in result.commitments}
    lines = data.read_text().splitlines()
    altered = tmp_path / "altered.csv"
    altered.write_text("\n".join(lines[:-1]) + "\n")
    result = again(partner, place, source=SourceSettings(file=str(altered)))
    assert not result.holds
    assert [one.detail for one in result.commitments if not one.holds] == [
        "the data given are not those that training was done on"
    ]


def test_another_secret_is_not_the_one_committed_to(federation: Federation, tmp_path: Path) -> None:
    bank = federation["bank"]
    false = JobSecret(party="bank", job=JOB, secret="ab" * 32)
    result = again(bank, exported(bank, tmp_path), secret=false)
    failed = {one.what: one.detail for one in result.commitments if not one.holds}
    assert failed == {
        "secret, in TrainingRequested": "the secret given is not the one that the party committed "
        "to",
        "request and its keys": "the body differs in secret_commitment",
    }


def test_an_altered_private_number_is_named_in_plain_words(
    federation: Federation, tmp_path: Path
) -> None:
    """Given a bank that falsified its own loss and signed everything anew."""
    bank = federation["bank"]
    entries = log_of(bank)
    place = place_of(entries, "bank", "LossRecorded")
    entries[place] = with_data(entries[place], value=0.25)
    chained = rechained(entries, "bank", bank.identity.signing)
    forged = insider(bank, chained, tmp_path)
    with pytest.raises(EvidenceError, match="needs the payloads"):
        again(bank, forged)
    with open_log(forged) as copy, open_log(str(bank.folder.path)) as folder:
        from dataclasses import replace

        whole = replace(copy, payloads=folder.payloads)
        result = reexecute_job(whole, Material(secret=job_secret_of(bank, JOB)))
    (found,) = result.divergences
    assert (found.position, found.event) == (place + 1, "LossRecorded")
    assert found.detail == "the body differs in value"


def test_what_is_missing_is_asked_for(federation: Federation, tmp_path: Path) -> None:
    bank, arbiter = federation["bank"], federation["arbiter"]
    shared = tmp_path / "shared.tally"
    export_log(bank, shared, Scope(JOB, private=False), payloads=True)
    with pytest.raises(EvidenceError, match="--private --payloads"):
        again(bank, str(shared))
    with pytest.raises(EvidenceError, match="they do not match"):
        again(bank, exported(arbiter, tmp_path))
    with pytest.raises(EvidenceError, match="needs its key"):
        again(arbiter, exported(arbiter, tmp_path), keys={})
    with pytest.raises(EvidenceError, match="has no job winter"):
        job_secret_of(bank, "winter")


def test_the_secret_of_one_job_says_nothing_of_another(
    federation: Federation, tmp_path: Path
) -> None:
    bank, path = federation["bank"], tmp_path / "secret"
    secret = job_secret_of(bank, JOB)
    assert bank.identity.secret.hex() not in secret.model_dump_json()
    write_job_secret(secret, path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert read_job_secret(path) == secret
    with pytest.raises(EvidenceError, match="is there already"):
        write_job_secret(secret, path)
    path.chmod(0o644)
    with pytest.raises(KeyFileError, match="chmod 600"):
        read_job_secret(path)


def test_the_commands_prove_a_party_to_an_auditor(federation: Federation, tmp_path: Path) -> None:
    arbiter = federation["arbiter"]
    place, secret = exported(arbiter, tmp_path), tmp_path / "secret.json"
    well(tally("secret", "export", secret, "--job", JOB, "--as", arbiter.folder.path))
    (key,) = arbiter.folder.path.glob("keys/paillier/*.json")
    given: list[object] = ["audit", "reexecute", place, "--secret", secret, "--key", key]
    said = well(tally(*given)).out
    assert "decided again, 4 of them decryptions" in said
    assert "the same, to the bit" in said
    assert json.loads(well(tally(*given, "--json")).out)["holds"] is True
    folder = federation["partner"].folder.path
    assert "the same" in well(tally("audit", "reexecute", folder, "--job", JOB)).out
    assert "give --secret" in tally("audit", "reexecute", folder).err

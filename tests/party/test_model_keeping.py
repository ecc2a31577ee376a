"""The life of a model at one party: versions, what serves, and going back (C2, C4)."""

from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from events.models import ModelActivated, ModelConverted
from events.vocabulary import Role
from learning.binning import learn_bins
from party.creating import create_party
from party.errors import RequestError
from party.jobs import job_history
from party.model_keeping import activate, convert_document, life_of, retire, roll_back, withdraw
from party.opening import Party, open_party
from scoring.errors import ScoringError
from scoring.models.linear import BinnedTerm, LinearModel


@pytest.fixture
def bank(tmp_path: Path) -> Party:
    (tmp_path / "bank.csv").write_text("id,x\n1,0.5\n2,-0.5\n")
    tables = f'[source]\nfile = "{tmp_path}/bank.csv"\n'
    create_party(tmp_path / "bank", Role.LOCAL, "bank", tables=tables)
    return open_party(tmp_path / "bank")


def model(weight: float) -> LinearModel:
    cut = learn_bins("x", np.linspace(-1, 1, 101), np.ones(101, np.bool_))
    return LinearModel(
        model_id="spring",
        role=Role.LOCAL,
        digest="0" * 64,
        kind="logistic",
        combination="sigmoid",
        outputs=1,
        intercepts=(0.0,),
        terms=(BinnedTerm(cut=cut, weights=((weight,) * cut.bins,)),),
    )


def test_the_first_version_serves_and_a_later_one_when_it_is_activated(bank: Party) -> None:
    convert_document(bank, model(1.0))
    convert_document(bank, model(2.0))
    assert [one.version for one in life_of(bank, "spring").versions] == [1, 2]
    assert life_of(bank, "spring").active == 1
    assert activate(bank, "spring").version == 2
    assert life_of(bank, "spring").active == 2


def test_the_same_document_twice_changes_nothing(bank: Party) -> None:
    assert convert_document(bank, model(1.0)).is_new
    before = bank.log.head()
    assert not convert_document(bank, model(1.0)).is_new
    assert bank.log.head() == before
    assert len(job_history(bank.log, "spring").of(ModelConverted)) == 1


@pytest.mark.parametrize(
    ("tables", "told"),
    [
        ('[source]\nfile = "FOLDER/other.csv"\n', "columns that are not here: x;"),
        ('[samples.own]\nfile = "FOLDER/other.csv"\nextraction = "own.sql"\n', "not here: x;"),
        ('[samples.own]\ntable = "t"\nid = "id"\ncolumns = {id = "text"}\n', "not here: x;"),
        ('[samples.own]\ntable = "t"\nid = "id"\n', "has no table t of raw samples"),
    ],
    ids=["file", "script", "messages", "nothing yet"],
)
def test_a_model_of_columns_that_the_samples_lack_is_refused_before_it_is_stored(
    tmp_path: Path, tables: str, told: str
) -> None:
    (tmp_path / "other.csv").write_text("id,paid\n1,0.5\n2,-0.5\n")
    tables = tables.replace("FOLDER", str(tmp_path))
    create_party(tmp_path / "bank", Role.LOCAL, "bank", tables=tables)
    (tmp_path / "bank" / "own.sql").write_text("SELECT id AS sample_id, x / 2 AS paid FROM raw_own")

    with closing(open_party(tmp_path / "bank")) as party:
        before = party.log.head()
        with pytest.raises(ScoringError, match=told):
            convert_document(party, model(1.0))

        assert party.log.head() == before
        with pytest.raises(RequestError, match="no model spring"):
            life_of(party, "spring")


def test_a_model_over_any_of_several_kinds_of_samples_is_taken(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,x\n1,0.5\n")
    (tmp_path / "b.csv").write_text("id,paid\n1,0.5\n")
    tables = "".join(f'[samples.{name}]\nfile = "{tmp_path}/{name}.csv"\n' for name in "ab")
    create_party(
        tmp_path / "bank", Role.LOCAL, "bank", tables=tables + '[scoring]\nsamples = "b"\n'
    )

    with closing(open_party(tmp_path / "bank")) as party:
        assert convert_document(party, model(1.0)).is_new


def test_going_back_is_to_the_version_before_and_forth_again(bank: Party) -> None:
    convert_document(bank, model(1.0))
    convert_document(bank, model(2.0))
    activate(bank, "spring", 2)
    assert roll_back(bank, "spring").version == 1
    assert roll_back(bank, "spring").version == 2
    told = [fact.event for fact in job_history(bank.log, "spring").of(ModelActivated)]
    assert [(one.version, one.instead_of) for one in told] == [(2, 1), (1, 2), (2, 1)]


def test_what_is_retired_serves_again_when_it_is_activated(bank: Party) -> None:
    convert_document(bank, model(1.0))
    retire(bank, "spring")
    assert life_of(bank, "spring").active is None
    activate(bank, "spring", 1)
    assert life_of(bank, "spring").active == 1


def test_a_retirement_leaves_the_way_back_as_it_was(bank: Party) -> None:
    convert_document(bank, model(1.0))
    convert_document(bank, model(2.0))
    activate(bank, "spring", 2)
    retire(bank, "spring")
    with pytest.raises(RequestError, match="activate spring --version 2` takes it back"):
        roll_back(bank, "spring")
    activate(bank, "spring", 2)
    assert roll_back(bank, "spring").version == 1
    retire(bank, "spring")
    activate(bank, "spring", 2)
    assert roll_back(bank, "spring").version == 1


def test_what_makes_no_sense_is_one_clear_error(bank: Party) -> None:
    with pytest.raises(RequestError, match="has no model spring"):
        activate(bank, "spring")
    convert_document(bank, model(1.0))
    with pytest.raises(RequestError, match="has no version 3: there are 1"):
        activate(bank, "spring", 3)
    with pytest.raises(RequestError, match="answers requests already"):
        activate(bank, "spring", 1)
    with pytest.raises(RequestError, match="no other version"):
        roll_back(bank, "spring")
    with pytest.raises(RequestError, match="took no part in a training"):
        withdraw(bank, "spring")
    retire(bank, "spring")
    with pytest.raises(RequestError, match="retired already"):
        retire(bank, "spring")

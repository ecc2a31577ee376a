"""Terms: a job that makes no sense is refused before anybody hears of it."""

import pytest
from pydantic import ValidationError

from events.terms import Member, Terms
from events.vocabulary import Role
from tests.simulation import job_terms


def changed(**fields: object) -> Terms:
    return Terms.model_validate({**job_terms().model_dump(), **fields})


def test_a_short_key_needs_the_test_flag() -> None:
    with pytest.raises(ValidationError, match="512 bits is too short"):
        changed(short_key_for_tests=False)


@pytest.mark.parametrize("missing", [Role.LOCAL, Role.PARTICIPANT, Role.ARBITER])
def test_a_job_needs_each_role(missing: Role) -> None:
    members = tuple(member for member in job_terms().members if member.role is not missing)
    with pytest.raises(ValidationError, match=f"role {missing}"):
        changed(members=members)


def test_a_party_has_one_role() -> None:
    twice = (*job_terms().members, Member(name="bank", role=Role.AUDITOR))
    with pytest.raises(ValidationError, match="named twice"):
        changed(members=twice)


def test_the_held_out_fold_exists() -> None:
    with pytest.raises(ValidationError, match="held_out_fold"):
        changed(folds=5, held_out_fold=5)


def test_the_intercept_is_with_one_party() -> None:
    assert job_terms(2, intercept="local").intercept_holder == "bank"
    assert job_terms(2, intercept="participant").intercept_holder == "partner-1"
    assert job_terms(2, intercept="none").intercept_holder is None


def test_customers_share_ciphertexts_only_where_all_are_scaled_alike() -> None:
    """The default profile gives every customer a multiplier (design, Training mathematics)."""
    with pytest.raises(ValidationError, match="rows_per_ciphertext must be 1"):
        changed(rows_per_ciphertext=2)
    assert changed(rows_per_ciphertext=1).rows_per_ciphertext == 1
    for alike in ({"profile": "patent"}, {"kind": "linear"}):
        assert changed(rows_per_ciphertext=7, **alike).rows_per_ciphertext == 7

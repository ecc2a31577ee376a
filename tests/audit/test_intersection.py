"""A private set intersection over real logs: run again to the bit, counted for the quota (A2)."""

from collections.abc import Iterator

import pytest

from audit.reexecution import reexecute
from events.intersection import IntersectionsCounted
from party.opening import Party
from party.work import intersections
from tests.audit.conftest import Federation, terms, trained_federation


@pytest.fixture(scope="module")
def federation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    made = trained_federation(tmp_path_factory.mktemp("intersected"), "psi")
    yield made
    for party in made.parties.values():
        party.close()


@pytest.mark.parametrize(
    ("name", "believed"),
    [
        (
            "bank",
            {"DataSnapshotted", "TrainingRequested", "ModelConverted", "CheckpointPosted"},
        ),
        (
            "partner",
            {"DataSnapshotted", "IntersectionsCounted", "ModelConverted", "CheckpointPosted"},
        ),
        ("arbiter", {"KeyPairGenerated", "CheckpointPosted"}),
    ],
)
def test_every_batch_is_made_again_to_the_bit(
    name: str, believed: set[str], federation: Federation
) -> None:
    result = reexecute(federation[name].log.read(limit=10_000), federation[name].own)
    assert result.divergences == ()
    assert set(result.from_outside) == believed


def counted(party: Party, requester: str) -> int:
    agreed = terms("psi")
    members = tuple(
        member.model_copy(update={"name": requester}) if member.name == "bank" else member
        for member in agreed.members
    )
    stored = intersections(party, "summer", agreed.model_copy(update={"members": members}))
    assert isinstance(stored.draft.event, IntersectionsCounted)
    return stored.draft.event.within_a_day


def test_an_admitted_set_counts_for_the_requester_and_for_nobody_else(
    federation: Federation,
) -> None:
    assert counted(federation["partner"], "bank") == 1
    assert counted(federation["partner"], "other-bank") == 0

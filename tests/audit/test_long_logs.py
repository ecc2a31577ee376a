"""A log of many jobs is checked in little memory, with the same findings as if all were there."""

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit import histories
from audit.log_copy import LogCopy, Scope
from audit.payload_files import FolderPayloads
from audit.tree_checks import Leaves
from audit.verification import Verification, verify
from events.card import PartyCard
from events.envelope import Envelope
from events.lifecycle import TrainingRequested
from events.merkle import MerkleTree, leaf_hash
from events.rounds import RoundCompleted, StopFlagRaised
from events.vocabulary import Role
from events.witness import CheckpointPosted, HeadSeen
from store.entry import Entry
from tests.envelopes import SOME_DIGEST, Issuer, terms

ROLES = {"bank": Role.LOCAL, "partner": Role.PARTICIPANT, "arbiter": Role.ARBITER}


def card(issuer: Issuer) -> PartyCard:
    key = base64.b64encode(issuer.key.public_key().public_bytes_raw()).decode()
    return PartyCard(
        name=issuer.name,
        role=ROLES[issuer.name],
        signing_key=key,
        sealing_key="age1" + "q" * 58,
    )


class Story:
    """Several jobs at once, rightly begun or not, in any order."""

    def __init__(self) -> None:
        self.bank, self.partner, self.arbiter = map(Issuer, ROLES)
        self.told: list[Envelope] = []
        self._last: dict[str, Envelope] = {}

    def tell(self, what: int, job: str, number: int) -> None:
        cause = self._last.get(job)
        match what:
            case 0:
                asked = TrainingRequested(
                    terms=terms(),
                    customers=5,
                    secret_commitment=SOME_DIGEST,
                    data_commitment=SOME_DIGEST,
                )
                said = self.bank.says(asked, job, cause)
            case 1:
                said = self.partner.says(StopFlagRaised(round=number), job, cause)
            case 2:
                said = self.arbiter.says(RoundCompleted(round=number), job, cause)
            case _:
                posted = CheckpointPosted(
                    origin="tallystick/arbiter/0",
                    size=number,
                    root=SOME_DIGEST,
                    signature=base64.b64encode(bytes(64)).decode(),
                    since=0,
                    consistency=(),
                    heads=(HeadSeen(source="bank", sequence=0, digest=SOME_DIGEST),),
                )
                said = self.arbiter.says(posted, job, cause)
        self._last[job] = said
        self.told.append(said)

    def copy(self) -> LogCopy:
        entries = [
            Entry(position, one.canonical_bytes())
            for position, one in enumerate(self.told, start=1)
        ]
        return LogCopy(
            place="made up",
            party="arbiter",
            cards={one.name: card(one) for one in (self.bank, self.partner, self.arbiter)},
            own_cards=False,
            head=len(entries),
            scope=Scope(),
            entries=lambda: iter(entries),
            payloads=FolderPayloads(Path("no payloads")),
        )


@contextmanager
def little_memory(facts: int) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(histories, "MOST_FACTS", facts)
        patch.setattr(histories, "MOST_BYTES", 1000)
        yield


moments = st.tuples(
    st.integers(0, 3), st.sampled_from(["job-1", "job-2", "job-3"]), st.integers(1, 3)
)


@given(st.lists(moments, max_size=25), st.integers(0, 6))
def test_jobs_put_aside_and_read_again_give_the_same_findings(
    moments: list[tuple[int, str, int]], facts: int
) -> None:
    story = Story()
    for what, job, number in moments:
        story.tell(what, job, number)
    whole: Verification = verify(story.copy())
    with little_memory(facts):
        assert verify(story.copy()) == whole


@given(st.lists(st.integers(0, 12), max_size=12), st.sets(st.integers(0, 12)))
def test_leaves_in_their_order_need_no_list_and_others_are_told_apart(
    numbers: list[int], left_out: set[int]
) -> None:
    """Whether numbered in order, with gaps or twice: only the whole tree has the root."""
    from audit.partial_tree import PartialTree, omitted_parts

    everything = [bytes([number]) for number in range(13)]
    tree = MerkleTree(everything)
    in_order = [number for number in range(13) if number not in left_out]
    for order in (numbers, in_order):
        leaves, by_number = Leaves(), {}
        for number in order:
            leaves.take(number, leaf_hash(everything[number]))
            by_number[number] = leaf_hash(everything[number])
        omitted = dict(omitted_parts(tree, sorted(set(order))))
        assert len(leaves) == len(by_number)
        assert leaves.by_number() == by_number
        assert leaves.root_beside(omitted, 13) == tree.root()
        assert leaves.root_beside({}, 13) == PartialTree(by_number, {}, 13).root()


def test_a_tree_without_events_is_the_empty_one() -> None:
    assert Leaves().root_beside({}, 0) == MerkleTree().root()

"""Small payloads travel to the disk inside the log, until their files are safe there."""

from contextlib import closing
from pathlib import Path

import pytest

from audit.opening import open_log
from bus.memory import MemoryBroker
from events.preparation import IdentifiersPosted
from handlers.drafts import blob
from party.opening import Party, open_party
from party.settling import settle_payloads
from store.small_payloads import LARGEST_SMALL
from tests.party.federation import Node, request, say

CONTENT = b"h" * 64


@pytest.fixture
def posted(parties: dict[str, Party]) -> str:
    """The commitment of a small payload that the partner posted and the bank received."""
    broker = MemoryBroker()
    bank, partner = (Node(parties[name], broker) for name in ("bank", "partner"))
    asked = request(bank.party)
    event = IdentifiersPosted(customers=4)
    fact = say(partner.party, event, blob("handles", CONTENT), cause=asked.envelope.id)
    partner.publish()
    bank.receive(3)
    return fact.payload("handles").commitment


def file_of(party: Party, commitment: str) -> Path:
    return party.payloads.salted_file(commitment)


def kept(party: Party) -> set[str]:
    return {commitment for commitment, _ in party.log.kept_payloads()}


@pytest.mark.parametrize("name", ["partner", "bank"])
def test_a_file_that_a_power_failure_took_is_put_again(
    parties: dict[str, Party], posted: str, name: str
) -> None:
    """At its issuer and at who received it."""
    file_of(parties[name], posted).unlink()
    parties[name].close()
    parties[name] = open_party(parties[name].folder.path)
    assert parties[name].payloads.read(posted) == CONTENT


@pytest.mark.parametrize("left", [b"", CONTENT, bytes(96)])
def test_a_file_of_which_half_was_written_is_made_whole(
    parties: dict[str, Party], posted: str, left: bytes
) -> None:
    file_of(parties["bank"], posted).write_bytes(left)
    parties["bank"].close()
    parties["bank"] = open_party(parties["bank"].folder.path)
    assert parties["bank"].payloads.read(posted) == CONTENT


@pytest.mark.parametrize("name", ["partner", "bank"])
def test_before_it_has_a_file_the_log_has_it(
    parties: dict[str, Party], posted: str, name: str
) -> None:
    """For another process of the party, and for an auditor."""
    folder = parties[name].folder
    assert not (folder.payloads / posted[:2] / posted).exists()
    with closing(open_party(folder.path)) as again:
        assert again.payloads.has(posted)
        assert again.payloads.size(posted) == len(CONTENT)
        assert again.payloads.read(posted) == CONTENT
        assert again.payloads.array(posted, "u1", (64,)).tobytes() == CONTENT
    copy = open_log(str(folder.path))
    try:
        assert copy.payloads.has(posted)
        assert copy.payloads.read(posted) == CONTENT
        assert copy.payloads.array(posted, "u1", (64,)).tobytes() == CONTENT
    finally:
        copy.close()
    assert not (folder.payloads / posted[:2] / posted).exists()


def test_a_file_is_made_for_who_asks_for_one(parties: dict[str, Party], posted: str) -> None:
    with parties["bank"].payloads.open(posted) as file:
        assert file.read() == CONTENT
    parties["bank"].payloads.verify(posted)


def test_the_log_lets_go_of_what_is_on_the_disk(parties: dict[str, Party], posted: str) -> None:
    bank = parties["bank"]
    file_of(bank, posted).unlink()
    settle_payloads(bank)
    assert kept(bank) == set()
    assert bank.payloads.read(posted) == CONTENT


def test_many_are_let_go_of_in_pages(parties: dict[str, Party]) -> None:
    bank = parties["bank"]
    asked = request(bank)
    for number in range(3):
        content = blob("handles", bytes([number]) * 16)
        say(bank, IdentifiersPosted(customers=1), content, cause=asked.envelope.id)
    first = bank.log.kept_payloads(limit=2)
    rest = bank.log.kept_payloads(after=first[-1][0])
    assert {commitment for commitment, _ in (*first, *rest)} == kept(bank)
    settle_payloads(bank)
    assert kept(bank) == set()


def test_a_large_payload_is_never_in_the_log(parties: dict[str, Party]) -> None:
    bank = parties["bank"]
    asked = request(bank)
    before = kept(bank)
    content = blob("handles", bytes(LARGEST_SMALL))
    say(bank, IdentifiersPosted(customers=LARGEST_SMALL // 16), content, cause=asked.envelope.id)
    assert kept(bank) == before


def test_what_is_kept_is_kept_once(parties: dict[str, Party], posted: str) -> None:
    bank = parties["bank"]
    salted = file_of(bank, posted).read_bytes()
    with bank.log.transaction() as transaction:
        transaction.keep_payloads([(posted, salted)])
    assert bank.log.kept_payloads().count((posted, salted)) == 1

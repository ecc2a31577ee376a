"""A log in which keys changed: every check finds the key that held, and only that one (D1, D4)."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from audit.comparison import compare
from audit.errors import CardError
from audit.export import export_log
from audit.findings import Check
from audit.log_copy import Scope
from audit.opening import open_log
from audit.proofs import ProvenEvent, check_proof, prove_event
from audit.reexecution import reexecute
from audit.standalone_verify import verify as verify_standalone
from audit.verification import Verification, verify
from bus.memory import MemoryBroker
from events.card import PartyCard
from events.catalogue import CATALOGUE
from events.envelope import event_id
from events.rotation import KeyRotated, new_keys
from handlers.reactions import decide
from party.checkpointing import CheckpointKeeper
from party.identity import Identity
from party.opening import Party, open_party
from party.requesting import request_training
from party.rotating import rotate_keys
from store.entry import Entry
from tests.audit.conftest import JOB, terms, trained_federation
from tests.audit.forging import insider, log_of, place_of
from tests.party.federation import MEMBERS, Node, run

LATER = "summer"


class Rotated:
    """Two trainings with the same data, all keys changed between them."""

    def __init__(self, folder: Path) -> None:
        made = trained_federation(folder)
        self.old = {name: party.card for name, party in made.parties.items()}
        self.old_keys = {name: party.identity for name, party in made.parties.items()}
        self.before = folder / "before.tally"
        export_log(made["bank"], self.before, Scope(JOB))
        for party in made.parties.values():
            party.close()
        broker = MemoryBroker()
        for name in MEMBERS:
            rotate_keys(folder / name)
        self.parties = {name: open_party(folder / name) for name in MEMBERS}
        self.nodes = [Node(party, broker, decide) for party in self.parties.values()]
        run(*self.nodes)
        request_training(self.parties["bank"], LATER, terms())
        run(*self.nodes)
        for party in self.parties.values():
            CheckpointKeeper(party).step(0)
        run(*self.nodes)

    def __getitem__(self, name: str) -> Party:
        return self.parties[name]


@pytest.fixture(scope="module")
def rotated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rotated]:
    made = Rotated(tmp_path_factory.mktemp("rotated"))
    yield made
    for party in made.parties.values():
        party.close()


def verified(place: object, *cards: PartyCard) -> Verification:
    with open_log(str(place), cards) as copy:
        return verify(copy)


@pytest.mark.parametrize("name", MEMBERS)
def test_every_log_with_a_rotation_holds(rotated: Rotated, name: str, tmp_path: Path) -> None:
    """Given folder and exports, then all checks hold, by this software and without it."""
    party = rotated[name]
    assert verified(party.folder.path).holds
    for scope in (Scope(), Scope(JOB), Scope(LATER), Scope(JOB, private=False)):
        path = tmp_path / "log.tally"
        export_log(party, path, scope)
        found = verified(path)
        assert [one for one in found.checks if not one.holds] == []
        assert verify_standalone(str(path))[0] == []


def test_the_old_card_or_the_new_one_is_enough_to_trust_all_of_it(
    rotated: Rotated, tmp_path: Path
) -> None:
    path = tmp_path / "log.tally"
    export_log(rotated["bank"], path)
    for cards in (rotated.old, {name: rotated[name].card for name in MEMBERS}):
        assert verified(path, *cards.values()).holds
        given = [card.model_dump(mode="json") for card in cards.values()]
        assert verify_standalone(str(path), given)[0] == []
    stranger = rotated["partner"].card.model_copy(update={"name": "arbiter"})
    with pytest.raises(CardError, match="change of keys"):
        verified(path, stranger)
    assert verify_standalone(str(path), [stranger.model_dump(mode="json")])[0]


def test_an_export_from_before_the_rotation_still_holds(rotated: Rotated) -> None:
    assert verified(rotated.before, *rotated.old.values()).holds
    assert verify_standalone(str(rotated.before))[0] == []
    with pytest.raises(CardError, match="give the card of that time"):
        verified(rotated.before, rotated["bank"].card)


def test_logs_with_rotations_agree_with_each_other(rotated: Rotated) -> None:
    copies = [open_log(str(rotated[name].folder.path)) for name in MEMBERS]
    try:
        compared = compare(copies)
    finally:
        for copy in copies:
            copy.close()
    assert compared.holds
    assert compared.jobs == (JOB, LATER)


def test_an_event_from_before_the_rotation_is_proven_after_it(
    rotated: Rotated, tmp_path: Path
) -> None:
    """Given an export of today, then its checkpoint is by the new key, the event by the old one."""
    path = tmp_path / "log.tally"
    export_log(rotated["bank"], path)
    with open_log(str(path)) as copy:
        proof = prove_event(copy, "2")
        proven = check_proof(proof, rotated["bank"].card)
    assert isinstance(proven, ProvenEvent)
    with closing(open_log(str(rotated["bank"].folder.path))) as copy:
        first = next(
            one.position for one in copy.entries() if one.envelope.type == "CheckpointPosted"
        )
        in_place = check_proof(prove_event(copy, str(first - 1)), rotated["bank"].card)
    assert isinstance(in_place, ProvenEvent)


def signed(entry: Entry, by: Identity, **changes: object) -> Entry:
    envelope = entry.envelope.model_copy(update=changes)
    place = event_id(envelope.source, envelope.stream, envelope.sequence)
    envelope = envelope.model_copy(update={"id": place}).signed_with(by.signing)
    return Entry(entry.position, envelope.canonical_bytes())


def faults(path: str) -> tuple[list[str], list[str]]:
    """Of the arbiter's signatures, by this software and without it.

    The forger is the bank, who signs all that it says itself with the key that it has now.
    """
    (signatures,) = [one for one in verified(path).checks if one.check is Check.SIGNATURES]
    found = [one.detail for one in signatures.findings if one.source == "arbiter"]
    told = [one for one in verify_standalone(path)[0] if "of arbiter" in one]
    return found, [one.partition(": ")[2] for one in told]


def test_the_old_key_signs_nothing_after_the_rotation_in_any_log(
    rotated: Rotated, tmp_path: Path
) -> None:
    """Given the arbiter's event of the second job under its old key, then every check finds it."""
    entries = log_of(rotated["bank"])
    place = place_of(entries, "arbiter", "TrainingStopped", 1)
    entries[place] = signed(entries[place], rotated.old_keys["arbiter"])
    found, told = faults(insider(rotated["bank"], entries, tmp_path))
    assert ["is not by the key on" in one for one in found] == [True]
    assert "the signature is not the issuer's" in told


def test_the_new_key_signs_nothing_before_the_rotation(rotated: Rotated, tmp_path: Path) -> None:
    entries = log_of(rotated["bank"])
    place = place_of(entries, "arbiter", "TrainingStopped")
    entries[place] = signed(entries[place], rotated["arbiter"].identity)
    found, told = faults(insider(rotated["bank"], entries, tmp_path))
    assert ["is not by the key on" in one for one in found] == [True]
    assert "the signature is not the issuer's" in told


def test_what_a_thief_adds_to_the_past_is_one_too_many(rotated: Rotated, tmp_path: Path) -> None:
    """Given one more event by the arbiter's old key, dated before the rotation, then it shows."""
    entries = log_of(rotated["bank"])
    last = entries[place_of(entries, "arbiter", "CheckpointPosted")]
    more = {"stream": "forgotten", "sequence": 0, "previous": None, "cause": None}
    entries.append(signed(last, rotated.old_keys["arbiter"], **more))
    found, _ = faults(insider(rotated["bank"], entries, tmp_path))
    assert ["one more than the" in one for one in found] == [True]


def test_a_second_successor_of_a_card_is_found(rotated: Rotated, tmp_path: Path) -> None:
    """Given a rotation by a stolen key to the thief's own, beside the real one, then it shows."""
    entries = log_of(rotated["bank"])
    place = place_of(entries, "arbiter", "KeyRotated")
    envelope = entries[place].envelope
    real = CATALOGUE.read(envelope).event
    assert isinstance(real, KeyRotated)
    thief = rotated["partner"]
    card = real.card.model_copy(update={"signing_key": thief.card.signing_key})
    time = "2998-01-01T00:00:00.000000Z"
    false = new_keys(real.terms, real.retired, card, 0, thief.identity.signing, time)
    changes = {"data": false.model_dump(mode="json"), "time": time, "sequence": 1}
    forged = signed(entries[place], rotated.old_keys["arbiter"], **changes)
    entries.append(forged)
    found, told = faults(insider(rotated["bank"], entries, tmp_path))
    assert "is a second successor of a card of arbiter" in found
    assert "the new keys are not those of its issuer" in told


def test_a_rotation_that_the_new_key_does_not_prove_changes_nothing(
    rotated: Rotated, tmp_path: Path
) -> None:
    entries = log_of(rotated["bank"])
    place = place_of(entries, "arbiter", "KeyRotated")
    data = entries[place].envelope.data
    unproven = {**data, "said": int(str(data["said"])) + 1}
    entries[place] = signed(entries[place], rotated.old_keys["arbiter"], data=unproven)
    found, told = faults(insider(rotated["bank"], entries, tmp_path))
    assert "hands over to keys that do not say so themselves" in found
    assert "the new keys are not those of its issuer" in told


def test_both_trainings_run_again_to_the_bit(rotated: Rotated) -> None:
    """Given the folders after the rotation, then the handlers decide both jobs as they did."""
    for name in MEMBERS:
        party = rotated[name]
        result = reexecute(log_of(party), party.own)
        assert result.divergences == ()
        assert result.repeated > 10

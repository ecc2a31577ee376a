"""Keys rotate (KeyRotated): who trusted the old card trusts the new one; nothing else does (D1)."""

import shutil
from contextlib import closing
from pathlib import Path

import pytest

from audit.findings import Check
from audit.opening import open_log
from audit.verification import verify
from events.rotation import KeyRotated
from party.doctor import examine
from party.errors import BusyError, Reason, RetiredKeysError, RotationError, TrustError
from party.identity import read_identity
from party.opening import open_party, party_card
from party.others_keys import trust_cards
from party.requesting import cancel_training
from party.rotating import rotate_keys
from party.status import party_status
from tests.party.federation import (
    JOB,
    MEMBERS,
    TOY_SEQUENCE,
    events,
    make_federation,
    reasons,
    request,
)
from tests.party.rotations import Federation, end, rotation_at, shared


@pytest.fixture
def federation(tmp_path: Path) -> Federation:
    return Federation(tmp_path)


@pytest.mark.parametrize("name", MEMBERS)
def test_a_job_after_a_rotation_goes_as_one_before_it(federation: Federation, name: str) -> None:
    """Given any member with new keys, then the others trust them and the next job is whole."""
    federation.train(JOB)
    end(federation)
    old = federation.party(name).card
    federation.rotate(name)
    federation.train("job-2")
    new = federation.party(name).card
    assert new != old
    for other in MEMBERS:
        assert shared(federation.party(other), "job-2") == TOY_SEQUENCE
        assert not reasons(federation.party(other))
        if other != name:
            history = federation.party(other).trusted.history(name)
            assert history is not None
            assert history.cards == (old, new)


def test_keys_rotate_a_second_time(federation: Federation) -> None:
    cards = [federation.party("partner").card]
    for _ in range(2):
        federation.rotate("partner")
        federation.run()
        cards.append(federation.party("partner").card)
    history = federation.party("bank").trusted.history("partner")
    assert history is not None
    assert history.cards == tuple(cards)
    federation.train(JOB)
    assert events(federation.party("bank")) >= TOY_SEQUENCE


def test_nothing_rotates_while_a_job_is_under_way(federation: Federation) -> None:
    federation.train(JOB)
    card = federation.party("partner").card
    federation.stop("partner")
    with pytest.raises(RotationError, match=f"job is under way: {JOB}"):
        rotate_keys(federation.folder / "partner")
    assert party_card(federation.folder / "partner") == card


def test_nothing_rotates_while_something_is_left_to_be_sent(federation: Federation) -> None:
    """Given a rotation that the others were not told of yet, then there is no second one."""
    federation.stop("bank")
    rotate_keys(federation.folder / "bank")
    card = party_card(federation.folder / "bank")
    with pytest.raises(RotationError, match="arbiter, partner has not got yet"):
        rotate_keys(federation.folder / "bank")
    assert party_card(federation.folder / "bank") == card


def test_a_party_alone_rotates_as_well(tmp_path: Path) -> None:
    make_federation(tmp_path, "bank")["bank"].close()
    old = party_card(tmp_path / "bank")
    assert rotate_keys(tmp_path / "bank").told == ()
    with closing(open_party(tmp_path / "bank")) as bank:
        assert bank.cards.cards == (old, bank.card)


def test_a_command_that_began_before_the_rotation_signs_nothing_after_it(
    federation: Federation,
) -> None:
    """Given a process that has the old keys in memory, then its event does not enter the log."""
    with closing(open_party(federation.folder / "bank")) as began_before:
        federation.rotate("bank")
        head = began_before.log.head()
        with pytest.raises(BusyError, match="begin again"):
            request(began_before)
        assert began_before.log.head() == head


def test_what_got_lost_before_the_rotation_still_comes_after_it(federation: Federation) -> None:
    """Given a broker that lost the end of a job, then its members get it with the old signature."""
    federation.train(JOB)
    end(federation)
    federation.stop("partner")
    lost = request(federation.party("bank"), job="lost").envelope
    cancel_training(federation.party("bank"), "lost")
    federation.nodes["bank"].publish()
    federation.broker.wipe()
    federation.rotate("bank")
    partner = federation.start("partner")
    federation.run()
    assert partner.party.log.entry(lost.id) is None
    assert partner.party.trusted.card("bank") == federation.party("bank").card
    with federation.party("bank").log.transaction() as transaction:
        assert transaction.deliver_again("bank", "lost", 0, 9, "partner") == 2
    federation.nodes["bank"].publisher.look_again()
    federation.run()
    assert shared(partner.party, "lost") >= {
        ("bank", "TrainingRequested"),
        ("bank", "TrainingFailed"),
    }
    assert not reasons(partner.party)


def test_a_party_of_an_old_backup_is_told_that_its_keys_are_retired(
    federation: Federation,
) -> None:
    """Given a folder from before the rotation, then it ends with one message and says nothing."""
    federation.train(JOB)
    end(federation)
    federation.stop("partner")
    kept = federation.folder / "kept"
    shutil.copytree(federation.folder / "partner", kept)
    rotate_keys(federation.folder / "partner")
    federation.start("partner")
    federation.run()
    federation.stop("partner")
    shutil.rmtree(federation.folder / "partner")
    kept.rename(federation.folder / "partner")
    restored = federation.start("partner")
    restored.compare_heads()
    for other in ("bank", "arbiter"):
        federation.nodes[other].receive()
        federation.nodes[other].compare_heads()
    with pytest.raises(RetiredKeysError, match="older backup"):
        restored.receive()
    assert not restored.heads.agree.is_set()


def test_keys_older_than_the_log_are_refused_at_once(federation: Federation) -> None:
    federation.stop("bank")
    keys = federation.folder / "bank" / "keys"
    shutil.copytree(keys, federation.folder / "kept")
    rotate_keys(federation.folder / "bank")
    shutil.rmtree(keys)
    (federation.folder / "kept").rename(keys)
    with pytest.raises(RetiredKeysError, match="older backup"):
        open_party(federation.folder / "bank")


def test_retired_signing_keys_are_gone_and_sealing_keys_stay_private(
    federation: Federation,
) -> None:
    old = federation.party("bank").identity
    federation.rotate("bank")
    keys = federation.folder / "bank" / "keys"
    files = [path for path in keys.rglob("*") if path.is_file()]
    assert all(path.stat().st_mode & 0o077 == 0 for path in files)
    signing = [path.read_bytes() for path in files if b"PRIVATE KEY" in path.read_bytes()]
    assert len(signing) == 1
    now = read_identity(keys)
    assert [str(one) for one in now.retired_sealing] == [str(old.sealing)]
    assert now.secret == old.secret


def test_a_party_held_to_a_version_without_changes_of_keys_keeps_its_keys(tmp_path: Path) -> None:
    """Its members may run software that would refuse whatever the new keys sign."""
    federation = Federation(tmp_path)
    federation.stop("partner")
    settings = tmp_path / "partner" / "party.toml"
    settings.write_text("newest_protocol = 1\n" + settings.read_text())
    before = party_card(tmp_path / "partner")
    with pytest.raises(RotationError, match="holds partner to version 1 of the protocol"):
        rotate_keys(tmp_path / "partner")
    assert party_card(tmp_path / "partner") == before


def test_a_policy_may_leave_the_decision_to_the_operator(federation: Federation) -> None:
    """Given new_keys = "ask", then the new card is shown, and believed once it was trusted."""
    federation.stop("arbiter")
    settings = federation.folder / "arbiter" / "party.toml"
    settings.write_text(settings.read_text() + '\n[policy]\nnew_keys = "ask"\n')
    federation.start("arbiter")
    old = federation.party("bank").card
    federation.rotate("bank")
    federation.run()
    arbiter, new = federation.party("arbiter"), federation.party("bank").card
    (shown,) = party_status(arbiter).changed_keys
    assert (shown.party, shown.fingerprint, shown.accepted) == ("bank", new.fingerprint, False)
    assert arbiter.trusted.card("bank") == old
    federation.train(JOB)
    assert Reason.FALSE_SIGNATURE in reasons(arbiter)
    assert not events(arbiter) & TOY_SEQUENCE

    card = federation.folder / "new.json"
    stranger = new.model_copy(update={"signing_key": arbiter.card.signing_key})
    card.write_text(stranger.model_dump_json())
    with pytest.raises(TrustError, match="already trusted with another card"):
        trust_cards(federation.folder / "arbiter", card)
    card.write_text(new.model_dump_json())
    trust_cards(federation.folder / "arbiter", card)
    (shown,) = party_status(arbiter).changed_keys
    assert shown.accepted
    with federation.party("bank").log.transaction() as transaction:
        transaction.deliver_again("bank", JOB, 0, 9, "arbiter")
    federation.nodes["bank"].publisher.look_again()
    federation.run()
    assert events(arbiter) >= TOY_SEQUENCE


def test_the_operator_sees_whose_keys_changed(federation: Federation) -> None:
    federation.rotate("bank")
    federation.run()
    partner = federation.party("partner")
    (shown,) = party_status(partner).changed_keys
    assert shown.accepted
    assert shown.since == rotation_at(partner).envelope.time
    cards = next(one for one in examine(partner.folder.path) if one.check == "cards")
    assert f"bank (local, new keys since {shown.since})" in cards.what


def test_what_was_sealed_to_the_old_key_still_opens(federation: Federation) -> None:
    """Given a sender that has not heard of the new keys, then its payload is opened anyway."""
    asked = request(federation.party("bank")).envelope
    cancel_training(federation.party("bank"), JOB)
    federation.nodes["bank"].publish()
    federation.stop("partner")
    rotate_keys(federation.folder / "partner")
    partner = federation.start("partner")
    partner.receive()
    assert partner.party.log.entry(asked.id) is not None
    key = asked.payload("alignment_key").commitment
    assert partner.party.payloads.has(key)
    assert not reasons(partner.party)


def test_a_log_from_before_the_rotation_gets_it_back_from_the_others(
    federation: Federation,
) -> None:
    """Given a restored database beside the newest keys, then the log tells again how they came."""
    federation.train(JOB)
    end(federation)
    federation.stop("partner")
    database, kept = federation.folder / "partner" / "log.sqlite", federation.folder / "kept"
    shutil.copy(database, kept)
    rotate_keys(federation.folder / "partner")
    federation.start("partner")
    federation.run()
    federation.stop("partner")
    shutil.copy(kept, database)
    restored = federation.start("partner")
    for _ in range(6):
        for node in federation.nodes.values():
            node.compare_heads()
            node.receive()
    told = [e for e in restored.party.log.read() if e.envelope.type == KeyRotated.type_name()]
    assert len(told) == 2
    assert restored.heads.agree.is_set()
    with open_log(str(restored.party.folder.path)) as copy:
        signatures = [one for one in verify(copy).checks if one.check is Check.SIGNATURES]
    assert [one.holds for one in signatures] == [True]

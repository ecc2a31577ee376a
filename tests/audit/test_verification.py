"""What a log shows by itself: every check holds on an honest one, in every form of it (D4)."""

import json
from collections.abc import Callable
from dataclasses import replace
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest

from audit import examining
from audit.comparison import compare
from audit.export import export_log
from audit.findings import Check
from audit.log_copy import Scope
from audit.opening import open_log
from audit.standalone_verify import verify as verify_alone
from audit.verification import EVERY_CHECK, QUICK_CHECKS, verify
from store.entry import Entry
from tests.audit.conftest import JOB, Federation
from tests.tallystick.federations import tally, well

SCOPES = [Scope(), Scope(JOB), Scope(private=False), Scope(JOB, private=False)]


@pytest.mark.parametrize("name", ["bank", "partner", "arbiter"])
@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("payloads", [True, False])
def test_an_honest_export_holds_for_us_and_for_the_stand_alone_verifier(
    name: str, scope: Scope, payloads: bool, federation: Federation, tmp_path: Path
) -> None:
    path = tmp_path / "log.tally"
    done = export_log(federation[name], path, scope, payloads=payloads)
    with open_log(str(path)) as copy:
        result = verify(copy)
    assert [one for check in result.checks for one in check.findings] == []
    assert result.holds
    assert result.events == done.events
    assert result.root == done.root.hex()
    cards = [party.card.model_dump(mode="json") for party in federation.parties.values()]
    assert verify_alone(str(path), cards) == ([], done.events)


def test_every_check_has_something_to_look_at_in_a_whole_log(federation: Federation) -> None:
    for name in ("bank", "partner", "arbiter"):
        with open_log(str(federation[name].folder.path)) as copy:
            result = verify(copy)
        assert result.holds
        assert {check.check for check in result.checks} == EVERY_CHECK
        assert all(check.examined for check in result.checks)


def test_the_notes_say_what_could_not_be_seen(federation: Federation, tmp_path: Path) -> None:
    path = tmp_path / "log.tally"
    export_log(federation["partner"], path, Scope(JOB, private=False))
    cards = [party.card for party in federation.parties.values()]
    with open_log(str(path)) as own, open_log(str(path), cards) as given:
        notes = {check.check: check.notes for check in verify(own).checks}
        assert "compare the fingerprints" in notes[Check.SIGNATURES][0]
        assert "no payloads came with this log" in notes[Check.PAYLOADS][0]
        given_notes = {check.check: check.notes for check in verify(given).checks}
        assert given_notes[Check.SIGNATURES] == ()


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes are worth it at once, and chunks do not fit evenly."""
    monkeypatch.setattr(examining, "WORTH_A_PROCESS", 11)
    monkeypatch.setattr(examining, "BEGINS_ALONE", 7)
    monkeypatch.setattr(examining, "CHUNK", 3)


def spoilt(entries: list[Entry]) -> list[Entry]:
    """Every way in which bytes can be wrong, one event after the other."""
    ways: list[Callable[[bytes], bytes]] = [
        lambda line: line,
        lambda line: line.replace(b'"type":"', b'"type":"Un'),
        lambda line: line.replace(b'"time":"2', b'"time":"1'),
        lambda line: line + b" ",
        lambda line: line[:-1],
        lambda line: line.replace(b'"signature":"', b'"signature":"A'),
        lambda line: line.replace(b'"sequence":', b'"sequence":1'),
        lambda line: line.replace(b'"data":{', b'"data":{"\xc3\xa9":1.0,'),
        lambda line: line.replace(b'"data":{', b'"data":{"a":1e999,'),
        lambda line: b"\xff" + line,
        lambda line: b"",
    ]
    made = [
        Entry(one.position, way(one.canonical))
        for one, way in zip(entries, cycle(ways), strict=False)
    ]
    return [*made[:20], *made[21:30], made[30], made[30], *reversed(made[31:])]


@pytest.mark.usefixtures("small_chunks")
def test_several_cores_find_the_same_in_the_same_words(
    federation: Federation, tmp_path: Path
) -> None:
    path = tmp_path / "log.tally"
    export_log(federation["bank"], path)
    partner = federation["partner"].card
    changed = partner.model_copy(update={"signing_key": federation["bank"].card.signing_key})
    with open_log(str(path)) as copy:
        entries = spoilt(list(copy.entries()))
        broken = replace(copy, entries=lambda: iter(entries))
        false = replace(copy, cards={**copy.cards, "partner": changed})
        for one, holds in ((copy, True), (false, False), (broken, False)):
            alone = verify(one)
            assert alone.holds is holds
            assert verify(one, cores=3) == alone
            assert compare([one, copy], cores=2) == compare([one, copy])
    found = {check.check for check in alone.checks if check.findings}
    assert found >= {Check.FORMAT, Check.SCHEMA, Check.SIGNATURES, Check.SEQUENCE, Check.TREE}


def test_quick_checks_ask_for_no_signature_and_no_payload(federation: Federation) -> None:
    with open_log(f"sqlite:///{federation['bank'].folder.log}") as copy:
        assert not verify(copy).holds  # there are no cards in a database
        result = verify(copy, checks=QUICK_CHECKS)
    assert result.holds
    assert {check.check for check in result.checks} == QUICK_CHECKS


def test_the_command_says_what_holds_and_leaves_with_0(
    federation: Federation, tmp_path: Path
) -> None:
    path = tmp_path / "bank.tally"
    well(tally("log", "export", path, "--as", federation["bank"].folder.path, "--job", JOB))
    card = federation["bank"].folder.path.parent / "partner.card"
    outcome = well(tally("audit", "verify", path, "--card", card))
    assert "everything holds" in outcome.out
    assert "root of the log" not in outcome.out
    for check in EVERY_CHECK:
        assert f"\n{check}" in outcome.out
    (document,) = json.loads(well(tally("audit", "verify", path, "--json")).out)
    assert document["holds"] is True
    assert {one["check"] for one in document["checks"]} == {str(check) for check in EVERY_CHECK}


def test_the_command_names_what_fails_and_leaves_with_1(federation: Federation) -> None:
    """Given no cards, no signature can be checked: that is no reason to trust the log."""
    address = f"sqlite:///{federation['partner'].folder.log}"
    payloads = federation["partner"].folder.payloads
    outcome = tally("audit", "verify", address, "--payloads", payloads)
    assert outcome.code == 1
    assert "FAILS  signatures: position 1, " in outcome.out
    assert "there is no card of" in outcome.out
    assert "THIS LOG DOES NOT HOLD" in outcome.out


def test_a_place_that_is_no_log_costs_one_line(tmp_path: Path) -> None:
    outcome = tally("audit", "verify", tmp_path / "nothing.tally")
    assert outcome.code == 2
    assert "is no log" in outcome.err
    assert len(outcome.err.splitlines()) == 1


def test_a_file_that_did_not_come_whole_is_named(federation: Federation, tmp_path: Path) -> None:
    whole, part = tmp_path / "bank.tally", tmp_path / "part.tally"
    well(tally("log", "export", whole, "--as", federation["bank"].folder.path))
    part.write_bytes(whole.read_bytes()[:5000])
    outcome = tally("audit", "verify", part)
    assert outcome.code == 2
    assert outcome.err == f"tally: {part} is cut short: ask for the whole file once more\n"


def in_file(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_one_event_is_proved_without_the_rest_of_the_log(
    federation: Federation, tmp_path: Path
) -> None:
    folder, log = federation["bank"].folder.path, tmp_path / "bank.tally"
    export_log(federation["bank"], log, Scope(JOB, private=False))
    cards = {name: folder.parent / f"{name}.card" for name in federation.parties}
    for place in (log, folder):
        proof = in_file(tmp_path / "p", well(tally("audit", "prove", place, "12")).out)
        said = well(tally("audit", "check-proof", proof, "--card", cards["bank"])).out
        assert said.startswith("event 12 of ")
        other = tally("audit", "check-proof", proof, "--card", cards["partner"])
        assert (other.code, "is of tallystick/bank/" in other.err) == (2, True)
        moved = in_file(tmp_path / "moved", proof.read_text().replace("index 11", "index 12"))
        outcome = tally("audit", "check-proof", moved, "--card", cards["bank"])
        assert (outcome.code, "is not leaf 12" in outcome.err) == (1, True)


def test_growth_is_proved_against_an_earlier_checkpoint(
    federation: Federation, tmp_path: Path
) -> None:
    party = federation["arbiter"]
    folder, card = party.folder.path, party.folder.path.parent / "arbiter.card"
    from events.checkpoint import sign_checkpoint
    from events.merkle import MerkleTree

    leaves = [entry.canonical for entry in party.log.read(limit=10_000)]

    def note(leaves: list[bytes]) -> str:
        root = MerkleTree(leaves).root()
        return sign_checkpoint(party.card, party.identity.signing, len(leaves), root).note(
            party.card
        )

    old = in_file(tmp_path / "old", note(leaves[:10]))
    rewritten = in_file(tmp_path / "rewritten", note([*leaves[:9], b"other"]))
    proof = in_file(tmp_path / "p", well(tally("audit", "prove", folder, "--since", "10")).out)
    check: list[Any] = ["audit", "check-proof", proof, "--card", card]
    assert "begins with the 10 before" in well(tally(*check, "--old", old)).out
    outcome = tally(*check, "--old", rewritten)
    assert (outcome.code, "history was rewritten" in outcome.err) == (1, True)
    assert "give it" in tally(*check).err


def test_a_checkpoint_is_printed_and_can_be_sent(federation: Federation) -> None:
    folder = federation["partner"].folder.path
    printed = well(tally("audit", "checkpoint", "--as", folder))
    assert printed.out.startswith("tallystick/partner/")
    assert "key for other tools: tallystick/partner/" in printed.err
    assert (
        "there is no job winter"
        in tally("audit", "checkpoint", "--as", folder, "--job", "winter").err
    )

"""One portable file: the same log gives the same bytes, and a reader gets back what was said."""

import sqlite3
from contextlib import closing
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile

import pytest

from audit.errors import AuditError, CardError, EvidenceError, ExportError, LogPlaceError
from audit.export import export_log
from audit.log_copy import Scope
from audit.opening import open_log
from audit.partial_tree import PartialTree, omitted_parts
from events.merkle import MerkleTree, leaf_hash
from store.errors import PayloadMissingError
from tests.audit.conftest import JOB, Federation, trained_federation


def listing(folder: Path) -> dict[str, tuple[int, int]]:
    """Every file below, with size and time of its last change."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in files}


def test_the_same_log_gives_the_same_file(federation: Federation, tmp_path: Path) -> None:
    one, other = tmp_path / "one.tally", tmp_path / "other.tally"
    for path in (one, other):
        export_log(federation["bank"], path, Scope(JOB), payloads=True)
    assert one.read_bytes() == other.read_bytes()
    assert one.stat().st_mode & 0o077 == 0
    with ZipFile(one) as archive:
        assert all(item.compress_type == ZIP_STORED for item in archive.infolist())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.tally", "other.tally"]


@pytest.mark.parametrize("scope", [Scope(), Scope(JOB), Scope(JOB, private=False)])
def test_a_reader_gets_back_what_was_said(
    scope: Scope, federation: Federation, tmp_path: Path
) -> None:
    party, path = federation["partner"], tmp_path / "partner.tally"
    done = export_log(party, path, scope)
    expected = [
        entry
        for entry in party.log.read(limit=10_000)
        if scope.private or not entry.envelope.is_private
    ]
    with open_log(str(path)) as copy:
        assert list(copy.entries()) == expected
        assert (copy.party, copy.scope, copy.head) == ("partner", scope, done.size)
        assert set(copy.cards) == {"bank", "partner", "arbiter"}
        assert copy.cards["partner"] == party.card
        assert copy.evidence is not None
        assert copy.evidence.checkpoint is not None
        assert copy.evidence.checkpoint.is_signed_by(party.card)
        leaves = {one.position - 1: leaf_hash(one.canonical) for one in expected}
        root = PartialTree(leaves, copy.evidence.omitted, done.size).root()
        assert (
            root
            == copy.evidence.root
            == MerkleTree(entry.canonical for entry in party.log.read(limit=10_000)).root()
        )
        assert (copy.evidence.omitted == {}) == scope.private


def test_payloads_come_along_only_when_asked(federation: Federation, tmp_path: Path) -> None:
    bank = federation["bank"]
    without, whole = tmp_path / "without.tally", tmp_path / "with.tally"
    assert export_log(bank, without, Scope(JOB)).payloads == 0
    assert export_log(bank, whole, Scope(JOB), payloads=True).payloads > 10
    with open_log(str(without)) as one, open_log(str(whole)) as other:
        own = [
            reference.commitment
            for entry in other.entries()
            for reference in entry.envelope.payloads
            if entry.envelope.source == "bank"
        ]
        for commitment in own:
            assert other.payloads.read(commitment) == bank.payloads.read(commitment)
            assert other.payloads.digest_and_size(commitment)[0] == commitment
            with pytest.raises(PayloadMissingError):
                one.payloads.read(commitment)


def test_a_folder_in_use_is_read_and_not_disturbed(federation: Federation) -> None:
    party = federation["bank"]
    before = listing(party.folder.path)
    with party.log.transaction(), open_log(str(party.folder.path)) as copy:
        entries = list(copy.entries())
    assert entries == party.log.read(limit=10_000)
    assert listing(party.folder.path).keys() == before.keys()


def test_a_folder_at_rest_is_left_without_a_trace(tmp_path: Path) -> None:
    made = trained_federation(tmp_path)
    for party in made.parties.values():
        party.close()
    before = listing(tmp_path)
    with open_log(str(tmp_path / "partner")) as copy:
        assert copy.head == len(list(copy.entries()))
    assert listing(tmp_path) == before


def test_a_log_opened_for_audit_cannot_be_written(federation: Federation) -> None:
    with open_log(str(federation["bank"].folder.path)) as copy:
        assert copy.head > 0
    address = f"sqlite:///{federation['bank'].folder.log}"
    with open_log(address) as copy:
        assert copy.party == "bank"
        assert copy.cards == {}
        assert len(list(copy.entries())) == copy.head


def test_a_copy_without_secrets_needs_the_owners_card(
    federation: Federation, tmp_path: Path
) -> None:
    import shutil

    party = federation["partner"]
    folder = tmp_path / "copy"
    shutil.copytree(party.folder.path, folder, ignore=shutil.ignore_patterns("keys", "bells"))
    with open_log(str(folder)) as copy:
        assert set(copy.cards) == {"bank", "arbiter"}
    with open_log(str(folder), [party.card]) as copy:
        assert copy.cards["partner"] == party.card


def test_cards_of_the_auditor_count_more_than_those_of_the_file(
    federation: Federation, tmp_path: Path
) -> None:
    path = tmp_path / "bank.tally"
    export_log(federation["bank"], path)
    cards = [party.card for party in federation.parties.values()]
    with open_log(str(path)) as copy:
        assert copy.own_cards
    with open_log(str(path), cards) as copy:
        assert not copy.own_cards
    false = cards[0].model_copy(update={"signing_key": cards[1].signing_key})
    with pytest.raises(CardError, match="is not the one that came with the log"):
        open_log(str(path), [false])


def test_what_is_no_log_is_told_in_one_line(federation: Federation, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("hello")
    (tmp_path / "folder").mkdir()
    with ZipFile(tmp_path / "zip", "w") as archive:
        archive.writestr("manifest.json", "{}")
    with closing(sqlite3.connect(tmp_path / "other.sqlite")) as connection:
        connection.execute("CREATE TABLE t (x)")
    places: list[tuple[str, type[Exception]]] = [
        (str(tmp_path / "nowhere"), LogPlaceError),
        (str(tmp_path / "text"), LogPlaceError),
        (str(tmp_path / "zip"), ExportError),
        (f"sqlite:///{tmp_path}/other.sqlite", AuditError),
        (f"sqlite:///{tmp_path}/nowhere.sqlite", LogPlaceError),
    ]
    for place, kind in places:
        with pytest.raises(kind):
            open_log(place)
    with pytest.raises(EvidenceError, match="no event of a job winter"):
        export_log(federation["bank"], tmp_path / "winter.tally", Scope("winter"))
    assert not list(tmp_path.glob("*winter*"))


@pytest.mark.parametrize("damage", ["cut out", "flip"])
def test_a_damaged_file_is_named_and_nothing_in_it_is_told(
    damage: str, federation: Federation, tmp_path: Path
) -> None:
    whole, file = tmp_path / "whole.tally", tmp_path / "damaged.tally"
    export_log(federation["bank"], whole, Scope(JOB))
    content = whole.read_bytes()
    told = set()
    for place in range(0, len(content), len(content) // 40):
        changed = bytearray(content)
        if damage == "flip":
            changed[place] ^= 1
        else:
            del changed[place : place + 40]
        file.write_bytes(changed)
        try:
            with closing(open_log(str(file))) as copy:
                assert list(copy.entries())
        except AuditError as error:
            told.add(str(error))
    assert f"{file} is damaged or cut short: ask its sender for it again" in told
    assert all(one.startswith(str(file)) for one in told)


def test_parts_of_a_tree_that_do_not_fit_give_no_root() -> None:
    leaves = [bytes([number]) for number in range(11)]
    tree = MerkleTree(leaves)
    present = [2, 3, 7]
    omitted = dict(omitted_parts(tree, present))
    hashes = {index: leaf_hash(leaves[index]) for index in present}
    assert PartialTree(hashes, omitted, 11).root() == tree.root()
    assert PartialTree({**hashes, 0: hashes[2]}, omitted, 11).root() is None
    assert PartialTree({2: hashes[2], 3: hashes[3]}, omitted, 11).root() is None
    assert PartialTree({}, {}, 1).root() is None
    assert PartialTree({**hashes, 7: hashes[2]}, omitted, 11).root() != tree.root()

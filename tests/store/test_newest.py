"""The end of a log is read from memory: the same entries as in the database, or none."""

from hypothesis import given
from hypothesis import strategies as st

from store import Log
from store.entry import Entry
from store.newest import MOST, Newest
from tests.envelopes import Issuer
from tests.store.test_log_accounts import append_for


def entries(first: int, last: int) -> list[Entry]:
    return [Entry(position, b"%d" % position) for position in range(first, last + 1)]


def test_what_was_appended_is_read_in_order_from_any_place() -> None:
    newest = Newest()
    newest.add(entries(3, 4))
    newest.add(entries(5, 7))
    assert newest.after(2, 100) == entries(3, 7)
    assert newest.after(4, 2) == entries(5, 6)


def test_what_is_not_here_is_left_to_the_database() -> None:
    newest = Newest()
    assert newest.after(0, 100) == []
    newest.add(entries(3, 4))
    assert newest.after(0, 100) == newest.after(1, 100) == []  # 1 and 2 are others'
    assert newest.after(4, 100) == newest.after(9, 100) == []


def test_only_so_many_are_kept() -> None:
    newest = Newest()
    newest.add(entries(1, MOST + 5))
    assert newest.after(4, 100) == []
    assert newest.after(5, MOST) == entries(6, MOST + 5)


@given(st.lists(st.tuples(st.integers(1, 3), st.booleans()), max_size=30))
def test_it_never_tells_of_a_gap(sizes: list[tuple[int, bool]]) -> None:
    """Given transactions of this process and of others, told of in nearly their order."""
    newest, head, told = Newest(), 0, []
    for size, ours in sizes:
        if ours:
            told.append(entries(head + 1, head + size))
        head += size
    if len(told) > 1:
        told[-1], told[-2] = told[-2], told[-1]
    for appended in told:
        newest.add(appended)
    for position in range(head + 1):
        found = newest.after(position, 100)
        assert found == entries(position + 1, position + len(found))


def test_several_openers_read_what_the_others_appended(log: Log, log_url: str) -> None:
    other, bank, partner = Log(log_url), Issuer("bank"), Issuer("partner")
    append_for(log, bank)
    append_for(other, partner)
    append_for(log, bank)
    other.close()
    for one in (log, Log(log_url)):
        found: list[Entry] = []
        while following := one.follow(len(found)):
            found += following
        assert found == one.read()
        assert [entry.envelope.source for entry in found] == ["bank", "partner", "bank"]
    one.close()


def test_only_what_is_to_be_delivered_is_told(log: Log) -> None:
    told: list[None] = []
    log.when_addressed(lambda: told.append(None))
    bank = Issuer("bank")
    append_for(log, bank)
    assert not told
    append_for(log, bank, "partner")
    assert len(told) == 1


def test_whoever_follows_the_log_is_told_of_everything(log: Log) -> None:
    told: list[int] = []
    log.when_appended(lambda: told.append(log.known_head))
    append_for(log, Issuer("bank"))
    append_for(log, Issuer("partner"), "bank")
    with log.transaction() as transaction:
        transaction.move_cursor("react", 1)
    assert told == [1, 2]


def test_what_others_appended_in_between_is_told_as_well(log: Log, log_url: str) -> None:
    told: list[None] = []
    log.when_addressed(lambda: told.append(None))
    other = Log(log_url)
    append_for(other, Issuer("partner"), "bank")
    append_for(log, Issuer("bank"))
    assert len(told) == 1
    other.close()

"""Customers are found by the handles of requests, and hashed once (requirements A2, S1)."""

from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlglot import exp

from handlers.alignment import handles_of
from party import handle_index
from party.handle_index import AT_ONCE, CALM_SECONDS, HandleIndex, handle_table
from scoring.engines.engine import Engine
from scoring.engines.opening import open_engine

KEY, OTHER_KEY = b"k" * 32, b"o" * 32


class Customers:
    """A party's customers, how often they were all read, and a clock."""

    def __init__(self, *ids: str) -> None:
        self.ids = list(ids)
        self.readings = 0
        self.now = 0.0

    def __call__(self) -> Sequence[str]:
        self.readings += 1
        return tuple(self.ids)


@pytest.fixture
def engine() -> Iterator[Engine]:
    with open_engine("sqlite://") as opened:
        yield opened


def find(index: HandleIndex, *ids: str, key: bytes = KEY) -> list[str | None]:
    return list(index.find(key, handles_of(key, ids)))


def test_customers_are_found_in_the_order_of_the_request(engine: Engine) -> None:
    index = HandleIndex(engine, Customers("1", "2", "3"))
    assert find(index, "3", "9", "1", "3") == ["3", None, "1", "3"]
    assert find(index, "2") == ["2"]
    assert find(index, "9") == [None]


def test_customers_are_hashed_once_a_key(engine: Engine) -> None:
    customers = Customers("1", "2")
    index = HandleIndex(engine, customers)
    find(index, "1")
    find(index, "2", "1")
    assert customers.readings == 1
    assert find(index, "1", key=OTHER_KEY) == ["1"]
    assert customers.readings == 2


def test_the_handles_of_another_key_name_nobody(engine: Engine) -> None:
    index = HandleIndex(engine, Customers("1", "2"))
    assert list(index.find(KEY, handles_of(OTHER_KEY, ["1"]))) == [None]


def test_an_index_outlives_the_process(engine: Engine) -> None:
    find(HandleIndex(engine, Customers("1")), "1")
    later = Customers("1")
    assert find(HandleIndex(engine, later), "1") == ["1"]
    assert later.readings == 0


def test_a_new_customer_is_found_and_a_stranger_is_not_looked_for_each_time(
    engine: Engine,
) -> None:
    """Else every request for somebody unknown would hash all customers."""
    customers = Customers("1")
    index = HandleIndex(engine, customers, clock=lambda: customers.now)
    assert find(index, "2") == [None]
    customers.ids.append("2")
    assert find(index, "2") == [None]
    assert customers.readings == 1
    customers.now += CALM_SECONDS
    assert find(index, "2") == ["2"]
    assert customers.readings == 2


def test_more_customers_than_one_question_holds(engine: Engine) -> None:
    ids = [str(number) for number in range(AT_ONCE + 10)]
    index = HandleIndex(engine, Customers(*ids))
    assert find(index, *reversed(ids)) == list(reversed(ids))


def test_very_many_customers_are_joined_in_the_engine(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also those who are not here, and one who is asked for twice."""
    for name, size in (("AT_ONCE", 3), ("MANY", 20), ("JOINED_AT_ONCE", 8)):
        monkeypatch.setattr(handle_index, name, size)
    ids = [str(number) for number in range(30)]
    index = HandleIndex(engine, Customers(*ids))
    assert find(index, *ids, "nobody", "7") == [*ids, None, "7"]


def test_customers_that_came_since_are_added_to_very_many(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, size in (("AT_ONCE", 3), ("MANY", 20), ("JOINED_AT_ONCE", 8), ("IDS_A_BATCH", 7)):
        monkeypatch.setattr(handle_index, name, size)
    customers = Customers(*(str(number) for number in range(0, 60, 2)))
    index = HandleIndex(engine, customers, clock=lambda: customers.now)
    assert find(index, *customers.ids) == customers.ids
    customers.ids = [str(number) for number in range(60)]
    customers.now += CALM_SECONDS
    assert find(index, *customers.ids) == customers.ids


def test_half_an_index_is_never_seen(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who reads customers may fail on the way; the next who asks begins anew."""
    monkeypatch.setattr(handle_index, "IDS_A_BATCH", 10)

    def torn() -> Iterator[str]:
        yield from (str(number) for number in range(25))
        raise OSError

    with pytest.raises(OSError):  # noqa: PT011 - ours
        find(HandleIndex(engine, torn), "1")
    count = exp.select(exp.Count(this=exp.Star())).from_(handle_table(KEY).name)
    assert engine.rows(count) == [(0,)]
    assert find(HandleIndex(engine, Customers("1")), "1") == ["1"]


@settings(max_examples=30, deadline=None)
@given(st.sets(st.text(min_size=1, max_size=8), max_size=12), st.lists(st.text(max_size=8)))
def test_whatever_ids_look_like(own: set[str], asked: list[str]) -> None:
    own = {one for one in own if "\0" not in one and one.isprintable()}
    asked = [one for one in asked if one.isprintable()]
    with open_engine("sqlite://") as engine:
        found = find(HandleIndex(engine, Customers(*own)), *asked)
    assert found == [one if one in own else None for one in asked]

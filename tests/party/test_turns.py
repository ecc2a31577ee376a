"""Pumps that take turns: one at a time while turns are short, and none waits for a long one."""

import threading
import time
from collections import deque
from collections.abc import Iterator

import pytest

from bus.errors import EndpointClosedError
from party import turns
from party.pump import Pump
from party.turns import Turns, takes_long
from store.errors import StoreBusyError
from tests.party.federation import until

REST = 30.0  # longer than any test: only news makes them work
PATIENCE = 20.0


class Worker:
    """A pump's step that does what it is given, and keeps an account of it."""

    def __init__(self, name: str, done: list[str]) -> None:
        self.pump = Pump(name, self.step, pause=REST)
        self.tasks: deque[str] = deque()
        self.done = done
        self.threads: set[int] = set()
        self.at_once = 0
        self.most_at_once = 0
        self.release = threading.Event()

    def step(self) -> bool:
        if not self.tasks:
            return False
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        self.threads.add(threading.get_ident())
        task = self.tasks.popleft()
        if task == "takes long":
            takes_long()
        if task in ("takes long", "is slow"):
            assert self.release.wait(PATIENCE)
        self.at_once -= 1
        if task == "is busy":
            raise StoreBusyError("somebody else writes")
        if task == "is over":
            raise EndpointClosedError("closed")
        self.done.append(f"{self.pump.name}: {task}")
        return True


class Team:
    """Workers that take turns."""

    def __init__(self, *names: str) -> None:
        self.turns = Turns()
        self.done: list[str] = []
        self.workers = {name: Worker(name, self.done) for name in names}
        self.tell = {name: self.turns.add(one.pump) for name, one in self.workers.items()}
        self.turns.start()

    def give(self, name: str, *tasks: str) -> None:
        self.workers[name].tasks.extend(tasks)
        self.tell[name]()

    def threads(self) -> set[int]:
        return set().union(*(worker.threads for worker in self.workers.values()))


@pytest.fixture
def team() -> Iterator[Team]:
    team = Team("receive", "react", "publish")
    yield team
    for worker in team.workers.values():
        worker.release.set()
    team.turns.stop(PATIENCE)


def test_whoever_has_news_gets_turns_until_nothing_is_left(team: Team) -> None:
    team.give("receive", "one", "two", "three")
    until(lambda: len(team.done) == 3)
    assert team.done == ["receive: one", "receive: two", "receive: three"]


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that is slow for a moment is no long turn."""
    monkeypatch.setattr(turns, "PATIENCE_SECONDS", PATIENCE)


@pytest.mark.usefixtures("patience")
def test_short_turns_need_one_thread(team: Team) -> None:
    for number in range(50):
        team.give("receive", str(number))
        team.give("react", str(number))
        until(lambda so_far=2 * number + 2: len(team.done) == so_far)  # type: ignore[misc]
    assert len(team.threads()) == 1


@pytest.mark.usefixtures("patience")
def test_nobody_gets_two_turns_while_another_waits(team: Team) -> None:
    begins = threading.Event()
    gate = Pump("gate", lambda: begins.wait(PATIENCE) and None, pause=REST)
    tell = team.turns.add(gate)
    tell()
    for name in team.workers:
        team.workers[name].tasks.extend("ab")
    for name in team.workers:
        team.tell[name]()
    begins.set()
    until(lambda: len(team.done) == 6)
    assert {one.partition(":")[0] for one in team.done[:3]} == set(team.workers)


@pytest.mark.parametrize("long", ["takes long", "is slow"])
def test_a_long_turn_keeps_nobody_else_waiting(team: Team, long: str) -> None:
    team.give("publish", long, "after it")
    until(lambda: team.workers["publish"].at_once == 1)
    team.give("receive", "a request")
    team.give("react", "to it")
    until(lambda: len(team.done) == 2)
    assert set(team.done) == {"receive: a request", "react: to it"}
    team.workers["publish"].release.set()
    until(lambda: len(team.done) == 4)
    assert team.done[2:] == [f"publish: {long}", "publish: after it"]


def test_all_can_take_long_at_once(team: Team) -> None:
    for name in team.workers:
        team.give(name, "takes long")
    until(lambda: all(worker.at_once for worker in team.workers.values()))
    for worker in team.workers.values():
        worker.release.set()
    until(lambda: len(team.done) == 3)


def test_a_pump_is_on_one_thread_at_a_time(team: Team) -> None:
    """Given threads that tell of news all the time, while turns take long now and then."""
    telling = [
        threading.Thread(target=lambda: [tell() for tell in team.tell.values() for _ in range(300)])
        for _ in range(4)
    ]
    for worker in team.workers.values():
        worker.release.set()
        worker.tasks.extend(["short", "takes long", "short"] * 100)
    for thread in telling:
        thread.start()
    until(lambda: len(team.done) == 900)
    for thread in telling:
        thread.join()
    assert {worker.most_at_once for worker in team.workers.values()} == {1}


def test_a_pump_that_fails_waits_whatever_is_told_and_the_others_go_on(team: Team) -> None:
    team.give("publish", "is busy", "later")
    until(lambda: team.workers["publish"].pump.failing)
    began = time.monotonic()
    while team.workers["publish"].pump.failing:
        team.tell["publish"]()
        team.give("react", "meanwhile")
        assert time.monotonic() - began < PATIENCE
    until(lambda: "publish: later" in team.done)
    assert team.done[0] == "react: meanwhile"
    assert team.workers["publish"].pump.failures == 1


def test_a_pump_that_has_ended_gets_no_turn_and_is_not_alive(team: Team) -> None:
    team.give("receive", "is over", "never")
    until(lambda: not team.workers["receive"].pump.alive)
    team.tell["receive"]()
    team.give("react", "goes on")
    until(lambda: team.done == ["react: goes on"])
    assert team.workers["react"].pump.alive


def test_who_leaves_finishes_its_turn(team: Team) -> None:
    team.give("publish", "takes long", "never")
    until(lambda: team.workers["publish"].at_once == 1)
    leaving = threading.Thread(
        target=team.turns.remove, args=(team.workers["publish"].pump, PATIENCE)
    )
    leaving.start()
    team.workers["publish"].release.set()
    leaving.join()
    assert team.done == ["publish: takes long"]
    assert not team.workers["publish"].pump.alive


def test_one_that_comes_later_has_its_turns(team: Team) -> None:
    late = Worker("serve", team.done)
    tell = team.turns.add(late.pump)
    late.tasks.append("a request")
    tell()
    until(lambda: team.done == ["serve: a request"])
    assert late.pump.alive


def test_nothing_begins_after_the_stop(team: Team) -> None:
    team.turns.stop(PATIENCE)
    team.give("receive", "too late")
    assert team.done == []
    assert not any(worker.pump.alive for worker in team.workers.values())


def test_a_pump_of_its_own_thread_may_take_long_and_goes_on() -> None:
    steps: list[int] = []

    def step() -> None:
        takes_long()
        steps.append(threading.get_ident())

    pump = Pump("react", step, pause=0.001)
    pump.start()
    until(lambda: len(steps) > 2)
    assert pump.alive
    pump.stop(PATIENCE)
    assert len(set(steps)) == 1

"""The door for business systems: HTTP with a token, answered by real parties (requirement S4)."""

import json
import secrets
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pika
import pytest

from bus import MemoryBroker
from bus.link import connection_parameters
from bus.settings import broker_settings
from events.vocabulary import Role
from handlers.history import History
from learning.binning import learn_bins
from party.model_keeping import convert_document, retire
from party.opening import Party, open_party
from party.predicting import Answer, Wish, request_prediction
from party.running import RunningParty
from party.turns import Turns
from scoring.models.linear import BinnedTerm, LinearModel
from store.entry import Entry
from store.errors import StoreBusyError
from tallystick.errors import ServingError
from tallystick.serving import service
from tallystick.serving.queue import LONGEST_SECONDS, QUEUE, serving_queue
from tallystick.serving.server import web_server
from tallystick.serving.service import ScoreService
from tallystick.serving.token import token_in
from tallystick.serving.web import web_application
from tests.brokers import PrivateBroker
from tests.party.federation import until
from tests.tallystick.federations import make_federation

TOKEN = "a token that is long enough"
SHOWN = {"Authorization": f"Bearer {TOKEN}"}


def half(role: Role, column: str) -> LinearModel:
    """A half of one column in two bins, which add -1 and 1."""
    cut = learn_bins(column, np.linspace(-1, 1, 101), np.ones(101, np.bool_))
    weights = tuple(-1.0 if place < cut.bins / 2 else 1.0 for place in range(cut.bins))
    return LinearModel(
        model_id="spring",
        role=Role.LOCAL if role is Role.LOCAL else Role.PARTICIPANT,
        digest="0" * 64,
        kind="logistic",
        combination="sigmoid",
        outputs=1,
        intercepts=(0.0,) if role is Role.LOCAL else None,
        terms=(BinnedTerm(cut=cut, weights=(weights,)),),
    )


@pytest.fixture(scope="module")
def parties(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Party]]:
    folder = tmp_path_factory.mktemp("door")
    make_federation(folder)
    broker = MemoryBroker()
    with ExitStack() as stack:
        opened = {}
        for name, column in (("bank", "income"), ("partner", "calls")):
            party = stack.enter_context(closing(open_party(folder / name)))
            convert_document(party, half(party.role, column))
            stack.enter_context(RunningParty(party, broker.endpoint(name)))
            opened[name] = party
        yield opened


@contextmanager
def serving(party: Party) -> Iterator[ScoreService]:
    turns = Turns()
    door = ScoreService(party, turns)
    door.start()
    turns.start()
    try:
        yield door
    finally:
        door.stop()
        turns.stop()


@pytest.fixture(scope="module")
def client(parties: dict[str, Party]) -> Iterator[httpx.Client]:
    with (
        serving(parties["bank"]) as door,
        web_server(web_application(door, TOKEN), "127.0.0.1", 0) as address,
        httpx.Client(base_url=address, timeout=60) as client,
    ):
        yield client


def business_url(rabbitmq: PrivateBroker) -> str:
    """A user as the business systems' broker would have it: parties have narrower permissions."""
    name = password = f"business{secrets.token_hex(6)}"
    rabbitmq.control("add_user", name, password)
    rabbitmq.control("set_permissions", "-p", "tallystick", name, ".*", ".*", ".*")
    return f"amqp://{name}:{password}@127.0.0.1:{rabbitmq.port}/tallystick"


def consumers(url: str) -> int:
    """Of the queue of requests, if it is there."""
    try:
        with _connection(url) as connection:
            declared = connection.channel().queue_declare(QUEUE, passive=True)
            return int(declared.method.consumer_count)
    except pika.exceptions.ChannelClosedByBroker:
        return 0


def replies_to(url: str, asked: dict[str, str]) -> dict[str, Any]:
    """Send the requests under these names, and wait for all replies."""
    replies: dict[str, Any] = {}
    with _connection(url) as connection:
        channel = connection.channel()
        answers = channel.queue_declare("", exclusive=True).method.queue
        for name, body in asked.items():
            properties = pika.BasicProperties(reply_to=answers, correlation_id=name)
            channel.basic_publish("", QUEUE, body, properties)
        for _method, properties, body in channel.consume(answers, inactivity_timeout=60):
            assert properties is not None, "no reply"
            replies[properties.correlation_id] = json.loads(body)
            if len(replies) == len(asked):
                break
    return replies


def _connection(url: str) -> pika.BlockingConnection:
    return pika.BlockingConnection(connection_parameters(broker_settings(url), "test"))


def ask(client: httpx.Client, **changes: Any) -> Any:
    body = {"model": "spring", "ids": ["1050", "1051", "999"], **changes}
    return client.post("/v1/scores", json=body, headers=SHOWN)


def test_customers_are_scored_in_the_order_asked(client: httpx.Client) -> None:
    response = ask(client, threshold=0.5)
    assert response.status_code == 200
    document = response.json()
    assert (document["model"], document["version"]) == ("spring", 1)
    first, second, third = document["results"]
    assert [one["id"] for one in document["results"]] == ["1050", "1051", "999"]
    possible = {round(1 / (1 + np.exp(-score)), 9) for score in (-2.0, 0.0, 2.0)}
    for one in (first, second):
        assert one["status"] == "scored"
        assert round(one["probability"], 9) in possible
        assert one["label"] == (1 if one["probability"] > 0.5 else -1)
    assert third == {"id": "999", "status": "not at bank, partner"}


def test_a_request_without_the_token_learns_nothing(client: httpx.Client) -> None:
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": TOKEN}):
        response = client.post("/v1/scores", json={"model": "spring"}, headers=headers)
        assert response.status_code == 401
        assert client.get("/v1/models", headers=headers).status_code == 401
    assert client.get("/healthz").json() == {"party": "bank", "status": "serving"}


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"ids": []}, "ids"),
        ({"ids": [1050]}, "ids.0"),
        ({"ids": ["1050"], "secret": 1}, "secret"),
        ({"how": "yesterday"}, "how"),
        ({"within": 0}, "within"),
    ],
)
def test_a_bad_request_is_told_where_and_not_repeated(
    changes: dict[str, Any], place: str, client: httpx.Client
) -> None:
    response = ask(client, **changes)
    assert response.status_code == 422
    assert response.json()["error"] == "bad-request"
    assert response.json()["detail"].startswith(place)
    assert "1050" not in response.text


def test_a_model_that_nobody_has_is_refused_before_anybody_is_asked(
    client: httpx.Client, parties: dict[str, Party]
) -> None:
    before = parties["partner"].log.head()
    response = ask(client, model="autumn")
    assert response.status_code == 409
    assert "has no model autumn" in response.json()["detail"]
    assert parties["partner"].log.head() == before


def test_the_models_are_listed(client: httpx.Client) -> None:
    [model] = client.get("/v1/models", headers=SHOWN).json()["models"]
    assert (model["model"], model["active"], model["state"]) == ("spring", 1, "serves")


def test_requests_in_a_queue_are_answered_where_they_say(
    parties: dict[str, Party], rabbitmq: PrivateBroker
) -> None:
    """A business system that uses a broker gets what HTTP would say, and a bad one a reason."""
    asked = {
        "good": json.dumps({"model": "spring", "ids": ["1050", "999"]}),
        "bad": '{"model": 1}',
        "unknown": json.dumps({"model": "autumn", "ids": ["1050"]}),
    }
    url = business_url(rabbitmq)
    with serving(parties["bank"]) as door, serving_queue(door, url):
        replies = replies_to(url, asked)
    assert replies["good"]["status"] == 200
    assert [one["status"] for one in replies["good"]["results"]] == [
        "scored",
        "not at bank, partner",
    ]
    assert replies["bad"] == {
        "status": 409,
        "error": "refused",
        "detail": "not a request for scores",
    }
    assert "has no model autumn" in replies["unknown"]["detail"]


def test_a_request_in_a_queue_ends_before_the_broker_takes_it_back(
    parties: dict[str, Party], rabbitmq: PrivateBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half an hour by RabbitMQ's default: offline scores, which have an hour elsewhere, have less
    here, and who wants more is told how.
    """
    wishes: list[Wish] = []

    def ask(wish: Wish) -> Future[Answer]:
        wishes.append(wish)
        return ScoreService.ask(door, wish)

    request = {"model": "autumn", "ids": ["1050"]}
    asked = {
        "offline": json.dumps({**request, "how": "offline"}),
        "longest": json.dumps({**request, "within": LONGEST_SECONDS}),
        "too long": json.dumps({**request, "within": LONGEST_SECONDS + 1}),
    }
    url = business_url(rabbitmq)
    with serving(parties["bank"]) as door:
        monkeypatch.setattr(door, "ask", ask)
        with serving_queue(door, url):
            replies = replies_to(url, asked)
    assert [wish.seconds for wish in wishes] == [LONGEST_SECONDS, LONGEST_SECONDS]
    assert replies["too long"]["status"] == 409
    assert "ask by HTTP or `tally score`" in replies["too long"]["detail"]


def test_a_deleted_queue_of_requests_is_declared_again(
    parties: dict[str, Party], rabbitmq: PrivateBroker
) -> None:
    """The broker cancels the consumer and leaves the connection as it is."""
    url = business_url(rabbitmq)
    with serving(parties["bank"]) as door, serving_queue(door, url):
        with _connection(url) as connection:
            connection.channel().queue_delete(QUEUE)
        until(lambda: consumers(url) == 1, seconds=60)
        replies = replies_to(url, {"good": json.dumps({"model": "spring", "ids": ["1050"]})})
    assert replies["good"]["status"] == 200


def test_a_request_whose_reply_the_broker_refused_comes_again(
    parties: dict[str, Party], rabbitmq: PrivateBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The broker closes the channel; when an administrator allows it, the reply comes."""
    wishes: list[Wish] = []

    def ask(wish: Wish) -> Future[Answer]:
        wishes.append(wish)
        if len(wishes) == 2:  # so it came again
            rabbitmq.control("set_permissions", "-p", "tallystick", user, ".*", ".*", ".*")
        return ScoreService.ask(door, wish)

    url = business_url(rabbitmq)
    user = str(broker_settings(url).user)
    rabbitmq.control("set_permissions", "-p", "tallystick", user, ".*", "^$", ".*")
    with serving(parties["bank"]) as door:
        monkeypatch.setattr(door, "ask", ask)
        with serving_queue(door, url):
            asked = {"good": json.dumps({"model": "spring", "ids": ["1050"]})}
            replies = replies_to(business_url(rabbitmq), asked)
    assert replies["good"]["status"] == 200
    assert len(wishes) >= 2


def test_nobody_waits_for_a_log_that_cannot_be_read(
    client: httpx.Client, parties: dict[str, Party], monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreadable(*_: object) -> list[Entry]:
        raise StoreBusyError("the log cannot be read now")

    with monkeypatch.context() as patch:
        patch.setattr(parties["bank"].log, "follow", unreadable)
        for _ in range(3):
            response = ask(client)
            assert (response.status_code, response.json()["error"]) == (503, "unavailable")
    until(lambda: ask(client).status_code == 200)


def test_a_fault_in_one_request_is_not_felt_by_the_others(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    true_request = request_prediction

    def sometimes(party: Party, wish: Wish, model: History | None = None) -> str:
        if wish.threshold == 0.75:
            raise ZeroDivisionError("of the ids 1050 and 1051")
        return true_request(party, wish, model)

    monkeypatch.setattr(service, "request_prediction", sometimes)
    response = ask(client, threshold=0.75)
    assert (response.status_code, response.json()["error"]) == (500, "internal")
    assert ask(client).status_code == 200
    told = capsys.readouterr().out
    assert "asking_failed" in told
    assert "1050" not in told


def test_whoever_still_waits_is_told_when_it_stops(parties: dict[str, Party]) -> None:
    """Given a service whose turns never come, as everything else takes long."""
    late = ScoreService(parties["bank"], Turns())
    late.start()
    waiting = late.ask(Wish("spring", ("1050",)))
    late.stop()
    assert waiting.cancelled()
    assert late.ask(Wish("spring", ("1050",))).cancelled()


def test_what_a_party_refuses_is_told_with_its_name(
    client: httpx.Client, parties: dict[str, Party]
) -> None:
    retire(parties["partner"], "spring")
    response = ask(client)
    assert response.status_code == 409
    assert response.json()["error"] == "retired"
    assert response.json()["party"] == "partner"


def test_the_token_is_made_once_and_for_the_owner_alone(tmp_path: Path) -> None:
    token = token_in(tmp_path / "serve.token")
    assert len(token) > 40
    assert (tmp_path / "serve.token").stat().st_mode & 0o077 == 0
    assert token_in(tmp_path / "serve.token") == token


def test_a_token_that_others_may_read_is_not_used(tmp_path: Path) -> None:
    token_in(tmp_path / "serve.token")
    (tmp_path / "serve.token").chmod(0o644)
    with pytest.raises(ServingError, match="chmod 600"):
        token_in(tmp_path / "serve.token")

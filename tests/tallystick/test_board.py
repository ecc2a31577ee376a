"""The board over HTTP: what its pages tell, whom it answers, and that it only reads (D4)."""

import hashlib
import re
import shutil
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import pytest

from audit.errors import LogPlaceError
from bus import MemoryBroker
from events.terms import Member, Optimiser, Terms
from events.vocabulary import Role
from party.errors import SettingsError
from party.lock import running_alone
from party.opening import open_party
from party.requesting import request_training
from party.running import RunningParty
from party.trust import TrustedCards
from tallystick.board.guard import is_known_host
from tallystick.board.processes import holder_of
from tallystick.board.watched import watch
from tallystick.board.web import board_application
from tallystick.serving.server import web_server
from tests.tallystick.conftest import Trained
from tests.tallystick.federations import ROLES, make_party, tally

TOKEN = "a token that is long enough"
HTML = {"accept": "text/html"}
PAGES = ("/", "/jobs", "/jobs/spring", "/log", "/log/3", "/report.html", "/board.css", "/board.js")


@contextmanager
def board(folder: Path, token: str | None = None) -> Iterator[httpx.Client]:
    application = board_application(watch(folder), token, frozenset({"board.bank.example"}))
    with (
        web_server(application, "127.0.0.1", 0) as address,
        httpx.Client(base_url=address, timeout=60) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def bank(trained: Trained) -> Iterator[httpx.Client]:
    with board(trained.folder / "bank") as client:
        yield client


def page(client: httpx.Client, address: str, status: int = 200) -> str:
    response = client.get(address)
    assert response.status_code == status
    return response.text


def events_of(client: httpx.Client, address: str) -> list[str]:
    """Ids of the events that a page of the log lists."""
    parts = page(client, address).split('<th scope="row"><a href="/log/')[1:]
    return [part[:64] for part in parts]


def test_the_overview_tells_how_the_party_is(bank: httpx.Client) -> None:
    html = page(bank, "/")
    for words in ("Does not run; nothing waits", "events in the log", "everything is confirmed"):
        assert words in html
    assert '<a href="/jobs/spring">spring</a>' in html
    assert "No message was refused" in html


def test_of_many_trainings_under_way_the_newest_are_told(trained: Trained, tmp_path: Path) -> None:
    """Given twelve requests that nobody answers, then all are counted and listed, eight told."""
    folder = copy_of(trained, tmp_path)
    with closing(open_party(folder)) as party, board(folder) as client:
        for number in range(12):
            request_training(party, f"asked-{number}", terms())
        html = page(client, "/")
        assert "12 trainings are under way" in html
        assert html.count('<article class="going"') == 8
        assert "asked-11" in html
        everything = page(client, "/jobs")
        assert all(f'<a href="/jobs/asked-{number}">' in everything for number in range(12))
        request_training(party, "asked-later", terms())
        assert "asked-later" in page(client, "/jobs")


def test_a_training_is_told_in_full(bank: httpx.Client) -> None:
    html = page(bank, "/jobs/spring")
    for words in (
        "hold: signed, chained, and a legal run of the protocol",
        "of at most 3",
        "flag below 0.0001",
        "What each party could have learned",
        "This party&#39;s half of the model",
        "Version 1 serves",
        "Who said what to whom",
        "MaskedResultDecrypted",
    ):
        assert words.replace("&#39;", "'") in html.replace("&#39;", "'"), words
    assert html.count("<svg") == 2


def test_parameters_are_on_their_owners_board_alone(trained: Trained, bank: httpx.Client) -> None:
    with board(trained.folder / "arbiter") as arbiter:
        assert "half of the model:" not in page(arbiter, "/jobs/spring")
    assert "half of the model:" in page(bank, "/jobs/spring")


def test_no_page_shows_a_customer(trained: Trained, bank: httpx.Client) -> None:
    """Given customers 1000 to 1239, then no such number stands on any page.

    Pictures have sizes; digests, signatures and fingerprints may hold any digits.
    """
    customer = re.compile(r"(?<![\w.,-])1[012]\d\d(?![\w.,-])")
    random = re.compile(r"<svg.*?</svg>|[^\s<>]{40,}|[0-9a-f]{4}(?: [0-9a-f]{4}){7}", re.DOTALL)
    for address in (*PAGES[:-2], *(f"/log/{one}" for one in events_of(bank, "/log"))):
        assert not customer.findall(random.sub("", page(bank, address))), address


def test_the_log_is_paged_and_filtered(bank: httpx.Client) -> None:
    newest = events_of(bank, "/log")
    assert len(newest) == 50
    html = page(bank, "/log")
    older = html.split('rel="next">')[0].rpartition('href="')[2].partition('"')[0]
    assert not set(events_of(bank, older)) & set(newest)
    only = page(bank, "/log?type=StopFlagRaised&party=partner&job=spring&private=no")
    assert only.count('<th scope="row">') == only.count(">StopFlagRaised</a>") == 3
    assert "No such event" in page(bank, "/log?job=autumn")
    assert "No such event" in page(bank, "/log?job=%3Cscript%3E&before=x")


def test_an_event_is_shown_with_what_holds_and_why_it_is_there(bank: httpx.Client) -> None:
    flag = events_of(bank, "/log?type=StopFlagRaised&party=bank")[0]
    html = page(bank, f"/log/{flag}")
    assert "What can be seen of it here holds" in html
    cause = html.split("Because of: ")[1]
    assert cause.startswith('<a href="/log/')
    assert ">MaskedResultDecrypted</a> of arbiter" in cause
    assert "sealed to" in html
    partners = page(bank, "/log/" + events_of(bank, "/log?type=StopFlagRaised&party=partner")[0])
    assert "not seen here: sealed to arbiter" in partners


def test_an_event_by_a_changed_key_does_not_hold(trained: Trained, tmp_path: Path) -> None:
    """Given another card in the partner's name, then its events fail and the bank's do not."""
    folder = copy_of(trained, tmp_path)
    (other,) = [one for one in TrustedCards(folder / "trusted") if one.name == "arbiter"]
    card = folder / "trusted" / "partner.json"
    card.write_text(other.model_copy(update={"name": "partner"}).model_dump_json())
    with board(folder) as client:
        theirs = events_of(client, "/log?party=partner")[0]
        assert "Something about it does not hold" in page(client, f"/log/{theirs}")
        assert "Something does not hold in this training" in page(client, "/jobs/spring")
        own = events_of(client, "/log?party=bank")[0]
        assert "What can be seen of it here holds" in page(client, f"/log/{own}")


def test_a_damaged_event_is_told_and_the_others_stay_readable(
    trained: Trained, tmp_path: Path
) -> None:
    folder = copy_of(trained, tmp_path)
    with closing(sqlite3.connect(folder / "log.sqlite")) as database, database:
        database.execute("DROP TRIGGER events_are_final_update")
        database.execute("UPDATE events SET canonical = x'7b7d' WHERE position = 5")
    with board(folder) as client:
        html = page(client, "/log?before=8")
        assert "What stands at position 5 is no event" in html
        assert html.count('<th scope="row">') == 6
        (event,) = (
            sqlite3.connect(folder / "log.sqlite")
            .execute("SELECT event_id FROM events WHERE position = 5")
            .fetchone()
        )
        assert "no envelope" in page(client, f"/log/{event}", 500)
        assert "Something does not hold" in page(client, "/report.html")


def test_a_log_that_cannot_be_read_now_is_told_and_may_come_back(
    trained: Trained, tmp_path: Path
) -> None:
    folder = copy_of(trained, tmp_path)
    with board(folder) as client:
        (folder / "log.sqlite").rename(folder / "elsewhere")
        assert "Not now" in page(client, "/", 503)
        assert client.get("/report.html").status_code == 503
        (folder / "elsewhere").rename(folder / "log.sqlite")
        assert "events in the log" in page(client, "/")


def test_the_report_is_handed_out_as_a_file(bank: httpx.Client) -> None:
    response = bank.get("/report.html")
    assert response.headers["content-disposition"] == 'attachment; filename="bank-report.html"'
    assert "Everything that was checked holds." in response.text
    assert "sandbox" in response.headers["content-security-policy"]


@pytest.mark.parametrize(
    "address", ["/nothing", "/jobs/autumn", "/log/" + "0" * 64, "/log/99999", "/log/x%3Cb%3E"]
)
def test_what_is_not_there_is_said_so(address: str, bank: httpx.Client) -> None:
    html = page(bank, address, 404)
    assert "Not here" in html
    assert "<b>" not in html.partition("<main")[2]


def test_nothing_is_loaded_from_elsewhere_and_nothing_foreign_runs(bank: httpx.Client) -> None:
    for address in PAGES[:5]:
        response = bank.get(address)
        policy = response.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.headers["cache-control"] == "no-store"
        for attribute in ("href", "src", "action"):
            for value in response.text.split(f' {attribute}="')[1:]:
                assert value.startswith(("/", "#")), value[:80]
        assert " style=" not in response.text
        assert "<style" not in response.text


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_it_takes_no_orders(method: str, bank: httpx.Client) -> None:
    for address in PAGES:
        assert bank.request(method, address).status_code == 405


def test_a_page_of_another_site_gets_nothing_by_naming_itself(bank: httpx.Client) -> None:
    """DNS rebinding: the browser asks this address with the attacker's name as Host."""
    refused = bank.get("/", headers={"host": "attacker.example:8788"})
    assert refused.status_code == 421
    assert "bank" not in refused.text
    assert bank.get("/", headers={"host": "board.bank.example"}).status_code == 200


@pytest.mark.parametrize(
    ("host", "known"),
    [
        ("127.0.0.1:8788", True),
        ("[::1]:8788", True),
        ("[::1]", True),
        ("10.0.0.7", True),
        ("localhost:1", True),
        ("LOCALHOST", True),
        ("localhost.attacker.example", False),
        ("127.0.0.1.attacker.example", False),
        ("attacker.example", False),
        ("", False),
    ],
)
def test_hosts_are_addresses_and_known_names(host: str, known: bool) -> None:
    assert is_known_host(host, frozenset({"localhost"})) is known


def test_with_a_token_nothing_is_told_without_it(trained: Trained) -> None:
    with board(trained.folder / "bank", TOKEN) as client:
        for address in PAGES[:-2]:
            assert client.get(address).status_code == 401
            shown = client.get(address, headers=HTML)
            assert (shown.status_code, shown.headers["location"]) == (303, "/token")
            wrong = {"authorization": "Bearer something else"}
            assert client.get(address, headers=wrong).status_code == 401
            right = {"authorization": f"Bearer {TOKEN}"}
            assert client.get(address, headers=right).status_code == 200
        assert "spring" not in client.get("/token").text


def test_a_browser_shows_the_token_once_and_gets_a_cookie(trained: Trained) -> None:
    with board(trained.folder / "bank", TOKEN) as client:
        for wrong in ("", "not the token", "é", "x" * 5000):
            answer = client.post("/token", data={"token": wrong})
            assert answer.status_code == 401
            assert "That is not the token" in answer.text
            assert not client.cookies
        entered = client.post("/token", data={"token": TOKEN})
        assert (entered.status_code, entered.headers["location"]) == (303, "/")
        cookie = entered.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        assert TOKEN not in cookie
        assert "events in the log" in page(client, "/")


def test_looking_changes_no_file(trained: Trained, tmp_path: Path) -> None:
    folder = copy_of(trained, tmp_path)
    before = contents(folder)
    with board(folder) as client:
        for address in PAGES:
            page(client, address)
    assert contents(folder) == before


def test_it_watches_a_party_that_runs_and_starts_meanwhile(
    trained: Trained, tmp_path: Path
) -> None:
    """Looking takes no lock: a party starts beside the board, and the board tells."""
    folder = copy_of(trained, tmp_path)
    with board(folder) as client, closing(open_party(folder)) as party:
        assert "Does not run" in page(client, "/")
        with RunningParty(party, MemoryBroker().endpoint("bank")):
            html = page(client, "/")
            assert "does not run" not in html
            assert "it is within the link's" in html.replace("&#39;", "'")
        assert "Does not run" in page(client, "/")


def test_the_holder_of_a_lock_is_seen_and_not_disturbed(tmp_path: Path) -> None:
    lock = tmp_path / "party.lock"
    assert holder_of(lock).state == "does not run"
    with running_alone(lock):
        assert holder_of(lock).state == "runs"
    assert holder_of(lock).state == "does not run"
    assert holder_of(lock, locks=tmp_path / "no such table").state == "not known"


def test_what_needs_a_person_is_said_on_top(trained: Trained, tmp_path: Path) -> None:
    """Given an event that its recipient's queue never took, and a message refused twice."""
    folder = copy_of(trained, tmp_path)
    with closing(open_party(folder)) as party, party.log.transaction() as transaction:
        for _ in range(2):
            transaction.refuse("mallory", "the signature is not right", "RowsAligned")
    with board(folder) as client:
        html = page(client, "/")
        assert "mallory" in html
        assert "the signature is not right" in html


def test_no_folder_no_log_no_port_is_one_line_each(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="is not a party's folder"):
        watch(tmp_path / "nowhere")
    make_party(tmp_path, "bank", "arbiter")
    (tmp_path / "bank" / "log.sqlite").unlink(missing_ok=True)
    with pytest.raises(LogPlaceError, match="there is no such file"):
        watch(tmp_path / "bank")
    nowhere = tally("board", tmp_path / "nowhere")
    assert (nowhere.code, len(nowhere.err.splitlines())) == (2, 1)


def test_a_port_in_use_is_told_with_the_remedy(trained: Trained) -> None:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        outcome = tally("board", trained.folder / "bank", "--port", port)
    assert outcome.code == 2
    assert f"127.0.0.1:{port} cannot be listened at" in outcome.err
    assert "--port" in outcome.err


def terms() -> Terms:
    return Terms(
        members=tuple(Member(name=name, role=Role(role)) for name, role in ROLES.items()),
        optimiser=Optimiser(
            step=0.6, momentum=0.3, stop_threshold=1e-4, stop_rounds=2, maximum_rounds=3
        ),
        key_bits=512,
        short_key_for_tests=True,
        leak_budget=100.0,
        smallest_bin=1,
    )


def copy_of(trained: Trained, target: Path) -> Path:
    """The bank's folder once more, for what would change it."""
    shutil.copytree(trained.folder / "bank", target / "bank")
    return target / "bank"


def contents(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }

"""The board and the report in a real browser: readable by everybody, everywhere, and live (D4)."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, expect

from audit.opening import open_log
from audit.report.page import make_report, render
from bus import MemoryBroker
from party.opening import open_party
from party.requesting import request_training
from party.running import RunningParty
from tallystick.board.watched import watch
from tallystick.board.web import board_application
from tallystick.serving.server import web_server
from tests.browser import DESKTOP, TELEPHONE, browser, overflow, page
from tests.tallystick.conftest import Trained
from tests.tallystick.test_board import copy_of, terms

TOKEN = "a token that is long enough"
PAGES = ("/", "/jobs", "/jobs/spring", "/log", "/log/30", "/nothing")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as started:
        yield started


@contextmanager
def board(folder: Path, token: str | None = None) -> Iterator[str]:
    with web_server(board_application(watch(folder), token), "127.0.0.1", 0) as address:
        yield address


@pytest.fixture(scope="module")
def bank(trained: Trained) -> Iterator[str]:
    with board(trained.folder / "bank") as address:
        yield address


@pytest.fixture(scope="module")
def report(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Of one party, as a file."""
    file = tmp_path_factory.mktemp("report") / "report.html"
    with open_log(str(trained.folder / "bank")) as copy:
        file.write_text(render(make_report([copy])))
    return file.as_uri()


def addresses(bank: str, report: str) -> list[str]:
    return [*(bank + place for place in PAGES[:-1]), report]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, TELEPHONE], ids=["desktop", "telephone"])
def test_it_is_accessible_and_fits_the_window(
    chromium: Browser, bank: str, report: str, size: tuple[int, int], dark: bool
) -> None:
    """Every rule of axe-core: contrast, labels, landmarks, headings, keyboard, and the rest."""
    for address in addresses(bank, report):
        with page(chromium, size, dark=dark) as shown:
            shown.goto(address)
            found = Axe().run(shown)
            assert found.response["violations"] == [], found.generate_report()
            assert found.response["passes"]
            assert overflow(shown) == 0, address


def test_everything_can_be_read_without_scripts(chromium: Browser, bank: str) -> None:
    with page(chromium, scripts=False) as shown:
        shown.goto(bank + "/jobs/spring")
        expect(shown.locator("svg[role=img]")).to_have_count(2)
        shown.get_by_text("terms, signed by bank").click()
        expect(shown.get_by_text("maximum rounds")).to_be_visible()
        shown.get_by_role("link", name="Log", exact=True).click()
        shown.get_by_label("event", exact=True).select_option("TrainingStopped")
        shown.get_by_role("button", name="Show").click()
        shown.get_by_role("link", name="TrainingStopped").click()
        expect(shown.get_by_text("What can be seen of it here holds.")).to_be_visible()
        expect(shown.get_by_role("heading", level=1)).to_have_text("TrainingStopped")


def test_the_keyboard_reaches_the_content_first(chromium: Browser, bank: str) -> None:
    with page(chromium) as shown:
        shown.goto(bank + "/log")
        shown.keyboard.press("Tab")
        expect(shown.get_by_role("link", name="To the content")).to_be_focused()
        shown.keyboard.press("Enter")
        shown.keyboard.press("Tab")
        expect(shown.get_by_label("event", exact=True)).to_be_focused()


def test_it_follows_the_log_and_keeps_what_the_reader_opened(
    chromium: Browser, trained: Trained, tmp_path: Path
) -> None:
    """Given an open board, when the party runs and asks for a training, then it is shown."""
    folder = copy_of(trained, tmp_path)
    with (
        board(folder) as address,
        page(chromium) as shown,
        closing(open_party(folder)) as party,
    ):
        shown.goto(address + "/")
        expect(shown.get_by_text("Does not run; nothing waits.")).to_be_visible()
        with RunningParty(party, MemoryBroker().endpoint("bank")):
            request_training(party, "autumn", terms())
            going = shown.get_by_role("article", name="autumn")
            expect(going).to_be_visible(timeout=30_000)
            expect(going.get_by_label("0 of at most 3 rounds")).to_be_visible()
        shown.get_by_role("button", name="Pause").click()
        expect(shown.get_by_text("Paused.")).to_be_visible()


def test_a_refresh_leaves_open_what_was_opened(
    chromium: Browser, trained: Trained, tmp_path: Path
) -> None:
    folder = copy_of(trained, tmp_path)
    with (
        board(folder) as address,
        page(chromium, TELEPHONE) as shown,
        closing(open_party(folder)) as party,
    ):
        request_training(party, "autumn", terms())
        shown.goto(address + "/jobs/autumn")
        shown.get_by_text("terms, signed by bank").click()
        term = shown.get_by_text("maximum rounds")
        expect(term).to_be_visible()
        first = shown.locator("footer time").get_attribute("datetime")
        expect(shown.locator("footer time")).not_to_have_attribute(
            "datetime", str(first), timeout=30_000
        )
        expect(term).to_be_visible()


def test_a_browser_enters_with_the_token(chromium: Browser, trained: Trained) -> None:
    with board(trained.folder / "bank", TOKEN) as address, page(chromium) as shown:
        shown.goto(address + "/jobs/spring")
        expect(shown).to_have_url(address + "/token")
        assert Axe().run(shown).response["violations"] == []
        shown.get_by_label("token").fill(TOKEN)
        shown.keyboard.press("Enter")
        expect(shown.get_by_role("heading", name="Health")).to_be_visible()


def test_it_prints_with_the_terms_and_without_the_navigation(
    chromium: Browser, bank: str, report: str
) -> None:
    for address in (bank + "/jobs/spring", report):
        with page(chromium) as shown:
            shown.goto(address)
            shown.emulate_media(media="print")
            shown.set_viewport_size({"width": 720, "height": 1000})  # A4 between its margins
            expect(shown.get_by_text("maximum rounds")).to_be_visible()
            expect(shown.get_by_role("navigation")).to_have_count(0)
            assert overflow(shown) == 0
            assert shown.pdf().startswith(b"%PDF")

"""A real browser for the tests: Debian's Chromium without a screen, driven by Playwright.

It loads the tests' own pages and nothing else: whatever asks for another address fails the test.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

REPOSITORY = Path(__file__).resolve().parent.parent
DESKTOP, TELEPHONE = (1200, 900), (390, 844)
QUIET = (
    "--no-sandbox",  # the tests may run as root, in containers
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@contextmanager
def browser() -> Iterator[Browser]:
    """Started once a module: Playwright keeps an event loop in its thread as long as it lives."""
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=_program(), args=list(QUIET))
        yield started
        started.close()


@contextmanager
def page(
    started: Browser,
    size: tuple[int, int] = DESKTOP,
    *,
    scripts: bool = True,
    dark: bool = False,
) -> Iterator[Page]:
    """A page of a fresh profile. At the end no script has failed and nothing was refused."""
    context: BrowserContext = started.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme="dark" if dark else "light",
        java_script_enabled=scripts,
    )
    opened = context.new_page()
    complaints: list[str] = []
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on("console", lambda message: _note(complaints, message.type, message.text))
    yield opened
    context.close()
    assert complaints == []


def overflow(shown: Page) -> int:
    """By how many pixels the page is wider than the window."""
    width = shown.evaluate("document.documentElement.scrollWidth - innerWidth")
    return max(0, int(width))


def _note(complaints: list[str], kind: str, text: str) -> None:
    if kind in {"error", "warning"}:
        complaints.append(text)


def _program() -> str:
    unpacked = [REPOSITORY / ".venv", Path(sys.prefix)]
    places = [folder / "chromium" / "bin" / "chromium" for folder in unpacked]
    for place in (*places, Path("/usr/bin/chromium")):
        if os.access(place, os.X_OK):
            return str(place)
    raise RuntimeError("Chromium is not installed for the tests: run `make test`, which does it")

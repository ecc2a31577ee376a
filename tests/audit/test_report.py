"""The report: one page for people, with everything in it and nothing from elsewhere (D4)."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from audit.log_copy import LogCopy
from audit.opening import open_log
from audit.report.page import make_report, render
from audit.report.telling import tell
from tests.audit.conftest import JOB, Federation
from tests.audit.falsifications import back_date
from tests.audit.forging import honest
from tests.tallystick.federations import tally, well

VOID = {"meta", "br", "link", "img", "input", "hr", "circle", "line", "path"}


class Page(HTMLParser):
    """Fails on tags that do not close; gathers text and what would be loaded."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.loaded: list[str] = []
        self.text = ""
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.loaded += [
            str(value)
            for name, value in attrs
            if name in {"src", "href"} and not str(value).startswith("#")
        ]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def page_of(*copies: LogCopy) -> tuple[Page, str]:
    html = render(make_report(copies))
    for copy in copies:
        copy.close()
    return Page(html), html


def test_the_page_tells_who_what_when_and_what_holds(federation: Federation) -> None:
    copies = [open_log(str(party.folder.path)) for party in federation.parties.values()]
    page, html = page_of(*copies)
    for words in (
        "Everything that was checked holds.",
        f"Training {JOB}",
        "asked for it",
        "customers in common",
        "Who said what to whom",
        "MaskedResultDecrypted 1",
        "predicted decrease",
        "the participants' scores",
        "data, committed to",
        "equivocation",
        "No message was refused.",
    ):
        assert words in page.text, words
    for party in federation.parties.values():
        assert party.card.fingerprint in page.text
    assert html.count("<svg") == 2
    assert "weights</summary>" not in html


def test_it_loads_nothing_and_runs_nothing(federation: Federation) -> None:
    page, html = page_of(open_log(str(federation["bank"].folder.path)))
    assert page.loaded == []
    assert "script" not in page.tags
    assert not re.search(r"url\((?!#)", html)
    assert "default-src 'none'" in html
    assert '<html lang="en">' in html
    assert "viewport" in html


def test_the_owners_report_shows_its_half_of_the_model(
    federation: Federation, tmp_path: Path
) -> None:
    with_payloads = honest(federation["partner"], tmp_path, payloads=True)
    page, _ = page_of(open_log(with_payloads))
    assert "This party's half of the model" in page.text
    assert "SHA-256 of the file" in page.text
    without = honest(federation["partner"], tmp_path)
    assert "This party's half" not in page_of(open_log(without))[0].text


def test_what_does_not_hold_is_on_the_page(federation: Federation, tmp_path: Path) -> None:
    (forged,) = back_date(federation, tmp_path)
    page, _ = page_of(open_log(forged))
    assert "Something does not hold" in page.text
    assert "is dated 2020-01-01T00:00:00.000000Z" in page.text


def test_what_others_wrote_stays_text(
    federation: Federation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a member's text that looks like a page of its own, then it is shown, not obeyed."""
    from dataclasses import replace

    from audit.report import page as module

    def told(copies: list[LogCopy]) -> object:
        jobs, predictions = tell(copies)
        evil = "</td><script>alert(1)</script>"
        return [replace(jobs[0], reason=evil, name=evil)], predictions

    monkeypatch.setattr(module, "tell", told)
    page, _ = page_of(open_log(str(federation["bank"].folder.path)))
    assert "script" not in page.tags
    assert "<script>alert(1)</script>" in page.text


def test_the_command_writes_the_file_for_its_owner(federation: Federation, tmp_path: Path) -> None:
    out = tmp_path / "report.html"
    folders = [party.folder.path for party in federation.parties.values()]
    well(tally("audit", "report", *folders, "--out", out))
    assert out.stat().st_mode & 0o777 == 0o600
    assert out.read_text().startswith("<!doctype html>")
    (forged,) = back_date(federation, tmp_path)
    outcome = tally("audit", "report", forged, "--out", out)
    assert (outcome.code, "something does not hold" in outcome.err) == (1, True)

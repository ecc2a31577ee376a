"""The page of the patents points at code and tests that there are, and leaves no step out."""

import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
PAGE = (REPOSITORY / "docs" / "patents.md").read_text(encoding="utf-8")
PATHS = sorted(set(re.findall(r"`([\w/]+\.py)`", PAGE)))
# [I] 0005 to 0049 are the claims' steps; these only announce a list.
ANNOUNCING = {12, 19, 22}


@pytest.mark.parametrize("path", PATHS)
def test_every_file_that_the_page_names_is_there(path: str) -> None:
    assert (REPOSITORY / path).is_file()


def paragraphs(text: str) -> set[int]:
    """`0005, 0007 to 0009` as numbers."""
    found: set[int] = set()
    for first, last in re.findall(r"(\d{4})(?: to (\d{4}))?", text):
        found |= set(range(int(first), int(last or first) + 1))
    return found


def test_every_step_of_the_first_patent_has_a_line() -> None:
    first, _second = PAGE.split("## [H] From a model file")
    told = paragraphs(" ".join(re.findall(r"^\| (\d[^|]*)\|", first, re.MULTILINE)))
    assert set(range(5, 50)) - told == ANNOUNCING


def test_a_line_without_code_says_so() -> None:
    for line in re.findall(r"^\| \d.*$", PAGE, re.MULTILINE):
        assert "`" in line or "not built yet" in line

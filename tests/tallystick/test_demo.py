"""`tally demo` on tables of one's own, however they are called and whoever is in them."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from tallystick.job_name import job_stem
from tests.tallystick.federations import Outcome, tally, well

CUSTOMERS = 120


@dataclass(frozen=True)
class Demo:
    """A finished run: what it printed, and its summary.json."""

    outcome: Outcome
    summary: dict[str, object]


def write_tables(folder: Path, stem: str, first: int, step: int) -> list[object]:
    """Customers first, first + step, ...; returns the options that name the two files."""
    generator = np.random.default_rng(3)
    values = generator.normal(size=(CUSTOMERS, 2)).round(2)
    label = (values.sum(axis=1) > 0).astype(int)
    bank, partner = ["id,income,y"], ["id,calls"]
    for row, (income, calls) in enumerate(values):
        customer = first + step * row
        bank.append(f"{customer},{income},{label[row]}")
        partner.append(f"{customer},{calls}")
    files = folder / f"{stem}.csv", folder / "Partner.csv"
    for file, lines in zip(files, (bank, partner), strict=True):
        file.write_text("\n".join(lines) + "\n")
    return ["--bank", files[0], "--partner", files[1]]


def demo(folder: Path, *arguments: object) -> Outcome:
    short = ["--key-bits", 512, "--leak-budget", 100, "--out", folder / "run"]
    return well(tally("demo", *arguments, *short))


@pytest.fixture(scope="module")
def nobody_held_out(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """The fold that is held out by default has no customer: all ids are 1 modulo 5."""
    folder = tmp_path_factory.mktemp("demo")
    outcome = demo(folder, *write_tables(folder, "Kunden 2024 (neu)", first=1001, step=5))
    return Demo(outcome, json.loads((folder / "run" / "summary.json").read_text()))


def test_a_model_that_nobody_was_held_out_for_is_summed_up_without_figures(
    nobody_held_out: Demo,
) -> None:
    summary = nobody_held_out.summary
    assert (summary["training_rows"], summary["held_out_rows"]) == (CUSTOMERS, 0)
    figures = [name for name in summary if name.startswith(("auc", "ks", "lift", "log_loss"))]
    assert len(figures) == 8
    assert {summary[name] for name in figures} == {None}


def test_the_table_shows_no_figure_and_says_why(nobody_held_out: Demo) -> None:
    out = nobody_held_out.outcome.out
    for row in ("bank alone", "joint model", "scikit-learn on the pooled rows"):
        (line,) = [line for line in out.splitlines() if line.startswith(row)]
        assert line.removeprefix(row).split() == ["-", "-"]
    assert "No customer in common fell into the held-out fold" in out


def test_a_file_may_have_any_name(nobody_held_out: Demo) -> None:
    assert nobody_held_out.summary["data"] == "Kunden 2024 (neu)"
    assert nobody_held_out.summary["job"] == "demo-kunden-2024-neu"
    assert nobody_held_out.outcome.out.startswith("Kunden 2024 (neu): bank, 1 participant")


def test_the_time_of_a_round_is_told_before_the_first_one(nobody_held_out: Demo) -> None:
    before, *_ = nobody_held_out.outcome.out.split("round  1 of")
    assert "a round will take about" in before


@pytest.mark.parametrize(
    ("text", "stem"),
    [
        ("term_deposit", "term-deposit"),
        ("Spring 2026", "spring-2026"),
        ("Kündigungen 2024 (neu)", "kundigungen-2024-neu"),
        ("--", "job"),
        ("客户", "job"),
        ("a" * 39 + "-" + "b" * 60, "a" * 39),
    ],
)
def test_a_jobs_name_is_made_of_any_text(text: str, stem: str) -> None:
    assert job_stem(text) == stem

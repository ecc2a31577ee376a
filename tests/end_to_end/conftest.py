"""Real data, real pumps; a short key, because the numbers do not depend on it."""

import os
from pathlib import Path

import pytest

from events.terms import Profile
from party.sources import SourceSettings
from tallystick.demo.federation import DEFAULT_LEAK_BUDGETS, DemoOptions
from tallystick.demo.run import run_demo
from tallystick.demo.summary import Summary

SHIPPED = Path(__file__).parents[2] / "tallystick" / "data"
TEST_KEY_BITS = 512


def larger_data() -> Path:
    """Where the larger data sets are, if they are here at all."""
    beside = Path(__file__).parents[3] / "shared" / "data"
    return Path(os.environ.get("TALLYSTICK_DATA", beside))


def options_for(
    out: Path,
    name: str = "term_deposit",
    *,
    folder: Path = SHIPPED,
    observed_on: str | None = None,
    participants: int = 1,
    profile: Profile = "default",
    broker: str | None = None,
) -> DemoOptions:
    def source(side: str) -> SourceSettings:
        fields = {"file": str(folder / f"{name}_{side}.csv.gz"), "observed_on": observed_on}
        return SourceSettings.model_validate(fields)

    return DemoOptions(
        name=name,
        bank=source("bank"),
        partner=source("partner"),
        out=out,
        participants=participants,
        profile=profile,
        broker=broker,
        leak_budget=DEFAULT_LEAK_BUDGETS[profile],
        key_bits=TEST_KEY_BITS,
    )


class FinishedDemos:
    """Folders of demo runs with a summary.json; each is run once, when a test first asks."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def folder(self, name: str = "term_deposit", participants: int = 1) -> Path:
        out = self._folder / f"{name}-{participants}"
        if not (out / "summary.json").exists():
            run_demo(options_for(out, name, participants=participants), lambda _progress: None)
        return out

    def summary(self, name: str, participants: int = 1) -> Summary:
        text = (self.folder(name, participants) / "summary.json").read_text()
        return Summary.model_validate_json(text)


@pytest.fixture(scope="session")
def finished_demos(tmp_path_factory: pytest.TempPathFactory) -> FinishedDemos:
    return FinishedDemos(tmp_path_factory.mktemp("demos"))


@pytest.fixture(scope="session")
def finished_demo(finished_demos: FinishedDemos) -> Path:
    """The folder of a demo run on term_deposit, with its three parties."""
    return finished_demos.folder()

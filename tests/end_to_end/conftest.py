"""Real data, real pumps; a short key, because the numbers do not depend on it."""

import os
from pathlib import Path

import pytest

from events.terms import Profile
from party.sources import SourceSettings
from tallystick.demo.federation import DEFAULT_LEAK_BUDGETS, DemoOptions

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


@pytest.fixture(scope="session")
def finished_demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a demo run on term_deposit, with its three parties."""
    from tallystick.demo.run import run_demo

    out = tmp_path_factory.mktemp("demo") / "run"
    run_demo(options_for(out), lambda _progress: None)
    return out

"""Parties made by the command line itself, as their owners would make them, in folders."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import numpy as np
import pytest

from bus import MemoryBroker
from party.opening import open_party
from party.running import RunningParty
from tallystick.cli import main

ROLES = {"bank": "local", "partner": "participant", "arbiter": "arbiter"}
CUSTOMERS = 240
POLICY = """
[policy]
accept_short_keys = true
leak_budget = 100.0
smallest_overlap = 10
smallest_bin = 1
"""


@dataclass(frozen=True)
class Outcome:
    """What a command left behind."""

    code: int
    out: str
    err: str


def tally(*arguments: object) -> Outcome:
    """Run a command in this process."""
    out, err = StringIO(), StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main([str(argument) for argument in arguments])
    return Outcome(code, out.getvalue(), err.getvalue())


def well(outcome: Outcome) -> Outcome:
    """The command did what it was asked to do."""
    assert outcome.code == 0, outcome.err
    return outcome


def write_data(folder: Path) -> None:
    """Customers of a bank and a partner, who differ in who they are and agree on most."""
    generator = np.random.default_rng(7)
    values = generator.normal(size=(CUSTOMERS, 4)).round(2)
    label = (values.sum(axis=1) + generator.normal(size=CUSTOMERS) > 0).astype(int)
    bank, partner = ["id,income,age,y"], ["id,calls,data"]
    for row, (income, age, calls, data) in enumerate(values):
        if row >= 20:
            bank.append(f"{1000 + row},{income},{age},{label[row]}")
        if row < CUSTOMERS - 20:
            partner.append(f"{1000 + row},{calls},{data}")
    (folder / "bank.csv").write_text("\n".join(bank) + "\n")
    (folder / "partner.csv").write_text("\n".join(partner) + "\n")


def make_party(folder: Path, name: str, role: str) -> None:
    """A party with a policy for tests, and its card beside its folder."""
    data = ["--data", folder / f"{name}.csv"] if role in ("local", "participant") else []
    well(tally("party", "new", folder / name, "--role", role, "--name", name, *data))
    well(tally("party", "card", folder / name, "--out", folder / f"{name}.json"))
    with (folder / name / "party.toml").open("a") as settings:
        settings.write(POLICY)


def make_federation(folder: Path) -> None:
    """Three parties with data and a policy for tests, each trusting the other two."""
    write_data(folder)
    for name, role in ROLES.items():
        make_party(folder, name, role)
    for name in ROLES:
        others = [folder / f"{other}.json" for other in ROLES if other != name]
        well(tally("party", "trust", folder / name, *others))


def write_job(file: Path, changes: Mapping[str, str] | None = None) -> Path:
    """The template of `tally job new`, with a short key and few rounds."""
    well(tally("job", "new", file, "--as", file.parent / "bank"))
    changes = {
        "key_bits = 2048": "key_bits = 512\nshort_key_for_tests = true",
        "leak_budget = 0.5": "leak_budget = 100.0",
        "smallest_bin = 20": "smallest_bin = 1",
        "# maximum_rounds = 12": "maximum_rounds = 3",
        **(changes or {}),
    }
    text = file.read_text()
    for before, after in changes.items():
        assert before in text
        text = text.replace(before, after)
    file.write_text(text)
    return file


@contextmanager
def running(broker: MemoryBroker, folder: Path, names: Sequence[str]) -> Iterator[None]:
    """These parties at work, as threads."""
    with ExitStack() as stack:
        for name in names:
            party = stack.enter_context(closing(open_party(folder / name)))
            stack.enter_context(RunningParty(party, broker.endpoint(name)))
        yield


@contextmanager
def broker_for_commands(broker: MemoryBroker) -> Iterator[None]:
    """Commands that connect to a broker get an endpoint of this one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tallystick.training.open_endpoint", lambda _url, name: broker.endpoint(name))
        patch.setenv("TALLY_BROKER_PASSWORD", "not needed")
        yield

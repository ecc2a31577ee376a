"""A federation in a box: real parties in folders, on a bus in this process, with small data."""

import random
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

from bus import MemoryBroker
from events.terms import Member
from events.vocabulary import DATA_ROLES, Role
from events.witness import CheckpointPosted
from handlers.reactions import decide
from handlers.witness import has_ended
from party.creating import create_party
from party.identifying import LabelWish, request_labels
from party.jobs import job_history
from party.opening import Party, open_party, party_card, trust
from party.reactor import Decide
from party.requesting import request_training
from party.running import RunningParty
from tallystick.job_file import make_terms
from tallystick.testing.picture import Kind, name_of
from tallystick.testing.reading import events_of
from tallystick.testing.sequence import Events

CUSTOMERS = 240
PATIENCE = 120.0
POLICY = """
[policy]
accept_short_keys = true
leak_budget = 100.0
smallest_overlap = 10
smallest_bin = 1
"""
SMALL_JOB = {
    "key_bits": 512,
    "short_key_for_tests": True,
    "leak_budget": 100.0,
    "smallest_overlap": 10,
    "smallest_bin": 1,
}


class FederationInABox:
    """A context manager: a bank, its participants and an arbiter at work until the end.

    `data` gives a party's own CSV or Parquet file by name; the others get small invented customers
    in common. `handlers` replaces a party's decisions by others, to see what the rest do about it.
    """

    def __init__(
        self,
        folder: Path,
        *,
        participants: int = 1,
        data: Mapping[str, Path] | None = None,
        handlers: Mapping[str, Decide] | None = None,
    ) -> None:
        partners = [f"partner-{number + 1}" for number in range(participants)]
        partners = ["partner"] if participants == 1 else partners
        self.roles = {"bank": Role.LOCAL, **dict.fromkeys(partners, Role.PARTICIPANT)}
        self.roles["arbiter"] = Role.ARBITER
        self.folder = folder
        self.parties: dict[str, Party] = {}
        self._data, self._handlers = dict(data or {}), dict(handlers or {})
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        for name, role in self.roles.items():
            create_party(self.folder / name, role, name, tables=self._tables(name, role))
            card = party_card(self.folder / name).model_dump_json()
            (self.folder / f"{name}.json").write_text(card)
        cards = {name: self.folder / f"{name}.json" for name in self.roles}
        broker = MemoryBroker()
        for name in self.roles:
            trust(self.folder / name, *(card for other, card in cards.items() if other != name))
            self.parties[name] = open_party(self.folder / name)
            self._stack.callback(self.parties[name].close)
        for name, party in self.parties.items():
            decides = self._handlers.get(name, decide)
            self._stack.enter_context(RunningParty(party, broker.endpoint(name), decides))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def __getitem__(self, name: str) -> Party:
        return self.parties[name]

    def request(self, job: str, **terms: Any) -> None:  # noqa: ANN401 - fields of Terms
        """The bank asks for a model; `terms` change the small job's, `optimiser` among them."""
        members = tuple(Member(name=name, role=role) for name, role in self.roles.items())
        request_training(self["bank"], job, make_terms(members, **{**SMALL_JOB, **terms}))

    def train(self, job: str, **terms: Any) -> Events:  # noqa: ANN401
        """Ask for a model and wait for the end of the job at everybody; the bank's events."""
        self.request(job, **terms)
        self.wait_for_the_end(job)
        return self.events("bank", job)

    def identify(
        self, model: str, customers: Sequence[str], tau: float, *, by: str = "bank"
    ) -> Events:
        """Labels by a model of the patent profile, or a refusal; the asker's events."""
        data_parties = [name for name, role in self.roles.items() if role in DATA_ROLES]
        for name in data_parties:
            self.wait_for("ModelConverted", at=name, job=model)
        job = request_labels(self[by], LabelWish(model, customers, tau))
        for name in data_parties:
            self.wait_for("FinalLabelsRecorded", "IdentificationRejected", at=name, job=job)
        return self.events(by, job)

    def events(self, party: str, job: str | None = None) -> Events:
        """What stands in a party's log now."""
        return events_of(self[party], job)

    def wait_for(self, *kinds: Kind, at: str, job: str, seconds: float = PATIENCE) -> Events:
        """Until an event of these types stands in this party's log: no sleeping in tests."""
        give_up, wanted = time.monotonic() + seconds, [name_of(kind) for kind in kinds]
        while True:
            head = self[at].log.head()
            events = self.events(at, job)
            if set(wanted) & set(events.types):
                return events
            self._check_patience(give_up, f"{at} waits for {' or '.join(wanted)}", at, job)
            self[at].log.wait_for_entries(head, 1.0)

    def wait_for_the_end(self, job: str, seconds: float = PATIENCE) -> None:
        """Until every party has ended the job, and has everybody's checkpoint of it."""
        give_up = time.monotonic() + seconds
        for name, party in self.parties.items():
            while True:
                head = party.log.head()
                history = job_history(party.log, job)
                posted = history.has_from_all(CheckpointPosted, self.roles)
                if history.is_known and has_ended(history, name) and posted:
                    break
                self._check_patience(give_up, f"the job has not ended at {name}", name, job)
                party.log.wait_for_entries(head, 1.0)

    def _check_patience(self, give_up: float, what: str, name: str, job: str) -> None:
        if time.monotonic() > give_up:
            raise AssertionError(f"{what}:\n{self.events(name, job)}")

    def _tables(self, name: str, role: Role) -> str:
        if role is Role.ARBITER:
            return POLICY
        file = self._data.get(name)
        if file is None:
            file = self.folder / f"{name}.csv"
            file.write_text(_invented(name, labelled=role is Role.LOCAL))
        return f'[source]\nfile = "{file.absolute()}"\n{POLICY}'


def _invented(name: str, *, labelled: bool) -> str:
    """Customers whom all parties know, but for a few; what they do depends on everybody's data."""
    # Every party draws the same customers, and keeps columns of its own.
    shared, own = random.Random("customers"), random.Random(name)  # noqa: S311 - invented data
    lines = [f"id,{name}_a,{name}_b" + (",y" if labelled else "")]
    for number in range(CUSTOMERS):
        taste = shared.gauss(0, 1)
        bought = int(taste + shared.gauss(0, 0.7) > 0)
        values = [round(taste + own.gauss(0, 1), 2), round(own.gauss(0, 1), 2)]
        if own.random() < 0.9:
            lines.append(",".join(map(str, [1000 + number, *values, *([bought] * labelled)])))
    return "\n".join(lines) + "\n"

"""A small federation that has really trained: folders, keys, logs, salted commitments."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from bus.memory import MemoryBroker
from events.terms import Alignment, Member, Optimiser, Terms
from events.vocabulary import Role
from handlers.reactions import decide
from party.checkpointing import CheckpointKeeper
from party.creating import create_party
from party.opening import Party, open_party, party_card, trust
from party.reactor import Decide
from party.requesting import request_training
from tests.handlers.conftest import federation_rows
from tests.party.federation import MEMBERS, ROLES, Node, run

JOB = "spring"
POLICY = """
[policy]
accept_short_keys = true
leak_budget = 100.0
smallest_overlap = 10
smallest_bin = 1
"""


@dataclass(frozen=True)
class Federation:
    """Three parties at rest, whose job has come to its end."""

    parties: dict[str, Party]

    def __getitem__(self, name: str) -> Party:
        return self.parties[name]


def terms(alignment: Alignment = "hash") -> Terms:
    return Terms(
        alignment=alignment,
        members=tuple(Member(name=name, role=ROLES[name]) for name in MEMBERS),
        optimiser=Optimiser(
            step=0.6, momentum=0.3, stop_threshold=1e-9, stop_rounds=2, maximum_rounds=2
        ),
        key_bits=512,
        short_key_for_tests=True,
        leak_budget=100.0,
        smallest_overlap=10,
        smallest_bin=1,
    )


def trained_federation(
    folder: Path,
    alignment: Alignment = "hash",
    job: Terms | None = None,
    **other_handlers: Decide,
) -> Federation:
    """Let three parties train on 240 customers; a party may have handlers of its own."""
    write_tables(folder)
    for name in MEMBERS:
        source = "" if ROLES[name] is Role.ARBITER else f'[source]\nfile = "../{name}.csv"\n'
        create_party(folder / name, ROLES[name], name, tables=source + POLICY)
        (folder / f"{name}.card").write_text(party_card(folder / name).model_dump_json())
    for name in MEMBERS:
        trust(folder / name, *(folder / f"{other}.card" for other in MEMBERS if other != name))
    parties, broker = {name: open_party(folder / name) for name in MEMBERS}, MemoryBroker()
    nodes = [
        Node(party, broker, other_handlers.get(name, decide)) for name, party in parties.items()
    ]
    request_training(parties["bank"], JOB, job or terms(alignment))
    run(*nodes)
    for party in parties.values():
        CheckpointKeeper(party).step(0)
    run(*nodes)
    return Federation(parties)


def write_tables(folder: Path) -> None:
    for name, rows in federation_rows().items():
        columns = {"id": rows.ids, **rows.columns}
        if rows.label is not None:
            columns["y"] = rows.label.astype(int)
        lines = [",".join(columns)]
        lines += [",".join(map(str, values)) for values in zip(*columns.values(), strict=True)]
        (folder / f"{name}.csv").write_text("\n".join(lines) + "\n")


@pytest.fixture(scope="session")
def federation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    made = trained_federation(tmp_path_factory.mktemp("audited"))
    yield made
    for party in made.parties.values():
        party.close()

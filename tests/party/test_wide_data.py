"""Thousands of variables a party (requirement P6): no event grows with the number of columns."""

from pathlib import Path

from bus.memory import MemoryBroker
from events.lifecycle import TrainingFailed
from events.preparation import DataPrepared, DataSnapshotted, FeaturesPrepared
from events.terms import Terms
from handlers.prepared import NOTES
from handlers.reactions import decide
from party.creating import create_party
from party.jobs import job_history
from party.opening import Party, open_party, party_card, trust
from party.requesting import request_training
from tallystick.job_facts import job_facts
from tests.party.federation import JOB, MEMBERS, ROLES, Node, run, terms

COLUMNS, CUSTOMERS = 3000, 40
POLICY = """
[policy]
accept_short_keys = true
smallest_overlap = 2
smallest_bin = 1
"""


def wide_federation(folder: Path) -> dict[str, Party]:
    """The bank and the partner know 3,000 things about a handful of customers, all as text."""
    names = ",".join(f"v{number}" for number in range(COLUMNS))
    for name in MEMBERS:
        tables = POLICY
        if name != "arbiter":
            label = '\nlabel = "y"' if name == "bank" else ""
            tables = f'[source]\nfile = "rows.csv"\nid = "id"{label}\n{POLICY}'
        home = create_party(folder / name, ROLES[name], name, tables=tables)
        (folder / f"{name}.card").write_text(party_card(home.path).model_dump_json())
        rows = [f"id,y,{names}" if name == "bank" else f"id,{names}"]
        for customer in range(CUSTOMERS):
            start = f"{customer},{customer % 2}" if name == "bank" else str(customer)
            rows.append(",".join([start, *(["red" if customer // 2 % 2 else "blue"] * COLUMNS)]))
        (home.path / "rows.csv").write_text("\n".join(rows) + "\n")
    for name in MEMBERS:
        trust(folder / name, *(folder / f"{other}.card" for other in MEMBERS if other != name))
    return {name: open_party(folder / name) for name in MEMBERS}


def test_three_thousand_variables_a_party_are_prepared(tmp_path: Path) -> None:
    parties = wide_federation(tmp_path)
    broker = MemoryBroker()
    nodes = [Node(party, broker, decide) for party in parties.values()]
    small = {"key_bits": 512, "short_key_for_tests": True, "smallest_bin": 1, "smallest_overlap": 2}
    request_training(parties["bank"], JOB, Terms.model_validate(terms().model_dump() | small))
    run(*nodes)
    for name in ("bank", "partner"):
        party = parties[name]
        history = job_history(party.log, JOB)
        assert history.one(DataPrepared).event.variables == COLUMNS
        assert history.one(FeaturesPrepared, source=name).event.columns == 2 * COLUMNS
        for kind in (DataSnapshotted, DataPrepared):
            reference = history.one(kind).payload("notes")
            assert len(NOTES.validate_json(party.own.read(reference))) == COLUMNS
        assert len(job_facts(party, JOB).notes) == 2 * COLUMNS
    for fact in job_history(parties["bank"].log, JOB).of(TrainingFailed):
        assert fact.event.code == "leak-budget"
    for party in parties.values():
        party.close()

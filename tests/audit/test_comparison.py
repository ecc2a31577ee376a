"""Logs against each other: they agree, or it is said which of them lacks or forged what (D4)."""

import json
from pathlib import Path

from audit.comparison import compare
from audit.export import export_log
from audit.findings import Check
from audit.log_copy import Scope
from audit.opening import open_log
from tests.audit.conftest import JOB, Federation
from tests.audit.falsifications import truncate_and_sign
from tests.audit.forging import honest
from tests.tallystick.federations import tally, well


def test_honest_logs_agree_in_every_form(federation: Federation, tmp_path: Path) -> None:
    """Given a folder in use, a whole file and one of the job without private events."""
    part = tmp_path / "arbiter.tally"
    export_log(federation["arbiter"], part, Scope(JOB, private=False))
    places = [str(federation["bank"].folder.path), honest(federation["partner"], tmp_path)]
    copies = [open_log(place) for place in (*places, str(part))]
    result = compare(copies)
    assert result.holds
    assert result.jobs == (JOB,)
    assert all(check.examined for check in result.checks)
    shared = [e for e in federation["bank"].log.read(limit=10_000) if not e.envelope.is_private]
    assert result.events == len(shared)
    for copy in copies:
        copy.close()


def test_what_is_missing_is_told_with_who_has_it(federation: Federation, tmp_path: Path) -> None:
    copies = [open_log(place) for place in truncate_and_sign(federation, tmp_path)]
    result = compare(copies)
    missing = next(one for one in result.checks if one.check is Check.MISSING)
    assert missing.findings
    assert all(one.detail.startswith("partner has it, bank does not") for one in missing.findings)
    for copy in copies:
        copy.close()


def test_the_command_leaves_with_0_or_1(federation: Federation, tmp_path: Path) -> None:
    folders = [party.folder.path for party in federation.parties.values()]
    assert "the logs agree" in well(tally("audit", "compare", *folders)).out
    forged = truncate_and_sign(federation, tmp_path)
    outcome = tally("audit", "compare", *forged)
    assert outcome.code == 1
    assert "FAILS  missing: position" in outcome.out
    document = json.loads(tally("audit", "compare", *forged, "--json").out)
    assert document["holds"] is False
    outcome = tally("audit", "compare", folders[0], folders[0])
    assert outcome.code == 2
    assert "a log agrees with itself" in outcome.err
    outcome = tally("audit", "compare", folders[0])
    assert (outcome.code, "at least two" in outcome.err) == (2, True)

"""Every way to falsify a log is found, by the check and in the words that the docs promise (D4)."""

from pathlib import Path

import pytest

from audit.comparison import compare
from audit.errors import CardError
from audit.opening import open_log
from audit.standalone_verify import verify as verify_alone
from audit.verification import verify
from tests.audit.conftest import Federation
from tests.audit.drill import ATTACKS, Attack
from tests.audit.forging import honest

PAGE = Path(__file__).parents[2] / "docs" / "tampering-drill.md"


def findings(attack: Attack, places: list[str], federation: Federation) -> list[tuple[str, str]]:
    """Check and words of everything that the attack's command finds."""
    if attack.command == "verify with cards":
        with pytest.raises(CardError) as raised:
            open_log(places[0], [party.card for party in federation.parties.values()])
        return [("cards", str(raised.value))]
    copies = [open_log(place) for place in places]
    try:
        checks = (compare(copies) if attack.command == "compare" else verify(copies[0])).checks
    finally:
        for copy in copies:
            copy.close()
    return [(str(one.check), one.detail) for check in checks for one in check.findings]


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_it_is_found(attack: Attack, federation: Federation, tmp_path: Path) -> None:
    places = attack.make(federation, tmp_path)
    found = findings(attack, places, federation)
    assert any(check == attack.check and attack.words in detail for check, detail in found), found


@pytest.mark.parametrize(
    "attack",
    [attack for attack in ATTACKS if attack.command == "compare"],
    ids=lambda attack: attack.name,
)
def test_what_only_a_comparison_shows_is_hidden_in_the_forged_log_alone(
    attack: Attack, federation: Federation, tmp_path: Path
) -> None:
    """Given a forger who made everything fit, the signed log by itself shows nothing of it."""
    forged = next(place for place in attack.make(federation, tmp_path) if "forged" in place)
    with open_log(forged) as copy:
        checks = {str(check.check): check.findings for check in verify(copy).checks}
    assert not checks["signatures"]
    assert not checks["chain"]
    assert not checks["sequence"]


@pytest.mark.parametrize(
    "attack",
    [
        attack
        for attack in ATTACKS
        if attack.command == "verify"
        # What needs the vocabulary and the protocol, the two pages leave to `tally audit verify`.
        and attack.check not in {"schema", "conformance", "commitments", "checkpoints"}
    ],
    ids=lambda attack: attack.name,
)
def test_the_stand_alone_verifier_finds_it_too(
    attack: Attack, federation: Federation, tmp_path: Path
) -> None:
    (place,) = attack.make(federation, tmp_path)
    faults, _ = verify_alone(place)
    assert faults


def test_the_honest_logs_have_none_of_it(federation: Federation, tmp_path: Path) -> None:
    places = [honest(party, tmp_path) for party in federation.parties.values()]
    copies = [open_log(place) for place in places]
    assert all(verify(copy).holds for copy in copies)
    assert compare(copies).holds
    for copy in copies:
        copy.close()


def test_the_docs_tell_of_every_attack_and_of_its_check() -> None:
    rows = {
        cells[1].strip(): cells
        for line in PAGE.read_text().splitlines()
        if line.startswith("| ") and len(cells := line.split("|")) == 7
    }
    for attack in ATTACKS:
        told = [cell.strip() for cell in rows[attack.name][2:6]]
        assert told == [attack.by, f"`{attack.command}`", attack.check, attack.unseen]

"""Cards are trusted by hand; nothing replaces a key silently."""

from pathlib import Path

import pytest

from events.vocabulary import Role
from party.creating import create_party
from party.errors import TrustError
from party.opening import party_card, trust
from party.trust import TrustedCards
from tests.party.federation import ROLES


def card_file(folder: Path, name: str, directory: str | None = None) -> Path:
    place = folder / (directory or name)
    create_party(place, ROLES[name], name)
    path = folder / f"{directory or name}.card"
    path.write_text(party_card(place).model_dump_json())
    return path


def test_trusted_cards_are_found_by_name(tmp_path: Path) -> None:
    card_file(tmp_path, "bank")
    partner, arbiter = card_file(tmp_path, "partner"), card_file(tmp_path, "arbiter")
    trust(tmp_path / "bank", partner, arbiter)
    trusted = TrustedCards(tmp_path / "bank" / "trusted")
    assert trusted.card("partner") == party_card(tmp_path / "partner")
    assert [card.name for card in trusted] == ["arbiter", "partner"]
    assert trusted.card("stranger") is None


def test_a_card_added_while_running_is_seen(tmp_path: Path) -> None:
    card_file(tmp_path, "bank")
    running = TrustedCards(tmp_path / "bank" / "trusted")
    assert running.card("partner") is None
    trust(tmp_path / "bank", card_file(tmp_path, "partner"))
    assert running.card("partner") is not None


def test_trusting_the_same_card_again_changes_nothing(tmp_path: Path) -> None:
    card_file(tmp_path, "bank")
    partner = card_file(tmp_path, "partner")
    trust(tmp_path / "bank", partner)
    trust(tmp_path / "bank", partner, partner)
    assert len(list(TrustedCards(tmp_path / "bank" / "trusted"))) == 1


def test_another_key_for_a_known_name_shows_both_fingerprints(tmp_path: Path) -> None:
    card_file(tmp_path, "bank")
    trust(tmp_path / "bank", card_file(tmp_path, "partner"))
    impostor = card_file(tmp_path, "partner", "impostor")
    with pytest.raises(TrustError) as error:
        trust(tmp_path / "bank", impostor)
    for place in ("partner", "impostor"):
        assert party_card(tmp_path / place).fingerprint in str(error.value)


def test_two_cards_of_one_name_at_once_are_refused_and_none_is_kept(tmp_path: Path) -> None:
    card_file(tmp_path, "bank")
    cards = card_file(tmp_path, "partner"), card_file(tmp_path, "partner", "impostor")
    with pytest.raises(TrustError, match="another card"):
        trust(tmp_path / "bank", *cards)
    assert not list(TrustedCards(tmp_path / "bank" / "trusted"))


def test_a_party_does_not_trust_its_own_name(tmp_path: Path) -> None:
    own = card_file(tmp_path, "bank")
    with pytest.raises(TrustError, match="own name"):
        trust(tmp_path / "bank", own)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        '{"name":"x","role":"local","signing_key":"AAAA","sealing_key":"age1"}',
        '{"name":"x","role":"local","signing_key":"'
        + "A" * 43
        + '=","sealing_key":"age1'
        + "q" * 58
        + '"}',
    ],
)
def test_what_is_no_card_is_refused(tmp_path: Path, text: str) -> None:
    create_party(tmp_path / "bank", Role.LOCAL, "bank")
    path = tmp_path / "card"
    path.write_text(text)
    with pytest.raises(TrustError, match="not a party's card"):
        trust(tmp_path / "bank", path)


def test_a_missing_card_file_is_named(tmp_path: Path) -> None:
    create_party(tmp_path / "bank", Role.LOCAL, "bank")
    with pytest.raises(TrustError, match=r"nowhere\.card cannot be read"):
        trust(tmp_path / "bank", tmp_path / "nowhere.card")

"""An escrow opens what is sealed in a job that names it; nobody else does (design, sealing)."""

from pathlib import Path

import pyrage
import pytest
from pyrage import x25519

from audit.errors import EvidenceError
from audit.escrow import open_escrowed
from audit.opening import open_log
from bus.memory import MemoryBroker
from events.escrow import EscrowCard
from events.lifecycle import TrainingDeclined
from events.terms import Terms
from party import publisher
from party.errors import Reason, RefusalError, RequestError
from party.escrow import LARGEST_HEADER, check_recipients
from party.opening import Party, open_party
from party.pruning import Prunable, prune
from party.requesting import check_request
from party.sealing import seal_bytes
from tests.handlers.conftest import federation_rows
from tests.party.federation import JOB, Node, events, make_federation, reasons, request, run, terms
from tests.prediction_simulation import NOBODYS_KEY
from tests.simulation import OPEN_POLICY, Simulation, job_terms

SECRET, OTHER = x25519.Identity.generate(), x25519.Identity.generate()


def card(secret: x25519.Identity, name: str = "supervisor") -> EscrowCard:
    return EscrowCard(name=name, sealing_key=str(secret.to_public()))


def with_escrow(agreed: Terms, secret: x25519.Identity = SECRET) -> Terms:
    return agreed.model_copy(update={"escrows": (card(secret),)})


def job_of(parties: dict[str, Party], agreed: Terms) -> dict[str, Party]:
    """The toy job, run to its end."""
    broker = MemoryBroker()
    request(parties["bank"], agreed)
    run(*(Node(party, broker) for party in parties.values()))
    return parties


def opened(party: Party, secret: x25519.Identity = SECRET, out: Path | None = None) -> list[str]:
    """What the escrow's holder finds in a party's folder: payload, or what is wrong with it."""
    with open_log(str(party.folder.path)) as copy:
        found = open_escrowed(copy, secret, out)
    return [one.problem or f"{one.source}'s {one.payload}" for one in found.payloads]


def test_the_escrow_opens_what_was_sealed_for_each_reader(
    parties: dict[str, Party], tmp_path: Path
) -> None:
    """Then small and large payloads alike come out as their issuers committed to."""
    job_of(parties, with_escrow(terms()))
    out = tmp_path / "opened"
    assert opened(parties["bank"], out=out) == ["partner's handles"]
    assert opened(parties["partner"], out=out) == [
        "bank's alignment_key",
        "bank's handles",
        "bank's held_out",
    ]
    for path in out.glob("*/*"):
        holders = [one for one in parties.values() if one.payloads.has(path.name)]
        assert [one.payloads.salted_file(path.name).read_bytes() for one in holders] == (
            [path.read_bytes()] * 2
        )


def test_the_arbiter_another_party_and_another_escrow_open_nothing(
    parties: dict[str, Party],
) -> None:
    job_of(parties, with_escrow(terms()))
    bank = parties["bank"]
    kept = [path.read_bytes() for path in bank.folder.sealed.glob("*/*")]
    assert kept
    assert pyrage.decrypt(kept[0], [SECRET])
    for stranger in (parties["arbiter"].identity.sealing, OTHER):
        with pytest.raises(pyrage.DecryptError):
            pyrage.decrypt(kept[0], [stranger])
        with pytest.raises(EvidenceError, match="names no such escrow"):
            opened(bank, stranger)


def test_without_an_escrow_the_readers_are_the_only_recipients(
    parties: dict[str, Party], monkeypatch: pytest.MonkeyPatch
) -> None:
    recipients: list[list[str]] = []
    seals = publisher.Publisher._sealing_keys

    def noted(self: publisher.Publisher, *about: object) -> list[str]:
        recipients.append(seals(self, *about))  # type: ignore[arg-type]
        return recipients[-1]

    monkeypatch.setattr(publisher.Publisher, "_sealing_keys", noted)
    job_of(parties, terms())
    keys = {party.card.sealing_key for name, party in parties.items() if name != "arbiter"}
    assert recipients
    assert all(len(told) == 1 and set(told) <= keys for told in recipients)
    for party in parties.values():
        assert not party.folder.sealed.exists()


def test_a_payload_that_is_not_sealed_to_the_escrow_is_refused(
    parties: dict[str, Party], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a partner that leaves the escrow out, then the bank refuses what it sends."""
    broker = MemoryBroker()
    bank, partner, arbiter = (Node(party, broker) for party in parties.values())
    publish = partner.publish

    def leave_out() -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(publisher, "escrows_of", lambda _terms: ())
            publish()

    monkeypatch.setattr(partner, "publish", leave_out)
    request(bank.party, with_escrow(terms()))
    run(bank, partner, arbiter)
    assert reasons(bank.party) == {str(Reason.OTHER_RECIPIENTS): 1}
    assert ("partner", "IdentifiersPosted") not in events(bank.party)


def test_a_payload_that_is_sealed_to_another_key_is_found_by_the_escrow(
    parties: dict[str, Party], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No reader can see whose stanza it is; the holder of the escrow sees it, and from whom."""
    monkeypatch.setattr(publisher, "escrows_of", lambda _terms: (card(OTHER),))
    job_of(parties, with_escrow(terms()))
    told = "does not open with the escrow's secret: its issuer sealed it to another key"
    assert opened(parties["bank"]) == [told]


def test_what_was_changed_or_not_kept_is_told(parties: dict[str, Party]) -> None:
    job_of(parties, with_escrow(terms()))
    partner = parties["partner"]
    first, second, third = sorted(partner.folder.sealed.glob("*/*"))
    first.unlink()
    second.write_bytes(seal_bytes(b"something else", [card(SECRET).sealing_key]).content)
    told = opened(partner)
    assert "was not kept under seal" in told
    assert "is not what its issuer committed to" in told
    assert len(told) == 3
    third.unlink()
    second.unlink()
    with pytest.raises(EvidenceError, match="log export --sealed"):
        opened(partner)


@pytest.mark.parametrize("recipients", range(1, 5))
def test_recipients_are_counted_whatever_else_the_header_says(recipients: int) -> None:
    keys = [str(x25519.Identity.generate().to_public()) for _ in range(recipients)]
    for _ in range(20):  # some of them with stanzas for nobody
        head = seal_bytes(b"-> X25519 is in here\n---", keys).content[:LARGEST_HEADER]
        check_recipients(head, recipients, "scores")
        with pytest.raises(RefusalError, match=f"scores is for {recipients}, agreed are 9"):
            check_recipients(head, 9, "scores")


@pytest.mark.parametrize(
    "head", [b"", b"age-encryption.org/v1\n-> scrypt x 1\nabc\n--- m\n", b"x" * 99]
)
def test_a_header_of_another_kind_is_refused(head: bytes) -> None:
    with pytest.raises(RefusalError):
        check_recipients(head, 1, "scores")


@pytest.mark.parametrize("accepted", [(), (card(OTHER),), (card(SECRET, "auditor"),)])
def test_a_job_with_an_escrow_that_a_partys_policy_does_not_know_is_declined(
    accepted: tuple[EscrowCard, ...],
) -> None:
    allowing = OPEN_POLICY.model_copy(update={"escrows": (card(SECRET),)})
    policies = {"bank": allowing, "arbiter": allowing}
    policies["partner"] = OPEN_POLICY.model_copy(update={"escrows": accepted})
    federation = Simulation(
        job_terms(escrows=(card(SECRET),)),
        federation_rows(),
        NOBODYS_KEY,
        policies=policies,
    ).run()
    declined = federation["bank"].event(TrainingDeclined)
    assert declined.reason == "this party's policy knows no escrow supervisor with such a key"
    assert "PublicKeyIssued" not in federation["bank"].types()


def test_a_bank_asks_for_no_escrow_that_it_does_not_allow_itself(
    parties: dict[str, Party],
) -> None:
    with pytest.raises(RequestError, match="knows no escrow supervisor"):
        check_request(parties["bank"], "spring", with_escrow(terms()))


def test_an_escrow_needs_a_version_of_the_protocol_that_has_them(tmp_path: Path) -> None:
    """Given a bank held to version 1, whose members would not seal to it, then it cannot ask."""
    parties = make_federation(tmp_path)
    settings = parties["bank"].folder.settings
    policy = f'[[policy.escrows]]\nname = "supervisor"\nsealing_key = "{SECRET.to_public()}"\n'
    settings.write_text("newest_protocol = 1\n" + settings.read_text() + policy)
    bank = open_party(tmp_path / "bank")
    with pytest.raises(RequestError, match="these terms need version 2 of the protocol"):
        check_request(bank, "spring", with_escrow(terms()))


def test_what_is_pruned_is_gone_under_seal_too(parties: dict[str, Party]) -> None:
    job_of(parties, with_escrow(terms()))
    bank = parties["bank"]
    [kept] = bank.folder.sealed.glob("*/*")
    list(prune(bank, [Prunable(JOB, "", (kept.name,), kept.stat().st_size)]))
    assert not kept.exists()

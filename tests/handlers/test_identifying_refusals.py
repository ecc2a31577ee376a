"""What goes wrong in an identification: one clear error on every log, and nobody half-labelled."""

from typing import Any

import pytest

from events.identifying import CustomersIdentified, EncryptedProbabilitiesPosted
from events.lifecycle import WorkFailed
from handlers.alignment import HANDLE_BYTES
from handlers.conformance import check_conformance
from handlers.drafts import Draft, Payload
from handlers.errors import ProtocolError
from handlers.history import History
from handlers.policy import Policy
from learning.identifying import ONE, SLOT_BITS, pack_values
from paillier.ciphertexts import ciphertext_bytes, to_bytes
from paillier.encryption import Encryptor
from paillier.generator import DeterministicGenerator
from paillier.keys import PrivateKey
from paillier.packing import slots_of
from tests.handlers.identifying import customers_of, fact_of, identify, rejected, trained
from tests.identification_simulation import IdentificationSimulation, identification_terms
from tests.simulation import Simulation


@pytest.fixture(scope="module")
def model(key: PrivateKey) -> Simulation:
    return trained(1, key)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"tau": 0.0}, "greater than 0"),
        ({"tau": 1.0}, "less than 1"),
        ({"tau": 0.1234567890123}, "at most 12 digits"),
        ({"tau": None, "requester": "partner"}, "local party alone"),
        ({"tau": None, "release_scores": True}, "no scores by it"),
        ({"requester": "arbiter"}, "party with data asks"),
    ],
)
def test_terms_that_make_no_sense_are_refused(
    changes: dict[str, Any], words: str, model: Simulation
) -> None:
    with pytest.raises(ValueError, match=words):
        identification_terms(model, 5, **changes)


@pytest.mark.parametrize(
    "changes", [{"profile": "default"}, {"profile": "patent", "kind": "linear"}]
)
def test_a_model_of_another_kind_identifies_nobody(
    changes: dict[str, Any], key: PrivateKey
) -> None:
    """Then everybody says the same clear reason, and nobody posts anything."""
    other = trained(1, key, **changes)
    federation = identify(other, ["1", "2"])
    for name in ("bank", "partner", "arbiter"):
        code, detail = rejected(federation, name)
        assert code == "unknown-model"
        assert 'profile = "patent"' in detail
        assert "EncryptedProbabilitiesPosted" not in federation[name].types()


def test_an_unknown_model_identifies_nobody(model: Simulation) -> None:
    terms = identification_terms(model, 2).model_copy(update={"model_id": "autumn"})
    federation = IdentificationSimulation(model, terms)
    empty = Simulation(model.terms, {}, model.key)
    for name in federation.parties:
        empty[name].history = History("autumn")
    federation.trained = empty
    federation.ask(["1", "2"]).settle()
    assert rejected(federation)[0] == "unknown-model"
    assert "no model autumn" in rejected(federation)[1]


def test_a_requester_that_is_not_named_is_refused(model: Simulation) -> None:
    terms = identification_terms(model, 3, requester="partner")
    policies = {"bank": Policy(identification_requesters=("bank",)), "partner": Policy()}
    federation = IdentificationSimulation(model, terms, policies=policies)
    federation.ask(customers_of(model)[:3]).settle()
    assert rejected(federation, "partner")[0] == "untrusted-requester"
    assert "CustomersIdentified" not in federation["partner"].types()


def test_a_customer_whose_quota_is_used_up_stops_the_request_before_anything_is_encrypted(
    model: Simulation,
) -> None:
    customers = customers_of(model)[:6]
    federation = IdentificationSimulation(model, identification_terms(model, 6))
    federation.spent["partner"] = set(customers[:2])
    federation.ask(customers).settle()
    code, detail = rejected(federation)
    assert code == "quota"
    assert "2 of these have been (labels_per_customer in its [policy])" in detail
    posted = [
        fact.source
        for fact in federation["arbiter"].facts
        if isinstance(fact.event, EncryptedProbabilitiesPosted)
    ]
    assert "partner" not in posted
    assert "CustomersIdentified" not in federation["bank"].types()


def test_a_customer_named_twice_is_refused_by_the_others(model: Simulation) -> None:
    """Given an asker that does not look itself."""
    customer = customers_of(model)[0]
    federation = identify(model, [customer, customer], requester="partner")
    assert rejected(federation) == ("data", "partner names a customer twice")


def test_a_party_that_cannot_score_says_so(model: Simulation) -> None:
    federation = IdentificationSimulation(model, identification_terms(model, 3))
    federation.broken.add("partner")
    federation.ask(customers_of(model)[:3]).settle()
    assert rejected(federation)[0] == "data"
    assert federation["partner"].event(WorkFailed).detail == "no table"


@pytest.mark.parametrize("silent", ["partner", "arbiter"])
def test_a_party_that_leaves_half_way_is_named_at_the_deadline(
    silent: str, model: Simulation
) -> None:
    federation = IdentificationSimulation(model, identification_terms(model, 3))
    federation.silent.add(silent)
    federation.ask(customers_of(model)[:3]).settle()
    federation.pass_deadline()
    assert rejected(federation) == ("deadline", f"no answer in time from {silent}")
    for name in ("bank", "partner"):
        assert not {"CustomersIdentified", "FinalLabelsRecorded"} & set(federation[name].types())


def test_a_party_that_comes_back_after_the_deadline_is_too_late(model: Simulation) -> None:
    federation = IdentificationSimulation(model, identification_terms(model, 3))
    federation.silent.add("partner")
    federation.ask(customers_of(model)[:3]).settle()
    federation.pass_deadline()
    federation.silent.clear()
    federation.settle()
    for name in ("bank", "partner", "arbiter"):
        assert not {"CustomersIdentified", "FinalLabelsRecorded"} & set(federation[name].types())


def test_a_deadline_that_speaks_as_the_labels_come_changes_nothing_for_anybody(
    model: Simulation,
) -> None:
    """Nothing half-labelled: what the arbiter said stands at every party."""
    federation = IdentificationSimulation(model, identification_terms(model, 3), seed=5)
    federation.ask(customers_of(model)[:3])
    # Everybody but the bank works until nothing is left; its own clock runs out meanwhile.
    federation.settle_until("bank", "EncryptedProbabilitiesPosted", source="bank")
    federation.silent.add("bank")
    federation.settle()
    assert "CustomersIdentified" in federation["partner"].types()
    federation.silent.clear()
    federation.pass_deadline()
    for name in ("bank", "partner"):
        assert federation[name].types().count("FinalLabelsRecorded") == 1
    assert federation.labels("bank") == federation.labels("partner")


def forged(
    federation: IdentificationSimulation,
    numbers: list[int],
    handles: bytes | None = None,
    key_id: str | None = None,
) -> Draft:
    """A posting of the partner with any content."""
    bank, key = federation["bank"], federation.key.public
    request = bank.facts[0]
    terms = request.event.terms  # type: ignore[attr-defined]
    issued = bank.own.read(request.payload("rows"))
    slots = slots_of(key.bits, SLOT_BITS)
    plaintexts = [one % key.n for one in pack_values(numbers, slots)]
    generator = DeterministicGenerator(bytes(32))
    content = to_bytes(Encryptor(key).encrypt(plaintexts, generator), key)
    width = ciphertext_bytes(key)
    rows = handles if handles is not None else issued
    return Draft(
        EncryptedProbabilitiesPosted(rows=terms.rows, key_id=key_id or key.key_id),
        federation.job,
        (
            Payload("handles", "handles", (terms.rows,), rows, ("arbiter",)),
            Payload(
                "probabilities",
                "ciphertexts",
                (len(content) // width, width),
                content,
                ("arbiter",),
            ),
        ),
    )


def posting_in_place_of_the_partners(model: Simulation, **content: Any) -> IdentificationSimulation:
    federation = IdentificationSimulation(model, identification_terms(model, 3))
    federation.ask(customers_of(model)[:3])
    federation.settle_until("partner", "IdentificationRequested", source="bank")
    federation.silent.add("partner")
    cause = federation["partner"].facts[0]
    federation.inject("partner", forged(federation, **content), cause)
    federation["partner"].reacted = len(federation["partner"].facts)
    federation.silent.clear()
    federation.settle()
    return federation


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"numbers": [0, ONE + 1, 5]}, "posts probabilities outside [0, 1]"),
        ({"numbers": [-1, 0, 5]}, "posts probabilities outside [0, 1]"),
        ({"numbers": [1 << 300, 0, 5]}, "posts probabilities outside [0, 1]"),
        (
            {"numbers": [1, 2, 3], "handles": bytes(3 * HANDLE_BYTES)},
            "posts a handle that was never issued",
        ),
        ({"numbers": [1, 2, 3], "key_id": "ab" * 32}, "another key than the model's"),
    ],
)
def test_what_the_arbiter_cannot_accept_ends_the_request_at_everybody(
    content: dict[str, Any], words: str, model: Simulation
) -> None:
    """One clear error on every log, and nobody has a label."""
    federation = posting_in_place_of_the_partners(model, **content)
    for name in ("bank", "partner", "arbiter"):
        code, detail = rejected(federation, name)
        assert code == "protocol"
        assert words in detail
        assert detail.startswith("partner ")
        assert not {"CustomersIdentified", "FinalLabelsRecorded"} & set(federation[name].types())


def test_rows_in_another_order_than_issued_are_refused(model: Simulation) -> None:
    federation = IdentificationSimulation(model, identification_terms(model, 3))
    federation.ask(customers_of(model)[:3])
    issued = federation["bank"].own.read(federation["bank"].facts[0].payload("rows"))
    turned = issued[HANDLE_BYTES:] + issued[:HANDLE_BYTES]
    again = posting_in_place_of_the_partners(model, numbers=[1, 2, 3], handles=turned)
    assert "rows in another order" in rejected(again)[1]


def test_an_arbiter_that_is_asked_twice_by_a_party_refuses(model: Simulation) -> None:
    """Given labels that are out, then a second posting is an error, and the labels stay."""
    federation = identify(model, customers_of(model)[:3])
    before = federation.labels("bank")
    cause = federation["partner"].facts[0]
    federation.inject("partner", forged(federation, [1, 2, 3]), cause)
    federation.settle()
    assert federation["arbiter"].types().count("CustomersIdentified") == 1
    assert rejected(federation, "arbiter") == (
        "protocol",
        "partner says EncryptedProbabilitiesPosted twice",
    )
    assert federation.labels("bank") == before


@pytest.mark.parametrize(
    ("kind", "changes", "words"),
    [
        (CustomersIdentified, {"tau": 0.25}, "identifies others than were asked for"),
        (CustomersIdentified, {"rows": 5}, "identifies others than were asked for"),
        (CustomersIdentified, {"known": 5}, "identifies others than were asked for"),
        (CustomersIdentified, {"releases_scores": True}, "identifies others than were asked for"),
        (CustomersIdentified, {"labelled": 5}, "labels more customers than all parties have"),
        (CustomersIdentified, {"labelled": None}, "labels more customers than all parties have"),
        (EncryptedProbabilitiesPosted, {"rows": 5}, "posts other rows than were asked for"),
    ],
)
def test_what_cannot_be_is_blamed_on_who_said_it(
    kind: type[Any], changes: dict[str, Any], words: str, model: Simulation
) -> None:
    federation = identify(model, customers_of(model)[:4])
    fact = fact_of(federation, "bank", kind, "arbiter" if kind is CustomersIdentified else "bank")
    altered = type(fact)(fact.envelope, fact.event.model_copy(update=changes))
    facts = federation["bank"].facts[: federation["bank"].facts.index(fact)]
    with pytest.raises(ProtocolError, match=words):
        check_conformance(History(federation.job, [*facts, altered]), altered)


def test_labels_that_are_not_those_counted_are_refused_by_who_reads_them(
    model: Simulation,
) -> None:
    """Given an arbiter whose labels are not what all members hear, then nobody keeps them."""
    federation = IdentificationSimulation(model, identification_terms(model, 3))
    federation.ask(customers_of(model)[:3])
    federation.silent.add("arbiter")
    federation.settle()
    event = CustomersIdentified(
        model_id=model.job, purpose="labels", tau=0.5, rows=3, known=3, labelled=1
    )
    labels = Payload("labels", "int8", (3,), bytes([255, 255, 255]), ("bank", "partner"))
    cause = federation["arbiter"].facts[0] if federation["arbiter"].facts else None
    federation.inject("arbiter", Draft(event, federation.job, (labels,)), cause)
    federation.settle()
    for name in ("bank", "partner"):
        assert rejected(federation, name)[0] == "protocol"
        assert "FinalLabelsRecorded" not in federation[name].types()

"""Identifying customers as a sequence of events, and every number of it (requirements L1 to L4)."""

import json

import numpy as np
import pytest
from numpy.typing import NDArray

from events.identification import WeightsAnnounced
from events.identifying import (
    CustomersIdentified,
    EncryptedProbabilitiesPosted,
    FinalLabelsRecorded,
    ThresholdsCompared,
)
from events.models import ModelEvaluated
from handlers.alignment import HANDLE_BYTES
from handlers.policy import Policy
from learning.fixed_point import from_grid
from learning.identifying import SLOT_BITS, SWEEP
from learning.residuals import sigmoid
from paillier.keys import PrivateKey
from paillier.packing import slots_of
from tests.handlers.identifying import (
    customers_of,
    fact_of,
    identify,
    outcomes_of,
    rejected,
    trained,
)
from tests.identification_simulation import (
    IdentificationSimulation,
    identification_terms,
    known_customers,
)
from tests.simulation import Simulation

DATA_EVENTS = [
    "IdentificationRequested",
    "CustomersScored",
    "EncryptedProbabilitiesPosted",
    "EncryptedProbabilitiesPosted",
    "CustomersIdentified",
    "FinalLabelsRecorded",
]


@pytest.fixture(scope="module")
def model(key: PrivateKey) -> Simulation:
    return trained(1, key)


@pytest.fixture(scope="module")
def model_of_four(key: PrivateKey) -> Simulation:
    return trained(3, key)


def replica(model: Simulation, customers: list[str]) -> NDArray[np.float64]:
    """F in plain numpy: each party's P, min-max over its training rows, weighed and divided."""
    parts, losses = [], []
    for name in model.terms.data_parties:
        known = known_customers(model[name])
        training = sigmoid(from_grid([known.scores[one] for one in known.trained_on]))
        wanted = sigmoid(from_grid([known.scores[one] for one in customers]))
        norm = (wanted - training.min()) / (training.max() - training.min())
        parts.append(np.clip(norm, 0, 1))
        losses.append(own_loss(model, name))
    inverse = 1 / np.array(losses)
    weights = len(losses) * inverse / inverse.sum()
    result: NDArray[np.float64] = (weights @ np.stack(parts) + 1e-6) / len(parts)
    return result


def own_loss(model: Simulation, name: str) -> float:
    """Mean -log p of what happened, from the bank's outcomes and the party's own scores (T8)."""
    known, outcome = known_customers(model[name]), outcomes_of(model)
    probabilities = sigmoid(from_grid([known.scores[one] for one in known.trained_on]))
    happened = np.array([outcome[one] > 0 for one in known.trained_on])
    return float(-np.log(np.where(happened, probabilities, 1 - probabilities)).mean())


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("requester", ["bank", "partner"])
def test_probabilities_go_to_the_arbiter_and_labels_come_to_all(
    requester: str, seed: int, model: Simulation
) -> None:
    """Given a trained model, when any data party asks, then the sequence is this, everywhere."""
    federation = identify(model, customers_of(model)[:20], seed, requester=requester)
    for name in ("bank", "partner"):
        assert sorted(federation[name].types()) == sorted(DATA_EVENTS)
        assert federation[name].types()[-1] == "FinalLabelsRecorded"
    assert sorted(federation["arbiter"].types()) == sorted(
        [
            "IdentificationRequested",
            "ModelRecalled",
            "EncryptedProbabilitiesPosted",
            "EncryptedProbabilitiesPosted",
            "CustomersIdentified",
        ]
    )
    assert federation.labels("bank") == federation.labels("partner")
    assert set(federation.labels("bank")) == set(customers_of(model)[:20])


@pytest.mark.parametrize("tau", [0.01, 0.05, 0.3, 0.5, 0.75])
def test_labels_are_those_of_a_numpy_replica(tau: float, model: Simulation) -> None:
    """P, Q, Norm, the losses, alpha, beta and F again, in floats (L2, L3, L4)."""
    customers = customers_of(model)
    scores = replica(model, customers)
    assert np.abs(scores - tau).min() > 1e-9, "floats could not tell"
    federation = identify(model, customers, tau=tau)
    expected = dict(zip(customers, np.where(scores > tau, 1, -1).tolist(), strict=True))
    assert federation.labels("partner") == expected


def test_the_weights_of_the_replica_are_those_that_were_announced(model: Simulation) -> None:
    losses = np.array([own_loss(model, name) for name in model.terms.data_parties])
    announced = model["bank"].event(WeightsAnnounced).weights
    expected = [2 * losses[1] / losses.sum(), 2 * losses[0] / losses.sum()]
    assert [one.weight for one in announced] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("requester", ["bank", "partner-2"])
def test_four_parties_are_weighed_and_divided_by_four(
    requester: str, model_of_four: Simulation
) -> None:
    customers = customers_of(model_of_four)
    scores = replica(model_of_four, customers)
    federation = identify(model_of_four, customers, requester=requester, tau=0.45)
    expected = dict(zip(customers, np.where(scores > 0.45, 1, -1).tolist(), strict=True))
    for name in model_of_four.terms.data_parties:
        assert federation.labels(name) == expected


def test_one_customer_alone_gets_what_it_gets_in_a_batch(model: Simulation) -> None:
    customers = customers_of(model)
    batch = identify(model, customers, tau=0.4).labels("bank")
    for customer in customers[:12]:
        assert identify(model, [customer], tau=0.4).labels("bank") == {customer: batch[customer]}


def opened(
    federation: IdentificationSimulation, name: str, at: str = "arbiter"
) -> tuple[list[bytes], list[int]]:
    """Handles and numbers of a posting, as the arbiter's key opens them."""
    party = federation[at]
    fact = fact_of(federation, at, EncryptedProbabilitiesPosted, name)
    handles = party.own.read(fact.payload("handles"))
    key = federation.key
    reference = fact.payload("probabilities")
    content, width = party.own.read(reference), reference.shape[1]
    slots, values = slots_of(key.public.bits, SLOT_BITS), []
    for start in range(0, len(content), width):
        number = key.decrypt(int.from_bytes(content[start : start + width], "big"))
        values += [(number >> (SLOT_BITS * slot)) & ((1 << SLOT_BITS) - 1) for slot in range(slots)]
    pieces = [handles[at : at + HANDLE_BYTES] for at in range(0, len(handles), HANDLE_BYTES)]
    return pieces, values[: len(pieces)]


def test_the_arbiter_gets_random_handles_in_random_order_and_nothing_of_who_it_is(
    model: Simulation,
) -> None:
    """Given the same customers twice, then neither handles nor places tell which is which."""
    customers = customers_of(model)
    first = identify(model, customers)
    second = IdentificationSimulation(
        model, identification_terms(model, len(customers)), job="identify-2"
    ).ask(customers)
    second.settle()
    (handles, values), (others, other_values) = (opened(one, "bank") for one in (first, second))
    assert not set(handles) & set(others)
    assert len(set(handles)) == len(customers)
    assert sorted(values) == sorted(other_values)
    assert values != other_values
    arbiter = first["arbiter"]
    for fact in arbiter.facts:
        for reference in fact.envelope.payloads:
            readable = fact.source == "arbiter" or "arbiter" in reference.readers
            names = {"rows", "handles", "probabilities", "labels"}
            assert not readable or reference.name in names
    request = arbiter.facts[0]
    assert request.payload("task-partner").readers == ("partner",)
    assert request.payload("order").readers == ()


def test_no_party_gets_the_probabilities_of_another_nor_f(model: Simulation) -> None:
    federation = identify(model, customers_of(model)[:10])
    for name in ("bank", "partner"):
        for fact in federation[name].facts:
            for reference in fact.envelope.payloads:
                if fact.source != name and name in reference.readers:
                    assert reference.name in {"rows", f"task-{name}", "labels"}
    (identified,) = [
        fact for fact in federation["arbiter"].facts if isinstance(fact.event, CustomersIdentified)
    ]
    assert [one.name for one in identified.envelope.payloads] == ["labels"]
    assert set(identified.event.model_dump()) == {
        *("model_id", "purpose", "tau", "rows", "known", "labelled", "releases_scores")
    }


def test_an_auditor_hears_everything_and_opens_nothing(key: PrivateKey) -> None:
    model = trained(1, key, auditors=1)
    before = set(model["auditor-1"].payloads.contents)
    federation = identify(model, customers_of(model)[:5])
    assert set(federation["auditor-1"].payloads.contents) == before
    assert "CustomersIdentified" in federation["auditor-1"].types()


def test_a_customer_that_a_party_lacks_has_no_label(model: Simulation) -> None:
    """Then nobody but the arbiter sees which party lacks it: all posted as much as before."""
    customers = customers_of(model)[:9]
    terms = identification_terms(model, len(customers) + 1)
    federation = IdentificationSimulation(model, terms)
    federation.lacking["partner"] = set(customers[:3])
    federation.ask([*customers, "nobody"]).settle()
    labels = federation.labels("bank")
    assert set(labels) == set(customers)
    assert [one for one in customers if labels[one] == 0] == customers[:3]
    assert set(federation.labels("partner")) == set(customers[3:])
    event = federation["bank"].event(CustomersIdentified)
    assert (event.rows, event.known) == (10, 6)
    sizes = {
        fact.payload("probabilities").size
        for fact in federation["bank"].facts
        if isinstance(fact.event, EncryptedProbabilitiesPosted)
    }
    assert len(sizes) == 1


def test_the_same_request_again_has_other_ciphertexts_and_the_same_labels(
    model: Simulation,
) -> None:
    customers = customers_of(model)[:8]
    first, second = (
        identify(model, customers),
        IdentificationSimulation(model, identification_terms(model, 8), job="identify-2").ask(
            customers
        ),
    )
    second.settle()
    assert first.labels("bank") == second.labels("bank")
    contents = [
        one["arbiter"].own.read(
            fact_of(one, "arbiter", EncryptedProbabilitiesPosted).payload("probabilities")
        )
        for one in (first, second)
    ]
    assert contents[0] != contents[1]


def test_f_is_told_with_two_digits_where_every_party_allows_it(model: Simulation) -> None:
    customers = customers_of(model)[:15]
    terms = identification_terms(model, 15, release_scores=True)
    allow = {name: Policy(release_scores=True) for name in ("bank", "partner")}
    federation = IdentificationSimulation(model, terms, policies=allow).ask(customers)
    federation.settle()
    fact = fact_of(federation, "partner", FinalLabelsRecorded)
    document = json.loads(federation["partner"].own.read(fact.payload("labels")))
    told = dict(zip(document["customers"], document["scores"], strict=True))
    expected = replica(model, customers)
    assert [told[one] / 100 for one in customers] == pytest.approx(expected, abs=0.00501)
    refusing = IdentificationSimulation(model, terms, policies={**allow, "partner": Policy()}).ask(
        customers
    )
    refusing.settle()
    assert rejected(refusing) == ("scores-not-released", "partner allows labels and no scores")


def test_a_sweep_shows_the_bank_what_thresholds_are_worth(model: Simulation) -> None:
    """Then its figures are those of the replica on the held-out rows, and nobody else learns F."""
    known = known_customers(model["bank"])
    rows = len(known.held_out)
    federation = IdentificationSimulation(model, identification_terms(model, rows, tau=None))
    federation.sweep().settle()
    swept = federation["bank"].event(ThresholdsCompared)
    outcome = outcomes_of(model)
    positive = np.array([outcome[one] > 0 for one in known.held_out])
    scores = replica(model, list(known.held_out))
    assert [point.tau for point in swept.points] == list(SWEEP)
    for point in swept.points:
        chosen = scores > point.tau
        assert point.labelled == chosen.sum()
        assert point.recall == pytest.approx((chosen & positive).sum() / positive.sum())
        if chosen.any():
            assert point.precision == pytest.approx(positive[chosen].mean())
            assert point.lift == pytest.approx(positive[chosen].mean() / positive.mean())
    assert swept.joint_auc == model["bank"].event(ModelEvaluated).joint.auc
    told = federation["arbiter"].facts[-1]
    assert [(one.name, one.readers) for one in told.envelope.payloads] == [("levels", ("bank",))]
    assert federation["partner"].types()[-1] == "CustomersIdentified"

"""Several customers a ciphertext: less to encrypt and to send, and the same model to the bit."""

from typing import Any

import pytest

from events.preparation import FeaturesPrepared
from events.rounds import (
    EncryptedGradientPosted,
    EncryptedResidualPosted,
    EncryptedScorePosted,
    MaskedResultDecrypted,
    ParametersUpdated,
    RoundCompleted,
)
from handlers.drafts import Draft
from handlers.history import History
from handlers.packing import job_packing, ready_to_train
from handlers.reactions import decide
from paillier.keys import PrivateKey
from tests.handlers.conftest import federation_rows
from tests.simulation import Simulation, job_terms

PATENT: dict[str, Any] = {"profile": "patent"}
LINEAR: dict[str, Any] = {"kind": "linear"}


def run(
    key: PrivateKey, rows_per_ciphertext: int | None, participants: int = 1, **changes: Any
) -> Simulation:
    terms = job_terms(participants, rows_per_ciphertext=rows_per_ciphertext, **changes)
    linear = terms.kind == "linear"
    return Simulation(terms, federation_rows(participants, linear=linear), key, seed=4).run()


def parameters(federation: Simulation) -> list[str]:
    """The parameters of every data party after every round, by their digests."""
    return [
        fact.payload("weights").commitment
        for name in federation.terms.data_parties
        for fact in history_of(federation, name).of(ParametersUpdated)
    ]


def history_of(federation: Simulation, name: str) -> History:
    history = federation[name].history
    assert history is not None
    return history


@pytest.mark.parametrize("coding", ["one-hot", "ordinal"])
@pytest.mark.parametrize("changes", [PATENT, LINEAR], ids=["patent", "linear"])
def test_the_model_does_not_depend_on_how_many_customers_share(
    changes: dict[str, Any], coding: str, key: PrivateKey
) -> None:
    alone, *shared = (
        parameters(run(key, rows, participants=2, coding=coding, **changes)) for rows in (1, 2, 3)
    )
    assert len(alone) == 3 * 3
    assert all(parameters == alone for parameters in shared)


def test_vectors_get_shorter_and_results_are_cut(key: PrivateKey) -> None:
    federation = run(key, 5, **PATENT)
    bank = history_of(federation, "bank")
    packing = job_packing(bank)
    assert packing is not None
    assert packing.rows_per_ciphertext == 5
    (scores, *_), (residuals, *_) = bank.of(EncryptedScorePosted), bank.of(EncryptedResidualPosted)
    assert scores.payload("scores").shape == (35, 128)  # 172 training rows, five each
    assert residuals.payload("residuals").shape == (35, 128)
    result = bank.of(MaskedResultDecrypted, owner="bank")[0].payload("result")
    columns = bank.one(FeaturesPrepared, source="bank").event.columns
    assert result.shape == (columns, 7)  # 52 bits of a slot and the carry, of 512


def test_every_member_finds_the_same_number(key: PrivateKey) -> None:
    """Also who has no data, and only reads (D4)."""
    terms = job_terms(2, auditors=1, rows_per_ciphertext=1000, **PATENT)
    federation = Simulation(terms, federation_rows(2), key).run()
    packings = {job_packing(History("job-1", party.facts)) for party in federation.parties.values()}
    assert len(packings) == 1
    (packing,) = packings
    assert packing is not None
    assert packing.rows_per_ciphertext == 5  # so many have room in a key of 512 bits


def test_the_counted_work_decides_unless_the_terms_say_so(key: PrivateKey) -> None:
    chosen, stated, alone = (
        job_packing(history_of(run(key, rows, **PATENT), "bank")) for rows in (None, 2, 1)
    )
    assert chosen is not None
    assert stated is not None
    assert (chosen.rows_per_ciphertext, stated.rows_per_ciphertext, alone) == (5, 2, None)


def test_the_default_profile_never_shares(key: PrivateKey) -> None:
    for rows in (None, 1):
        assert job_packing(history_of(run(key, rows), "bank")) is None


def test_a_gradient_that_overtakes_a_partners_columns_is_opened_when_they_are_known(
    key: PrivateKey,
) -> None:
    """Streams may overtake each other, and what an owner may have depends on all columns."""
    arbiter = run(key, 3, participants=2, **PATENT)["arbiter"]
    first_round = next(
        place for place, fact in enumerate(arbiter.facts) if isinstance(fact.event, RoundCompleted)
    )
    said = arbiter.facts[:first_round]
    late = next(
        fact
        for fact in said
        if isinstance(fact.event, FeaturesPrepared) and fact.source == "partner-2"
    )
    gradient = next(
        fact
        for fact in said
        if isinstance(fact.event, EncryptedGradientPosted) and fact.source == "bank"
    )
    before = [
        fact
        for fact in said
        if fact is not late
        and not isinstance(fact.event, EncryptedGradientPosted | MaskedResultDecrypted)
    ]
    history = History("job-1", [*before, gradient])
    assert not ready_to_train(history)
    assert decide(arbiter.role, history, gradient, arbiter.own) == []
    history.add(late)
    (opened,) = decide(arbiter.role, history, late, arbiter.own)
    assert isinstance(opened, Draft)
    assert isinstance(opened.event, MaskedResultDecrypted)
    assert (opened.event.round, opened.event.owner) == (1, "bank")


def test_the_order_in_which_messages_arrive_changes_nothing(key: PrivateKey) -> None:
    terms = job_terms(3, maximum_rounds=2, rows_per_ciphertext=4, **PATENT)
    outcomes = {
        tuple(parameters(Simulation(terms, federation_rows(3), key, seed=seed).run()))
        for seed in range(8)
    }
    assert len(outcomes) == 1

"""What ends a job, with one clear reason for every member (requirements A3, T7)."""

from typing import Any, cast

import numpy as np
import pytest

from events.catalogue import Fact
from events.event import Event
from events.lifecycle import TrainingFailed, WorkFailed
from events.rounds import EncryptedGradientPosted, StopFlagRaised
from handlers import arbiter
from handlers.coding import check_width
from handlers.conformance import check_conformance
from handlers.drafts import Decision, Draft
from handlers.errors import JobError, ProtocolError
from handlers.history import History
from handlers.leakage import leakage
from paillier.ciphertexts import to_bytes
from paillier.encryption import Encryptor
from paillier.generator import DeterministicGenerator
from paillier.keys import PrivateKey
from tests.handlers.conftest import federation_rows
from tests.simulation import Rows, Simulation, job_terms


def failure_of(federation: Simulation) -> TrainingFailed:
    """The one failure, which every member must have."""
    found = {party.event(TrainingFailed) for party in federation.parties.values()}
    assert len(found) == 1
    failure = found.pop()
    assert isinstance(failure, TrainingFailed)
    return failure


def renamed(rows: Rows) -> Rows:
    return Rows([f"9{identifier}" for identifier in rows.ids], rows.columns, rows.label)


def test_an_empty_intersection_ends_the_job_by_counts(key: PrivateKey) -> None:
    rows = federation_rows()
    rows["partner"] = renamed(rows["partner"])
    failure = failure_of(Simulation(job_terms(), rows, key).run())
    assert failure.code == "no-overlap"
    assert "only 0 customers" in failure.detail


def test_one_class_among_the_common_rows_ends_the_job(key: PrivateKey) -> None:
    rows = federation_rows()
    bank = rows["bank"]
    rows["bank"] = Rows(bank.ids, bank.columns, np.ones(len(bank.ids)))
    failure = failure_of(Simulation(job_terms(), rows, key).run())
    assert failure.code == "data"
    assert "same label" in failure.detail


def test_columns_that_are_all_constant_end_the_job_and_the_names_stay_home(
    key: PrivateKey,
) -> None:
    rows = federation_rows()
    partner = rows["partner"]
    rows["partner"] = Rows(partner.ids, {"secret_column": np.ones(len(partner.ids))})
    federation = Simulation(job_terms(), rows, key).run()
    failure = failure_of(federation)
    assert failure.code == "data"
    assert "secret_column" not in failure.detail
    assert "constant" in federation["partner"].event(WorkFailed).detail
    assert "WorkFailed" not in federation["bank"].types()


def test_a_participant_without_data_declines(key: PrivateKey) -> None:
    rows = federation_rows()
    del rows["partner"]
    failure = failure_of(Simulation(job_terms(), rows, key).run())
    assert failure.code == "declined"
    assert "cannot read its data" in failure.detail


def test_a_key_shorter_than_agreed_is_refused_by_whoever_sees_it_first(key: PrivateKey) -> None:
    failure = failure_of(Simulation(job_terms(key_bits=1024), federation_rows(), key).run())
    assert failure.code == "unsafe-key"


@pytest.mark.parametrize(
    ("budget", "guards"), [(0.01, {"bank", "partner"}), (0.6, {"partner"}), (0.8, set())]
)
def test_every_party_holds_the_others_to_the_leak_budget(
    budget: float, guards: set[str], key: PrivateKey
) -> None:
    """Given 12 rounds: the bank would receive 0.70 equations a row, the partner 0.49."""
    terms = job_terms(leak_budget=budget, maximum_rounds=12)
    federation = Simulation(terms, federation_rows(), key).run()
    history = federation["arbiter"].history
    assert history is not None
    failures = history.of(TrainingFailed)
    assert {fact.source for fact in failures} == guards
    assert {fact.event.code for fact in failures} <= {"leak-budget"}


def test_ordinal_columns_tell_less_and_one_hot_ones_too_many_say_so(key: PrivateKey) -> None:
    """Given the partner's five quintiles and three jobs: 7 equations a round, or 5 (T6)."""
    one_hot, ordinal = (
        Simulation(job_terms(leak_budget=0.4, coding=coding), federation_rows(), key).run()["bank"]
        for coding in ("one-hot", "ordinal")
    )
    shares = [leakage(one.history, "partner") for one in (one_hot, ordinal) if one.history]
    assert shares == [3 * 7 / 172, 3 * 5 / 172]


def test_too_many_columns_are_answered_with_what_would_do(key: PrivateKey) -> None:
    federation = Simulation(job_terms(leak_budget=0.01), federation_rows(), key).run()
    history = federation["arbiter"].history
    assert history is not None
    failed = history.of(TrainingFailed)[0].event
    assert 'coding = "ordinal"' in failed.detail
    with pytest.raises(JobError, match=r'24001 columns.*coding = "ordinal"'):
        check_width(job_terms(), 24_001, "partner")


def test_the_arbiter_decrypts_once_a_round_and_the_agreed_number_only(key: PrivateKey) -> None:
    """Given the arbiter's log up to a gradient, then a second, larger or late one is refused."""
    federation = Simulation(job_terms(), federation_rows(), key).run()
    party = federation["arbiter"]
    facts = party.facts
    asked = next(fact for fact in facts if isinstance(fact.event, EncryptedGradientPosted))
    before = History(federation.job, facts[: facts.index(asked)])

    def answer(*asking: Fact[Any]) -> Decision:
        history = History(federation.job, facts[: facts.index(asked)])
        for fact in asking:
            history.add(fact)
        check_conformance(history, asking[-1])
        return arbiter.decrypt_masked_gradient(history, asking[-1], party.own)

    assert before.is_known
    assert isinstance(answer(asked)[0], Draft)
    with pytest.raises(ProtocolError, match="twice"):
        answer(asked, asked)
    late = Fact(asked.envelope, EncryptedGradientPosted(round=2, ciphertexts=1))
    with pytest.raises(ProtocolError, match="round 2 out of turn"):
        answer(late)
    other = next(
        fact
        for fact in facts
        if isinstance(fact.event, StopFlagRaised) and fact.source == asked.source
    )
    reference = other.payload("flag").model_copy(update={"name": "gradient"})
    doubled = party.payloads.put(party.own.read(asked.payload("gradient")) * 2)
    too_many = reference.model_copy(update={"commitment": doubled})
    envelope = asked.envelope.model_copy(update={"payloads": (too_many,)})
    with pytest.raises(ProtocolError, match="ciphertexts, not"):
        answer(Fact(envelope, asked.event))


def test_a_flag_that_is_neither_0_nor_1_ends_the_job(key: PrivateKey) -> None:
    federation = Simulation(job_terms(), federation_rows(), key).run()
    party = federation["arbiter"]
    last = History(federation.job, party.facts).of(StopFlagRaised)[1]
    two = to_bytes(
        Encryptor(key.public).encrypt([2], DeterministicGenerator(bytes(32))), key.public
    )
    reference = last.payload("flag").model_copy(update={"commitment": party.payloads.put(two)})
    forged = Fact(last.envelope.model_copy(update={"payloads": (reference,)}), last.event)
    history = History(federation.job, party.facts[: party.facts.index(cast("Fact[Event]", last))])
    history.add(forged)
    with pytest.raises(ProtocolError, match="neither 0 nor 1"):
        arbiter.count_flags(history, forged, party.own)

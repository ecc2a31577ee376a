"""The arbiter opens what a round of a known job entitles a party to, once, and nothing else (T7).

`docs/threat-model.md` lists what each line of the defence is tested by.
"""

from dataclasses import replace
from typing import NoReturn

import pytest
from structlog.testing import capture_logs

from events.catalogue import CATALOGUE, Fact
from events.event import Event
from events.lifecycle import TrainingFailed
from events.rounds import EncryptedGradientPosted, MaskedResultDecrypted, StopFlagRaised
from events.vocabulary import Role
from handlers.drafts import Decision, Draft
from handlers.history import History
from handlers.own import Own
from handlers.reactions import decide
from paillier.keys import PrivateKey
from tests.handlers.conftest import federation_rows
from tests.handlers.decisions import protocol_failure
from tests.simulation import Simulation, job_terms


@pytest.fixture(scope="module")
def federation(key: PrivateKey) -> Simulation:
    return Simulation(job_terms(), federation_rows(), key).run()


def without_key(own: Own) -> Own:
    """The arbiter, which must not even touch its key."""

    def touched(_key_id: str) -> NoReturn:
        raise AssertionError("the arbiter decrypts")

    return replace(own, private_key=touched)


def first(facts: list[Fact[Event]], kind: type[Event]) -> int:
    return next(place for place, fact in enumerate(facts) if type(fact.event) is kind)


def answer(federation: Simulation, known: list[Fact[Event]], asking: Fact[Event]) -> Decision:
    """What the arbiter decides about the last of what it knows, its key out of reach."""
    history = History(federation.job, [*known, asking])
    return decide(Role.ARBITER, history, asking, without_key(federation["arbiter"].own))


def test_the_catalogue_has_six_payloads_for_the_arbiter_and_none_of_a_training_has_rows() -> None:
    """Whoever adds an event that the arbiter may open comes by here."""
    read_by_arbiter = {
        (kind.type_name(), name)
        for kind in CATALOGUE.types.values()
        for name, rule in kind.PAYLOADS.items()
        if Role.ARBITER in rule.readers
    }
    assert read_by_arbiter == {
        ("EncryptedGradientPosted", "gradient"),  # masked, one number a column
        ("StopFlagRaised", "flag"),  # one number
        ("LossPosted", "loss"),  # one number; the patent profile's
        # Rows, only where customers are identified, and under handles drawn for that request:
        ("EncryptedProbabilitiesPosted", "probabilities"),
        ("EncryptedProbabilitiesPosted", "handles"),
        ("IdentificationRequested", "rows"),
    }


def test_a_second_gradient_is_refused_logged_and_not_opened(federation: Simulation) -> None:
    """Given what an owner was entitled to and got, then asking again ends the job by name."""
    facts = federation["arbiter"].facts
    place = first(facts, EncryptedGradientPosted)
    with capture_logs() as lines:
        told = protocol_failure(answer(federation, facts[: place + 1], facts[place]))
    assert facts[place].source in told
    (line,) = [line for line in lines if line["event"] == "job_failed"]
    assert (line["code"], line["job"]) == ("protocol", federation.job)


@pytest.mark.parametrize("kind", [EncryptedGradientPosted, StopFlagRaised])
def test_what_belongs_to_no_open_round_is_not_opened(
    federation: Simulation, kind: type[Event]
) -> None:
    facts = federation["arbiter"].facts
    place = first(facts, kind)
    late = Fact(facts[place].envelope, facts[place].event.model_copy(update={"round": 9}))
    protocol_failure(answer(federation, facts[:place], late))


def test_a_job_that_is_over_opens_nothing(federation: Simulation) -> None:
    facts = federation["arbiter"].facts
    place = first(facts, EncryptedGradientPosted)
    failed = Fact(facts[0].envelope, TrainingFailed(code="cancelled", detail="by its bank"))
    assert answer(federation, [*facts[:place], failed], facts[place]) == []


def test_what_is_opened_is_of_the_announced_number_and_goes_to_its_owner(
    federation: Simulation,
) -> None:
    party = federation["arbiter"]
    place = first(party.facts, EncryptedGradientPosted)
    asking = party.facts[place]
    history = History(federation.job, party.facts[: place + 1])
    (opened,) = decide(Role.ARBITER, history, asking, party.own)
    assert isinstance(opened, Draft)
    assert isinstance(opened.event, MaskedResultDecrypted)
    assert isinstance(asking.event, EncryptedGradientPosted)
    assert opened.event.ciphertexts == asking.event.ciphertexts
    assert [one.readers for one in opened.payloads] == [(asking.source,)]

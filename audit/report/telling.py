"""Telling the story of each job from the facts of all logs at hand."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import reduce

from audit.log_copy import LogCopy
from audit.report.requests import tell_prediction
from audit.report.story import (
    FIGURES,
    Curve,
    DigestStory,
    JobStory,
    LeakStory,
    MemberStory,
    PredictionStory,
    RoundStory,
)
from events.card import PartyCard
from events.catalogue import CATALOGUE, Fact
from events.errors import EventError
from events.event import Event
from events.lifecycle import TrainingAccepted, TrainingDeclined, TrainingRequested
from events.models import ModelEvaluated, ModelSaved, Quality
from events.opening import Opening
from events.preparation import FeaturesPrepared, PublicKeyIssued, RowsAligned
from events.rotation import KeyRotated
from events.rounds import LossRecorded, RoundCompleted, StopFlagRaised
from events.terms import Agreement
from events.vocabulary import Role
from handlers.coding import rank
from handlers.history import History
from handlers.leakage import leakage
from projections.jobs import Job, fold
from store.entry import Entry

WITHOUT_A_PLACE = {"members", "optimiser"}


def read_facts(entries: Iterable[Entry]) -> list[Fact[Event]]:
    """Every event that can be read; the others are findings of `verify`."""
    facts = []
    for entry in entries:
        try:
            facts.append(CATALOGUE.read(entry.envelope))
        except (EventError, ValueError):
            continue
    return facts


def tell(copies: Sequence[LogCopy]) -> tuple[list[JobStory], list[PredictionStory]]:
    """Trainings and predictions, the oldest first."""
    logs = [read_facts(copy.entries()) for copy in copies]
    cards = {name: card for copy in copies for name, card in copy.cards.items()}
    jobs, predictions = [], []
    for name in dict.fromkeys(fact.job for facts in logs for fact in facts if fact.job):
        history, facts = _merged(name, logs)
        if not history.is_known:
            continue
        if isinstance(history.opening.event, KeyRotated):
            continue
        if isinstance(history.opening.event, TrainingRequested):
            jobs.append(tell_training(history, facts, cards))
        else:
            predictions.append(tell_prediction(history))
    return jobs, predictions


def _merged(name: str, logs: Sequence[list[Fact[Event]]]) -> tuple[History, list[Fact[Event]]]:
    """Shared facts once, in the order of the first log that has the job; then what is private."""
    known: set[str] = set()
    facts = []
    for log in logs:
        for fact in log:
            if fact.job == name and fact.envelope.id not in known:
                known.add(fact.envelope.id)
                facts.append(fact)
    openings = {fact.envelope.id for fact in facts if isinstance(fact.event, Opening)}
    if len(openings) > 1:
        return History(name), []
    return History(name, facts), facts


def tell_training(
    history: History, facts: Sequence[Fact[Event]], cards: Mapping[str, PartyCard]
) -> JobStory:
    """`facts` are those of the history; `cards` are by party, and only for their fingerprints."""
    state = reduce(fold, facts, Job(history.job))
    terms = history.terms
    aligned = [fact.event for fact in history.of(RowsAligned)]
    return JobStory(
        name=history.job,
        kind=f"{terms.kind} regression, {terms.profile} profile",
        state=state.state,
        reason=state.reason,
        asked_by=state.requested_by,
        started=state.started or "",
        ended=state.ended or "",
        seconds=_seconds(state.started or "", state.ended or facts[-1].envelope.time),
        most_rounds=terms.optimiser.maximum_rounds,
        leak_budget=terms.leak_budget,
        stops_below=terms.optimiser.stop_threshold if terms.profile == "default" else None,
        members=tuple(_members(history, cards)),
        terms=tuple(_terms(terms)),
        rows=aligned[0] if aligned else None,
        rounds=tuple(_rounds(history)),
        curves=tuple(_curves(history)),
        leaks=tuple(_leaks(history)),
        digests=tuple(_digests(history)),
        quality=tuple(_quality(history)),
        facts=tuple(facts),
    )


def _members(history: History, cards: Mapping[str, PartyCard]) -> list[MemberStory]:
    members, committed = [], _committed(history)
    for member in history.agreement.members:
        accepted = history.of(TrainingAccepted, source=member.name)
        requested = history.of(TrainingRequested, source=member.name)
        declined = history.of(TrainingDeclined, source=member.name)
        prepared = history.of(FeaturesPrepared, source=member.name)
        answer = "no answer"
        if member.role is Role.AUDITOR:
            answer = "watches"
        elif requested:
            answer = "asked for it"
        elif declined:
            answer = f"declined: {declined[0].event.reason}"
        elif accepted:
            answer = "accepted"
        told = [event.customers for source, event in committed if source == member.name]
        members.append(
            MemberStory(
                name=member.name,
                role=str(member.role),
                answer=answer,
                customers=told[0] or None if told else None,
                columns=prepared[0].event.columns if prepared else None,
                fingerprint=cards[member.name].fingerprint if member.name in cards else "",
            )
        )
    return members


def _committed(history: History) -> list[tuple[str, TrainingRequested | TrainingAccepted]]:
    """Who said what it brings, and committed to its secret and data."""
    asked = [(fact.source, fact.event) for fact in history.of(TrainingRequested)]
    return [*asked, *((fact.source, fact.event) for fact in history.of(TrainingAccepted))]


def _terms(terms: Agreement) -> list[tuple[str, str]]:
    document = terms.model_dump(mode="json")
    flat = {name: value for name, value in document.items() if name not in WITHOUT_A_PLACE}
    flat |= document.get("optimiser", {})
    return [(name.replace("_", " "), _plain(value)) for name, value in sorted(flat.items())]


def _plain(value: object) -> str:
    if value is None:
        return "–"
    return ("no", "yes")[value] if isinstance(value, bool) else str(value)


def _rounds(history: History) -> list[RoundStory]:
    ends = {fact.event.round: fact for fact in history.of(RoundCompleted)}
    stopped = history.is_stopped and history.of(CATALOGUE.types["TrainingStopped"])
    times = {number: fact.envelope.time for number, fact in ends.items()}
    for fact in stopped or []:
        times[int(getattr(fact.event, "round", 0))] = fact.envelope.time
    prepared = [fact.envelope.time for fact in history.of(FeaturesPrepared)]
    issued = [fact.envelope.time for fact in history.of(PublicKeyIssued)]
    before = max((*prepared, *issued), default="")
    rounds = []
    for number in sorted(times):
        flags = history.of(StopFlagRaised, round=number)
        rounds.append(
            RoundStory(
                number=number,
                ended=times[number],
                seconds=_seconds(before, times[number]),
                flags=tuple(sorted(flag.source for flag in flags)),
            )
        )
        before = times[number]
    return rounds


def _seconds(start: str, end: str) -> float:
    if not start:
        return 0.0
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()


def _curves(history: History) -> list[Curve]:
    recorded = history.of(LossRecorded)
    return [
        Curve(
            party,
            recorded[0].event.measure,
            tuple((one.event.round, one.event.value) for one in recorded if one.source == party),
        )
        for party in sorted({fact.source for fact in recorded})
    ]


def _leaks(history: History) -> list[LeakStory]:
    """As the design counts: rounds x rank of what an owner receives, over rows."""
    terms = history.terms
    if not history.has(RowsAligned):
        return []
    rounds = max((fact.event.round for fact in history.of(StopFlagRaised)), default=0)
    leaks = []
    for fact in history.of(FeaturesPrepared):
        rows = history.one(RowsAligned).event.training_rows
        of_rank = rank(terms, fact.event)
        about = "the participants' scores" if fact.source == terms.local else "the residuals"
        if terms.profile == "patent" and fact.source != terms.local:
            about = "nothing more: this profile shares the labels"
        at_most = leakage(history, fact.source)
        share = at_most * rounds / terms.optimiser.maximum_rounds
        leaks.append(LeakStory(fact.source, about, rounds, of_rank, rows, share))
    return leaks


def _digests(history: History) -> list[DigestStory]:
    found = [
        DigestStory("public key", fact.source, fact.event.key_id)
        for fact in history.of(PublicKeyIssued)
    ]
    for source, event in _committed(history):
        found.append(DigestStory("secret, committed to", source, event.secret_commitment))
        if event.data_commitment:
            found.append(DigestStory("data, committed to", source, event.data_commitment))
    for saved in history.of(ModelSaved):
        commitment = saved.payload("model").commitment
        found.append(DigestStory("half of the model", saved.source, commitment))
    return found


def _quality(history: History) -> list[tuple[str, str, str]]:
    """Figure, alone, jointly: from the local party's private event, where its log is at hand."""
    rows = []
    for fact in history.of(ModelEvaluated):
        for name in Quality.model_fields:
            joint, alone = getattr(fact.event.joint, name), getattr(fact.event.alone, name)
            if joint is not None:
                rows.append((FIGURES.get(name, name), _figure(alone), _figure(joint)))
    return rows


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"

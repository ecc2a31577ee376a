"""A job for a person to read: its members, its rounds, and how good the model is."""

from audit.report.story import FIGURES
from events.models import ModelEvaluated, Quality
from tallystick.alignment import PROTECTION
from tallystick.job_facts import JobFacts
from tallystick.terminal import say, show_table

TERMS_SHOWN = (
    "kind",
    "profile",
    "intercept",
    "alignment",
    "inverse_penalty",
    "folds",
    "held_out_fold",
    "smallest_bin",
    "smallest_overlap",
    "leak_budget",
    "label_unit",
    "key_bits",
)


def show_job(facts: JobFacts) -> None:
    say(f"job {facts.job}: {facts.state}{', ' + facts.reason if facts.reason else ''}")
    say(f"asked for by {facts.requested_by} {_moment(facts.started)}")
    if facts.ended:
        say(f"ended {_moment(facts.ended)}")
    say("")
    _show_members(facts)
    say("")
    terms = facts.terms
    say("terms: " + ", ".join(_setting(name, getattr(terms, name)) for name in TERMS_SHOWN))
    say(f"alignment by {terms.alignment}: {PROTECTION[terms.alignment]}")
    optimiser = terms.optimiser.model_dump()
    say("optimiser: " + ", ".join(_setting(*item) for item in optimiser.items()))
    if facts.rows is not None:
        say(
            f"customers in common: {facts.rows:,}; training {facts.training_rows:,}, "
            f"held out {facts.held_out_rows:,}"
        )
    if facts.rows_per_ciphertext is not None:
        say(f"customers a ciphertext: {facts.rows_per_ciphertext}")
    if facts.rounds:
        stopped = f"; stopped: {facts.stopped}" if facts.stopped else ""
        say(f"rounds: {facts.rounds} of at most {terms.optimiser.maximum_rounds}{stopped}")
    if facts.weights:
        listed = ", ".join(f"{one.party} {one.weight:.4f}" for one in facts.weights)
        say(f"weights of the parties' probabilities: {listed}")
    _show_measures(facts)
    for line in facts.notes:
        say(f"note: {line}")
    if facts.quality is not None:
        say("")
        show_quality(facts.quality)
    if facts.model_file:
        say(f"model file: {facts.model_file}")


def show_quality(evaluated: ModelEvaluated) -> None:
    """The joint model beside the local party's own, on the same held-out rows."""
    rows = [
        (title, _figure(evaluated.alone, name), _figure(evaluated.joint, name))
        for name, title in FIGURES.items()
        if getattr(evaluated.joint, name) is not None
    ]
    if not rows:
        say(
            f"no figure is defined on the {evaluated.rows:,} held-out customers: all have one label"
        )
        return
    on_rows = f"on {evaluated.rows:,} held-out customers"
    show_table((on_rows, "alone", "jointly"), rows, right="alone jointly")
    if evaluated.calibration:
        say("")
        tenths = [
            (str(number), f"{tenth.predicted:.4f}", f"{tenth.observed:.4f}", f"{tenth.rows:,}")
            for number, tenth in enumerate(evaluated.calibration, start=1)
        ]
        headings = ("tenth", "predicted", "observed", "customers")
        show_table(headings, tenths, right="tenth predicted observed customers")


def measure_text(measure: str, value: float) -> str:
    """A loss in decimals; a predicted decrease is small, and compared with a power of ten."""
    return f"{value:.4f}" if measure == "loss" else f"{value:.2e}"


def _show_members(facts: JobFacts) -> None:
    rows = [
        (
            member.name,
            member.role,
            f"{member.answer}{': ' + member.reason if member.reason else ''}",
            "" if member.customers is None else f"{member.customers:,}",
            "" if member.columns is None else str(member.columns),
        )
        for member in facts.members
    ]
    headings = ("member", "role", "answer", "customers", "columns")
    show_table(headings, rows, right="customers columns")


def _show_measures(facts: JobFacts) -> None:
    if not facts.measures:
        return
    say(f"this party's {facts.measures[0].measure} by round:")
    rows = [(str(one.round), measure_text(one.measure, one.value)) for one in facts.measures]
    show_table(("round", "value"), rows, right="round value")


def _setting(name: str, value: object) -> str:
    return f"{name.replace('_', ' ')} {value}"


def _figure(quality: Quality, name: str) -> str:
    value = getattr(quality, name)
    return "-" if value is None else f"{value:.4f}"


def _moment(time: str | None) -> str:
    """`2026-01-31 12:00:00 UTC` of an event's time."""
    return f"{time[:10]} {time[11:19]} UTC" if time else "at an unknown time"

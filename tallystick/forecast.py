"""How long a job's rounds will take, told before the first of them.

The job's shape comes from the log, the unit costs from a short look at this machine.
"""

from collections.abc import Callable, Iterator

from events.catalogue import Fact
from events.event import Event
from events.preparation import FeaturesPrepared, RowsAligned
from events.terms import Terms
from handlers.history import History
from handlers.keys import degree_of, residual_of
from learning.binning import FIFTHS
from party.opening import Party
from store.errors import StoreError
from tallystick.estimate import JobEstimate, JobShape, Machine, estimate
from tallystick.following import JobProgress
from tallystick.measuring import measure_machine
from tallystick.terminal import note
from tallystick.training_screen import TrainingScreen


def forecast(history: History, machine: Machine) -> JobEstimate | None:
    """The estimate for a job, once all members have said how many columns they train."""
    if not history.is_known or not history.has(RowsAligned):
        return None
    terms = history.terms
    if not history.has_from_all(FeaturesPrepared, terms.data_parties):
        return None
    features = {fact.source: fact.event for fact in history.of(FeaturesPrepared)}
    shape = JobShape(
        rows=history.one(RowsAligned).event.training_rows,
        bins={name: bins_of(features[name], terms) for name in (terms.local, *terms.participants)},
        residual=residual_of(terms),
        maximum_rounds=terms.optimiser.maximum_rounds,
        coding=terms.coding,
        rows_per_ciphertext=terms.rows_per_ciphertext,
    )
    return estimate(shape, machine)


def bins_of(features: FeaturesPrepared, terms: Terms) -> list[int]:
    """As far as a party tells: ordinal columns say nothing of bins, which are mostly fifths."""
    if terms.coding == "ordinal":
        return [FIFTHS] * features.columns
    return spread_evenly(features.columns, features.variables)


def spread_evenly(columns: int, variables: int) -> list[int]:
    """Bins of each variable, where only their sum is known of another party."""
    few, more = divmod(columns, variables)
    return [few + 1] * more + [few] * (variables - more)


def sentence(seconds: float, maximum_rounds: int, whose: str) -> str:
    """`whose` machines the round runs on, as in `on this machine`."""
    return (
        f"a round will take about {duration(seconds)} {whose}, at most {maximum_rounds} rounds: "
        f"{duration(seconds * maximum_rounds)}"
    )


class ForecastingScreen(TrainingScreen):
    """The screen of `tally train`, which also tells the estimate before the first round."""

    def __init__(self, party: Party, job: str, terms: Terms) -> None:
        super().__init__(party, job)
        self._machine = machine_for(terms, party.settings.cores)

    def show_step(self, history: History, progress: JobProgress) -> None:
        super().show_step(history, progress)
        if self._machine is None or (told := forecast(history, self._machine)) is None:
            return
        self._machine = None  # once is enough
        note(sentence(told.apart, told.maximum_rounds, "with a machine like this at every party"))


def machine_for(terms: Terms, cores: int) -> Machine | None:
    """A short look at this machine: less than a second for a key of 2048 bits.

    None where there is no room to measure in: the job is worth more than its estimate.
    """
    try:
        return measure_machine(terms.key_bits, degree_of(terms), cores)
    except (OSError, StoreError):
        return None


def with_forecast(
    facts: Iterator[Fact[Event] | None],
    job: str,
    machine: Machine | None,
    say: Callable[[str], None],
) -> Iterator[Fact[Event] | None]:
    """The same facts; `say` tells the estimate where all parties run on this machine."""
    history = History(job)
    for fact in facts:
        if fact is not None and machine is not None:
            history.add(fact)
            if (told := forecast(history, machine)) is not None:
                machine = None  # once is enough
                say(sentence(told.together, told.maximum_rounds, "on this machine"))
        yield fact


def duration(seconds: float) -> str:
    if seconds < 10:
        return f"{seconds:.1f} s"
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"

"""What a person sees of a demo run: a line a round, then a short table."""

from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from events.terms import Profile
from tallystick.alignment import PROTECTION
from tallystick.demo.federation import DemoOptions
from tallystick.demo.identifying import IdentifiedCustomers
from tallystick.demo.summary import Summary
from tallystick.following import JobProgress

# A threshold above which outcome 1 is so much more frequent tells customers apart.
TELLING_LIFT = 2.0

STEPS = {
    "TrainingRequested": "the bank asks for a joint model",
    "PublicKeyIssued": "the arbiter issues its public key",
    "IdentifiersPosted": "keyed hashes of the customers are compared",
    "BlindedIdentifiersPosted": "blinded identifiers of the customers are compared",
    "IdentifiersMatched": "the mart has delivered features of the customers it knows",
    "RowsAligned": "everybody has the same customers in the same order",
}


class RoundPrinter:
    """Prints each step and each round once; a `Watch` of `run_demo`."""

    def __init__(self, console: Console, profile: Profile) -> None:
        self._console = console
        self._measure = "loss" if profile == "patent" else "predicted decrease"
        self._steps: set[str] = set()
        self._rounds = 0

    def __call__(self, progress: Mapping[str, JobProgress]) -> None:
        bank = progress["bank"]
        if (step := STEPS.get(bank.last_event)) and bank.last_event not in self._steps:
            self._steps.add(bank.last_event)
            self.say(step)
        while self._rounds < bank.rounds:
            self._rounds += 1
            self._console.print(self._line(self._rounds, progress), soft_wrap=True)

    def say(self, text: str) -> None:
        self._console.print(f"[dim]·[/] {escape(text)}", soft_wrap=True)

    def _line(self, number: int, progress: Mapping[str, JobProgress]) -> str:
        bank = progress["bank"]
        values = "  ".join(
            f"{name} {one.values[number]:.2e}"
            if self._measure != "loss"
            else f"{name} {one.values[number]:.4f}"
            for name, one in progress.items()
            if number in one.values
        )
        line = f"round {number:>2} of at most {bank.maximum_rounds}  {self._measure}: {values}"
        line += f"  [dim]{bank.round_times[number - 1]:.1f} s"
        if bank.stopped is None and bank.seconds_left is not None:
            line += f", at most {bank.seconds_left:.0f} s left"
        return line + "[/]"


def show_headline(console: Console, options: DemoOptions) -> None:
    bus = "RabbitMQ" if options.broker else "the embedded bus"
    others = (
        "1 participant, a mart"
        if options.mart
        else "1 participant"
        if options.participants == 1
        else f"{options.participants} participants"
    )
    console.print(
        f"[bold]{escape(options.name)}[/]: bank, {others} and arbiter on {bus}, "
        f"{options.profile} profile, {options.key_bits}-bit key",
        soft_wrap=True,
    )
    console.print(
        f"alignment by {options.alignment}: {PROTECTION[options.alignment]}",
        style="dim",
        soft_wrap=True,
    )


def show_summary(console: Console, summary: Summary, out: Path) -> None:
    console.print()
    console.print(_parties_table(summary))
    for name, party in summary.parties.items():
        for line in party.notes:
            console.print(f"{name}: {line}", style="dim", markup=False, soft_wrap=True)
    console.print(_quality_table(summary))
    if summary.auc_joint is None:
        console.print(_why_no_figure(summary), soft_wrap=True)
    console.print(
        f"{summary.rows_aligned:,} customers in common; trained on {summary.training_rows:,}, "
        f"measured on {summary.held_out_rows:,} held out.\n"
        f"{summary.rounds} rounds in {summary.seconds:.1f} s "
        f"({summary.seconds_per_round:.1f} s a round, {summary.key_bits}-bit key), "
        f"{summary.events} shared events; stopped: {summary.stopped}.",
        soft_wrap=True,
    )
    if (scored := summary.scored_by_sql) is not None:
        console.print(
            f"The model is now a table at each party: {scored.customers} of the customers held out "
            f"were scored again by SQL in {scored.seconds:.1f} s,\n"
            f"at most {scored.largest_difference:.0e} from the training's own probabilities.",
            soft_wrap=True,
        )
    if summary.identified is not None:
        console.print(_identified(summary.identified), soft_wrap=True)
    console.print(
        f"\nEverything that was said is in the parties' logs in [bold]{out}[/]. Next:",
        soft_wrap=True,
    )
    participant = next(name for name, one in summary.parties.items() if one.role == "participant")
    for command, meaning in (
        (f"tally log show {out / 'arbiter'}", "what the arbiter saw, event by event"),
        (f"tally audit verify {out / 'bank'}", "that the bank's log holds, check by check"),
        (f"tally model show {summary.job} --as {out / participant}", "a partner's half"),
        (f"tally projections show {out / 'bank'} labels", "the labels that were given"),
        ("tally demo --help", "other data, two partners, the patent's profile, your own files"),
    ):
        console.print(f"  {command}   [dim]# {meaning}[/]", soft_wrap=True)


def _parties_table(summary: Summary) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in ("party", "customers", "features", "columns", "leak (equations a row)"):
        table.add_column(heading, justify="left" if heading == "party" else "right")
    for name, party in summary.parties.items():
        table.add_row(
            name,
            "-" if party.customers is None else f"{party.customers:,}",
            "-" if party.features is None else str(party.features),
            "-" if party.columns is None else str(party.columns),
            "-" if party.leak is None else f"{party.leak:.2f}",
        )
    return table


def _quality_table(summary: Summary) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("on held-out customers")
    table.add_column("AUC", justify="right")
    table.add_column("log-loss", justify="right")
    for name, auc, loss in (
        ("bank alone", summary.auc_bank_alone, summary.log_loss_bank_alone),
        ("joint model", summary.auc_joint, summary.log_loss_joint),
        (
            "scikit-learn on the pooled rows",
            summary.auc_pooled_reference,
            summary.log_loss_pooled_reference,
        ),
    ):
        table.add_row(name, *("-" if figure is None else f"{figure:.4f}" for figure in (auc, loss)))
    return table


def _identified(told: IdentifiedCustomers) -> str:
    """What the source's threshold does, and one that tells customers apart."""
    chosen = [one for one in told.thresholds if one.tau == told.tau]
    chosen += [one for one in told.thresholds if one.lift is not None and one.lift >= TELLING_LIFT][
        :1
    ]
    first = (
        f"{told.known} of {told.customers} customers held out were identified the patent's way in "
        f"{told.seconds:.1f} s: {told.labelled} labelled 1 at tau {told.tau:g}."
    )
    second = f"AUC {told.auc:.4f} by F, {told.auc_joint:.4f} by the joint score. Of all held out:"
    lines = [first, second]
    lines += [
        f"  tau {one.tau:g}: {one.share:.1%} labelled 1, of whom {one.precision:.1%} rightly "
        f"(lift {one.lift:.2f})"
        for one in chosen
    ]
    return "\n".join(lines)


def _why_no_figure(summary: Summary) -> str:
    if not summary.held_out_rows:
        return "No customer in common fell into the held-out fold: the models are not measured."
    return "All customers held out have one label: no figure is defined."

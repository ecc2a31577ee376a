"""What a person sees while customers are identified, and what thresholds are worth."""

from collections.abc import Callable

from events.catalogue import Fact
from events.event import Event
from events.identifying import (
    CustomersIdentified,
    EncryptedProbabilitiesPosted,
    FinalLabelsRecorded,
    IdentificationRequested,
    ThresholdFigures,
    ThresholdsCompared,
)
from events.lifecycle import WorkFailed
from party.identifying import LabelAnswer, LabelWish, answer_of, request_labels
from party.opening import Party
from tallystick.following import follow_to_answer
from tallystick.terminal import note, say, show_table

NEARLY_EVERYONE = 0.9


def follow_labels(party: Party, wish: LabelWish, begin: Callable[[], None]) -> LabelAnswer:
    """Ask, let the party work, and tell who has answered until the end."""
    return follow_to_answer(party, lambda: request_labels(party, wish), begin, answer_of, _tell)


def _tell(party: Party, fact: Fact[Event]) -> None:
    match fact.event:
        case IdentificationRequested(terms=terms):
            note(f"{fact.job}: {terms.rows} customers, asked of {', '.join(terms.data_parties)}")
        case EncryptedProbabilitiesPosted():
            note(f"{fact.source} has sent its probabilities, encrypted")
        case CustomersIdentified():
            note(f"{fact.source} has decided")
        case WorkFailed(detail=detail):
            note(f"{party.name}: {detail}")


def show_labels(recorded: FinalLabelsRecorded) -> None:
    """How many were identified, and how many of these have label 1."""
    say(
        f"{recorded.known} of {recorded.rows} customers identified by {recorded.model_id} at tau "
        f"{recorded.tau:g}: {recorded.labelled} labelled 1{_share_of(recorded)}"
    )
    if missing := recorded.rows - recorded.known:
        say(f"{missing} not at every party")


def warn_of(recorded: FinalLabelsRecorded, swept: ThresholdsCompared | None) -> None:
    """What the threshold is worth, as far as anybody knows."""
    if recorded.known and recorded.labelled >= NEARLY_EVERYONE * recorded.known:
        note(
            f"nearly everyone is above {recorded.tau:g}: normalised probabilities reach from 0 to "
            "1, so this threshold tells few customers apart (`--sweep` at the bank shows others)"
        )
    points = [] if swept is None else [one for one in swept.points if one.tau == recorded.tau]
    for point in points:
        note(
            f"on held-out customers at this threshold: {_percent(point.share)} labelled 1, of whom "
            f"{_percent(point.precision)} rightly, lift {_number(point.lift)}"
        )


def show_sweep(swept: ThresholdsCompared) -> None:
    """A line a threshold, and what the joint score makes of as many customers."""
    base = swept.positives / swept.rows
    say(
        f"{swept.rows} customers held out of {swept.model_id}, {_percent(base)} of them with "
        f"outcome 1; AUC {swept.auc:.4f} by F at these thresholds, {swept.joint_auc:.4f} by the "
        "joint score"
    )
    headings = ["tau", "labelled 1", "precision", "recall", "lift", "joint score's precision"]
    show_table(headings, (_line(point) for point in swept.points), " ".join(headings[:5]))
    useless = [one.tau for one in swept.points if one.share >= NEARLY_EVERYONE]
    if useless:
        say(
            f"Up to tau {max(useless):g} nearly everyone is labelled 1: normalised probabilities "
            "reach from 0 to 1, and such a threshold tells few customers apart."
        )
    say(
        "The last column is the precision of as many customers, taken from the top of the joint "
        f"score (`tally score`): {_verdict(swept)}."
    )


def _line(point: ThresholdFigures) -> list[str]:
    return [
        f"{point.tau:g}",
        _percent(point.share),
        _percent(point.precision),
        _percent(point.recall),
        _number(point.lift),
        _percent(point.joint_precision),
    ]


def _verdict(swept: ThresholdsCompared) -> str:
    if swept.joint_auc >= swept.auc:
        return "on these customers it ranks at least as well"
    return "on these customers F ranks better"


def _share_of(recorded: FinalLabelsRecorded) -> str:
    return f" ({_percent(recorded.labelled / recorded.known)})" if recorded.known else ""


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f} %"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"

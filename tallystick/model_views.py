"""Models as a person reads them: how each stands, and a scorecard of the own half (C2)."""

from pydantic import BaseModel, ConfigDict

from events.models import ModelConverted
from handlers.model_life import model_life
from party.jobs import job_history
from party.opening import Party
from scoring.models import ScoringModel
from scoring.models.linear import BinnedTerm, LinearModel
from tallystick.terminal import say, show_table

FROM_THE_START = ""


class ModelState(BaseModel):
    """A model in a party's tables; `active` is the version that answers requests."""

    model_config = ConfigDict(frozen=True)

    model: str
    kind: str
    versions: int
    active: int | None
    state: str

    @staticmethod
    def headings() -> tuple[str, ...]:
        return ("model", "kind", "versions", "serves", "state")

    def cells(self) -> tuple[str, ...]:
        active = "" if self.active is None else f"version {self.active}"
        return (self.model, self.kind, str(self.versions), active, self.state)


def model_states(party: Party) -> list[ModelState]:
    """Every model that was converted here, the oldest first."""
    kind = ModelConverted.type_name()
    entries = party.log.said_since(party.name, kind, FROM_THE_START)
    names = dict.fromkeys(str(entry.envelope.data["job"]) for entry in entries)
    return [_state(party, name) for name in names]


def _state(party: Party, name: str) -> ModelState:
    life = model_life(job_history(party.log, name))
    state = "serves"
    if life.withdrawn_by:
        state = f"consent withdrawn by {', '.join(life.withdrawn_by)}"
    elif life.is_retired:
        state = "retired"
    return ModelState(
        model=name,
        kind=life.versions[-1].kind,
        versions=len(life.versions),
        active=None if life.withdrawn_by else life.active,
        state=state,
    )


def show_scorecard(model: ScoringModel, version: int) -> None:
    """The own half: what each variable, and each of its bins, adds to a customer's score."""
    say(f"{model.model_id} version {version}: {model.kind}, combined by {model.combination}")
    say(f"read from a file with SHA-256 {model.digest}")
    if not isinstance(model, LinearModel):
        say(f"reads {', '.join(model.inputs)}")
        return
    if model.intercepts is None:
        say("no intercept in this half")
    rows = [("intercept", "", *_numbers(model.intercepts))] if model.intercepts else []
    for term in model.terms:
        weights = [term.weights_of(output) for output in range(model.outputs)]
        labels = term.cut.labels if isinstance(term, BinnedTerm) else ("each unit",)
        for place, label in enumerate(labels):
            name = term.name if place == 0 else ""
            rows.append((name, label, *_numbers(tuple(one[place] for one in weights))))
    outputs = ["adds"] if model.outputs == 1 else [f"adds_{one}" for one in range(model.outputs)]
    show_table(("variable", "bin", *outputs), rows, right=" ".join(outputs))


def _numbers(values: tuple[float, ...]) -> tuple[str, ...]:
    return tuple(f"{value:+.4f}" for value in values)

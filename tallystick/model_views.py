"""Models as a person reads them: how each stands, and a scorecard of the own half (C2)."""

from pydantic import BaseModel, ConfigDict

from events.models import ModelConverted
from handlers.model_life import model_life
from party.jobs import job_history
from party.opening import Party
from scoring.models import ScoringModel
from scoring.models.linear import LinearModel
from scoring.scorecard import scorecard
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
    if isinstance(model, LinearModel):
        constants = "none in this half"
        if model.intercepts is not None:
            constants = ", ".join(f"{value:+.4f}" for value in model.intercepts)
        say(f"intercept: {constants}")
    outputs = ["adds"] if model.outputs == 1 else [f"adds_{one}" for one in range(model.outputs)]
    rows, last = [], None
    for line in scorecard(model):
        first = line.variable != last
        share = f"{line.share:.1%}" if first and line.share is not None else ""
        adds = [f"{value:+.4f}" for value in line.adds] or [""] * len(outputs)
        rows.append((line.variable if first else "", line.bin, *adds, share))
        last = line.variable
    show_table(("variable", "bin", *outputs, "share"), rows, right=" ".join([*outputs, "share"]))

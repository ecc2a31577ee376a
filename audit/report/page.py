"""The page itself: what was read, what holds of it, and the story of every job."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from audit.comparison import Comparison, compare
from audit.log_copy import LogCopy
from audit.report.curves import curves
from audit.report.diagram import sequence_diagram
from audit.report.rendering import environment, stylesheet
from audit.report.story import JobStory, PredictionStory
from audit.report.telling import tell
from audit.verification import Verification, verify
from events.models import ModelSaved
from projections.model_table import ModelDocument, read_model
from store.entry import Refusal

MOST_PREDICTIONS = 200


@dataclass(frozen=True)
class LogStory:
    """One log, its file's digest, and what holds of it."""

    verification: Verification
    file_digest: str
    refusals: tuple[Refusal, ...]


@dataclass(frozen=True)
class ModelStory:
    """The owner's own half, in a report about nobody else."""

    job: str
    weights: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True)
class Report:
    """Everything that the page shows."""

    logs: tuple[LogStory, ...]
    comparison: Comparison | None
    jobs: tuple[JobStory, ...]
    predictions: tuple[PredictionStory, ...]
    models: tuple[ModelStory, ...]

    @property
    def refusals(self) -> list[tuple[str, Refusal]]:
        """Every refusal, with the party that refused."""
        return [(log.verification.party, one) for log in self.logs for one in log.refusals]

    @property
    def holds(self) -> bool:
        verified = all(log.verification.holds for log in self.logs)
        return verified and (self.comparison is None or self.comparison.holds)


def make_report(copies: Sequence[LogCopy], *, cores: int = 1) -> Report:
    """Check and read the logs. Of several parties no parameters are shown, of one its own."""
    jobs, predictions = tell(copies)
    return Report(
        logs=tuple(
            LogStory(verify(copy, cores=cores), _file_digest(copy), copy.refusals)
            for copy in copies
        ),
        comparison=compare(copies, cores=cores) if len(copies) > 1 else None,
        jobs=tuple(jobs),
        predictions=tuple(predictions),
        models=tuple(models_of(copies[0], jobs)) if len(copies) == 1 else (),
    )


def render(report: Report) -> str:
    """One HTML document that loads nothing from anywhere."""
    pictures = {job.name: pictures_of(job) for job in report.jobs}
    return (
        environment()
        .get_template("report.html.jinja")
        .render(
            report=report,
            pictures=pictures,
            stylesheet=stylesheet(),
            most_predictions=MOST_PREDICTIONS,
        )
    )


def pictures_of(job: JobStory) -> tuple[Markup, Markup]:
    """The sequence diagram and the curves: made of escaped text, so they go in as they are."""
    return Markup(sequence_diagram(job)), Markup(curves(job))  # noqa: S704


def models_of(copy: LogCopy, jobs: Sequence[JobStory]) -> list[ModelStory]:
    models = []
    for job in jobs:
        for fact in job.facts:
            own = isinstance(fact.event, ModelSaved) and fact.source == copy.party
            if own and copy.payloads.has(fact.payload("model").commitment):
                content = copy.payloads.read(fact.payload("model").commitment)
                models.append(ModelStory(job.name, _weights(read_model(job.name, content))))
    return models


def _weights(document: ModelDocument) -> tuple[tuple[str, str, str], ...]:
    return tuple((name, label, f"{weight:.4f}") for name, label, weight in document.weights())


def _file_digest(copy: LogCopy) -> str:
    path = Path(copy.place)
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

"""Views over the log: dropped and rebuilt at any time, with the same result (requirement D3)."""

from projections.errors import ModelDocumentError, ProjectionError
from projections.identified import IDENTIFIED, exhausted
from projections.jobs import JOBS, jobs, trainings
from projections.labels import FINAL_LABELS, labels
from projections.loss_history import LOSS_HISTORY, losses
from projections.model_files import write_model_files
from projections.model_table import INTERCEPT, MODEL_TABLE, ModelDocument, model, read_model
from projections.projection import Projection
from projections.timeline import TIMELINE, timeline
from projections.views import PROJECTIONS, Views

__all__ = [
    "FINAL_LABELS",
    "IDENTIFIED",
    "INTERCEPT",
    "JOBS",
    "LOSS_HISTORY",
    "MODEL_TABLE",
    "PROJECTIONS",
    "TIMELINE",
    "ModelDocument",
    "ModelDocumentError",
    "Projection",
    "ProjectionError",
    "Views",
    "exhausted",
    "jobs",
    "labels",
    "losses",
    "model",
    "read_model",
    "timeline",
    "trainings",
    "write_model_files",
]

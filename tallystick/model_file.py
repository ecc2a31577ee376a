"""A model file of our own training or of a common library, read into a document (C1, C4)."""

from pathlib import Path

from events.vocabulary import Role
from scoring.errors import ModelFileError
from scoring.files.trained import read_trained
from scoring.models import ScoringModel
from tallystick.errors import ModelCommandError


def read_model_file(path: Path, model_id: str, _role: Role) -> ScoringModel:
    """Raises ModelFileError: not a model, or of a kind that is not admitted."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelCommandError(f"{path} cannot be read: {error.strerror}") from None
    try:
        return read_trained(content, model_id)
    except ModelFileError as error:
        raise ModelFileError(f"{path}: {error}") from None

"""A model file of any kind, known by its content (requirements C1, C4)."""

import hashlib
from pathlib import Path

from events.vocabulary import Role
from scoring.errors import ModelFileError
from scoring.files.lightgbm import read_lightgbm
from scoring.files.scikit_learn import read_scikit_learn
from scoring.files.source import Source
from scoring.files.trained import read_trained
from scoring.files.xgboost import read_xgboost
from scoring.models import ScoringModel

LARGEST_FILE = 512 << 20


def read_model_file(
    path: Path,
    *,
    model_id: str | None = None,
    role: Role = Role.LOCAL,
    feature_names: tuple[str, ...] | None = None,
) -> ScoringModel:
    """Our training's own file, or one of scikit-learn, XGBoost or LightGBM. ModelFileError.

    Our own file says its model id and role; others need a `model_id`. `feature_names` are the
    columns in the order of training, for files that don't name them.
    """
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise ModelFileError(f"{path} is larger than {LARGEST_FILE >> 20} MiB")
        content = path.read_bytes()
    except OSError as error:
        raise ModelFileError(f"the model file {path} cannot be read: {error.strerror}") from None
    try:
        return _read(content, model_id, role, feature_names)
    except ModelFileError as error:
        raise ModelFileError(f"{path.name}: {error}") from None


def _read(
    content: bytes,
    model_id: str | None,
    role: Role,
    feature_names: tuple[str, ...] | None,
) -> ScoringModel:
    if content[:1] == b"{" and b'"variables"' in content and b'"learner"' not in content:
        return read_trained(content, model_id)
    if model_id is None:
        raise ModelFileError("it does not say its model id: give one")
    digest = hashlib.sha256(content).hexdigest()
    source = Source(model_id, digest, role, feature_names)
    if content[:1] == b"{":
        return read_xgboost(content, source)
    if content.startswith(b"tree\n"):
        return read_lightgbm(content, source)
    if content[:1] == b"\x80":
        return read_scikit_learn(content, source)
    raise ModelFileError(
        "no model file that is known here: save XGBoost's as .json or .ubj, "
        "LightGBM's as text, scikit-learn's by pickle or joblib without compression"
    )

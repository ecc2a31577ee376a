"""Model files: each party keeps its half of every model as a file of its own (requirement C1)."""

import os
import tempfile
from pathlib import Path

from sqlalchemy import select

from projections.model_table import MODELS
from projections.views import Views
from store import PayloadStore
from store.failures import disk_failures


def write_model_files(views: Views, payloads: PayloadStore, folder: Path) -> list[Path]:
    """Write `<job>.json` for every model whose document we hold; returns the files now changed.

    The newest version of a job's model counts. Atomic, and idempotent: a file that is right stays
    untouched.
    """
    newest = {
        row["job"]: row["commitment"]
        for row in views.select(select(MODELS).order_by(MODELS.c.position))
        if payloads.has(row["commitment"])
    }
    changed = []
    for job, commitment in newest.items():
        path = folder / f"{job}.json"
        document = payloads.read(commitment)
        if not path.is_file() or path.read_bytes() != document:
            _write(path, document)
            changed.append(path)
    return changed


def _write(path: Path, content: bytes) -> None:
    with disk_failures(path):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise

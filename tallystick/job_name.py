"""Names of jobs, made of what a person called a file."""

import re
import unicodedata

LONGEST_STEM = 40  # a job's name has at most 64 characters, and more is put around this part


def job_stem(text: str) -> str:
    """`Kündigungen 2024 (neu)` becomes `kundigungen-2024-neu`; `job` where no letter is left."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain)[:LONGEST_STEM].strip("-") or "job"

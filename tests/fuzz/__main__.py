"""`python -m tests.fuzz TARGET --seconds N`: coverage-guided, with atheris (PyPI), until it ends.

Ends with an error, and keeps the input, when a target raises what it must not or takes too much
room. A shorter round, always the same, is part of the tests (`test_fuzz.py`).
"""

import argparse
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["bus", "events", "party.heads", "party.transport"]):
    from tests.fuzz.corpus import seeds
    from tests.fuzz.targets import TARGETS

LARGEST_INPUT = 1 << 17
MEGABYTES = 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", choices=sorted(TARGETS))
    parser.add_argument("--seconds", type=int, default=60)
    options = parser.parse_args()
    corpus = Path(tempfile.mkdtemp(prefix="tallystick-fuzz-"))
    for number, seed in enumerate(seeds()[options.target]):
        (corpus / str(number)).write_bytes(seed)
    limits = [f"-max_total_time={options.seconds}", f"-max_len={LARGEST_INPUT}"]
    limits += [f"-rss_limit_mb={MEGABYTES}", "-timeout=20", "-print_final_stats=1"]
    atheris.Setup([sys.argv[0], *limits, str(corpus)], TARGETS[options.target])
    atheris.Fuzz()


if __name__ == "__main__":
    main()

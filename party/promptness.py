"""How a process of a party is set up to answer promptly (requirement S4)."""

import gc
import sys

SWITCH_SECONDS = 0.0005  # between threads: none has to wait while another one computes
# Python looks for cycles far too often for somebody waiting, and through all that is loaded.
THRESHOLDS = (50_000, 20, 50)


def answer_promptly() -> None:
    """Of a process that answers requests, once everything is imported.

    Not of one that trains: what it keeps in cycles may be large.
    """
    sys.setswitchinterval(SWITCH_SECONDS)
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)

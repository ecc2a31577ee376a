"""An audit looks for cycles less often, and leaves the process as it was."""

import gc

from audit.collecting import RARELY, rarely_collecting


def test_the_collector_is_as_before_afterwards() -> None:
    before = gc.get_threshold()

    with rarely_collecting():
        meanwhile = gc.get_threshold()

    assert meanwhile == RARELY != before
    assert gc.get_threshold() == before

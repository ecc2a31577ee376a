"""The pytest plugin: `-p tallystick.testing.plugin`, or installed with Tallystick.

One fixture, `federation_in_a_box`: call it for a federation that ends with the test.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tallystick.testing.box import FederationInABox


@pytest.fixture
def federation_in_a_box(tmp_path: Path) -> "Iterator[Callable[..., FederationInABox]]":
    """Call it for a federation at work in a temporary folder; options as FederationInABox."""
    from tallystick.testing.box import FederationInABox  # noqa: PLC0415 - only when it is used

    with ExitStack() as stack:

        def begin(**options: Any) -> FederationInABox:  # noqa: ANN401
            return stack.enter_context(FederationInABox(tmp_path, **options))

        yield begin

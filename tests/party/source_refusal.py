"""How a source that cannot be read says so, and that no id is told."""

import pytest

from party.errors import SourceError
from party.sources import SourceSettings, read_source

PRIVATE = "15412345678"


def refusal(settings: SourceSettings, **how: object) -> str:
    """The message of the SourceError, which never tells an id."""
    with pytest.raises(SourceError) as caught:
        read_source(settings, **how)  # type: ignore[arg-type]
    assert PRIVATE not in str(caught.value)
    return str(caught.value)

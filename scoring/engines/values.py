"""Python values as every engine gives them."""

import math
from datetime import UTC, date, datetime, time
from decimal import Decimal

from scoring.engines.engine import Value
from scoring.errors import EngineError


def plain_value(value: object) -> Value:
    """NaN is None, times are UTC, dates are midnights, decimals are doubles, truth is 0 or 1."""
    match value:
        case bool():
            return int(value)
        case float() if math.isnan(value):
            return None
        case Decimal():
            return float(value)
        case datetime():
            return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
        case date():
            return datetime.combine(value, time(), UTC)
        case str() | int() | float() | None:
            return value
    raise EngineError(f"a {type(value).__name__} is no value that tables have: cast the column")

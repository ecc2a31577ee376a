"""What is wrong with a document, said without its values."""

from pydantic import ValidationError


def faults(error: ValidationError) -> str:
    """Place and reason of the first few."""
    found = [
        f"{'.'.join(map(str, detail['loc'])) or 'the whole'}: {detail['msg']}"
        for detail in error.errors(include_input=False, include_url=False)
    ]
    more = f", and {len(found) - 3} more" if len(found) > 3 else ""
    return "; ".join(found[:3]) + more

"""The token that business systems show: in a file that only its owner may read."""

import hmac
import secrets
from pathlib import Path

from party.errors import KeyFileError
from party.identity import read_secret, write_secret
from tallystick.errors import ServingError

TOKEN_BYTES = 32


def token_in(path: Path) -> str:
    """The token of the file, which is made where there is none.

    Raises ServingError: open to others, empty, or not to be written.
    """
    try:
        if not path.exists():
            write_secret(path, f"{secrets.token_urlsafe(TOKEN_BYTES)}\n".encode())
        token = read_secret(path).decode("ascii").strip()
    except (KeyFileError, OSError, UnicodeDecodeError) as error:
        raise ServingError(f"the token file cannot be used: {error}") from None
    if len(token) < 16:
        raise ServingError(f"the token in {path} is too short: remove the file for a new one")
    return token


def is_shown(header: str | None, token: str) -> bool:
    """Whether an Authorization header bears the token."""
    return hmac.compare_digest((header or "").encode(), f"Bearer {token}".encode())

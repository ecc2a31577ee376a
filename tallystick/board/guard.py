"""Who may see the board: a known Host, the token where one is asked for, and strict headers.

A page of another site that has this machine's address resolve to its own name (DNS rebinding)
comes with its name as Host, and is refused. Nothing here is loaded from elsewhere.
"""

import hashlib
import hmac
import ipaddress
from collections.abc import Awaitable, Callable

from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp

from tallystick.serving.token import is_shown

COOKIE = "tally-board"
COOKIE_SECONDS = 12 * 3600
ENTRANCE = "/token"
OPEN_PATHS = {ENTRANCE, "/board.css", "/icon.svg"}
HEADERS = {
    "content-security-policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
        "img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "cache-control": "no-store",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}

Next = Callable[[Request], Awaitable[Response]]


class Guard(BaseHTTPMiddleware):
    """`token` is None where none is asked for; `names` are Hosts besides addresses."""

    def __init__(self, app: ASGIApp, token: str | None, names: frozenset[str]) -> None:
        super().__init__(app)
        self._token = token
        self._names = names | {"localhost"}

    async def dispatch(self, request: Request, call_next: Next) -> Response:
        response = await self._answer(request, call_next)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        return response

    async def _answer(self, request: Request, call_next: Next) -> Response:
        if not is_known_host(request.headers.get("host", ""), self._names):
            words = "this board is not known by that name: start it with --name, or use its address"
            return PlainTextResponse(words + "\n", 421)
        if self._token is None or request.url.path in OPEN_PATHS or self._is_known(request):
            return await call_next(request)
        if "text/html" in request.headers.get("accept", ""):
            return RedirectResponse(ENTRANCE, 303)
        return PlainTextResponse("show the token of the token file\n", 401)

    def _is_known(self, request: Request) -> bool:
        token = str(self._token)
        shown = request.cookies.get(COOKIE, "")
        by_cookie = hmac.compare_digest(shown.encode(), cookie_of(token).encode())
        return by_cookie or is_shown(request.headers.get("authorization"), token)


def is_known_host(host: str, names: frozenset[str]) -> bool:
    """An address is no name that another could let point here."""
    name = host.rpartition(":")[0] if not host.endswith("]") and ":" in host else host
    try:
        ipaddress.ip_address(name.removeprefix("[").removesuffix("]"))
    except ValueError:
        return name.lower() in names
    return True


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def cookie_of(token: str) -> str:
    """What a browser keeps in place of the token."""
    return hmac.new(token.encode(), b"tally board", hashlib.sha256).hexdigest()


def enter(token: str) -> Response:
    """To the overview, with the cookie."""
    response = RedirectResponse("/", 303)
    response.set_cookie(
        COOKIE, cookie_of(token), max_age=COOKIE_SECONDS, httponly=True, samesite="strict"
    )
    return response

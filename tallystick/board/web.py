"""The board's pages: overview, trainings, log, one event, the report (requirement D4)."""

import hmac
from collections.abc import Awaitable, Callable
from functools import partial
from urllib.parse import parse_qs

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from audit.errors import AuditError
from handlers.errors import HandlersError
from party.errors import PartyError
from store.errors import StoreError
from tallystick.board.board_pages import BoardPages, Page
from tallystick.board.guard import ENTRANCE, Guard, enter
from tallystick.board.watched import Watched

MOST_FORM_BYTES = 4096
REPORT_HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
}

Endpoint = Callable[[Request], Awaitable[Response]]


def board_application(
    watched: Watched, token: str | None = None, names: frozenset[str] = frozenset()
) -> Starlette:
    """Read-only. With a token, every page but the entrance asks for it."""
    pages = BoardPages(watched)

    def page(make: Callable[[Request], Page]) -> Endpoint:
        async def answer(request: Request) -> Response:
            made = await run_in_threadpool(_made, pages, make, request)
            return HTMLResponse(made.html, made.status)

        return answer

    async def report(_request: Request) -> Response:
        made = await run_in_threadpool(_made, pages, lambda _: pages.report(), _request)
        if made.status != 200:
            return HTMLResponse(made.html, made.status)
        name = f'attachment; filename="{watched.name}-report.html"'
        return HTMLResponse(made.html, headers={"content-disposition": name, **REPORT_HEADERS})

    async def entrance(request: Request) -> Response:
        if token is None:
            return enter("")
        if request.method == "POST" and _is_same(await _offered(request), token):
            return enter(token)
        made = pages.entrance(wrong=request.method == "POST")
        return HTMLResponse(made.html, made.status)

    async def missing(request: Request, _error: Exception) -> Response:
        made = pages.missing(request.url.path)
        return HTMLResponse(made.html, made.status)

    return Starlette(
        routes=[
            Route("/", page(lambda _: pages.overview())),
            Route("/jobs", page(lambda _: pages.jobs())),
            Route("/jobs/{name}", page(lambda request: pages.job(request.path_params["name"]))),
            Route("/log", page(lambda request: pages.log(request.query_params))),
            Route("/log/{id}", page(lambda request: pages.event(request.path_params["id"]))),
            Route("/report.html", report),
            Route(ENTRANCE, entrance, methods=["GET", "POST"]),
            Route("/board.css", partial(_asset, pages.stylesheet, "text/css")),
            Route("/icon.svg", partial(_asset, pages.icon, "image/svg+xml")),
            Route("/board.js", partial(_asset, pages.script, "text/javascript")),
        ],
        middleware=[Middleware(Guard, token=token, names=names)],
        exception_handlers={404: missing},
    )


def _made(pages: BoardPages, make: Callable[[Request], Page], request: Request) -> Page:
    """A page, or the reason why there is none now."""
    try:
        return make(request)
    except (AuditError, HandlersError, PartyError, StoreError) as error:
        return pages.failed(str(error))
    except ValidationError:
        return pages.damaged()


async def _asset(text: str, kind: str, _request: Request) -> Response:
    return Response(text, media_type=kind, headers={"cache-control": "no-cache"})


async def _offered(request: Request) -> str:
    """The token in the form's body."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MOST_FORM_BYTES:
            return ""
    fields = parse_qs(body.decode("ascii", "replace"))
    return fields.get("token", [""])[0].strip()


def _is_same(offered: str, token: str) -> bool:
    return hmac.compare_digest(offered.encode(), token.encode())

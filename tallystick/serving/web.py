"""The HTTP interface: POST /v1/scores, GET /v1/models, GET /healthz (requirement S4)."""

import asyncio

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from party.errors import RequestError
from party.predicting import Answer
from store.errors import StoreError
from tallystick.errors import ServingError
from tallystick.model_views import model_states
from tallystick.serving.documents import Refusal, ScoreRequest, reply_to
from tallystick.serving.service import FEW, ScoreService
from tallystick.serving.token import is_shown

MOST_BYTES = 16 * 1024 * 1024


class RefusedError(Exception):
    """Becomes a response; `detail` holds nothing of what was sent."""

    def __init__(self, status: int, error: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.refusal = Refusal(error=error, detail=detail)


def web_application(service: ScoreService, token: str) -> Starlette:
    """Every path but /healthz asks for `Authorization: Bearer TOKEN`."""

    async def scores(request: Request) -> Response:
        _check_token(request, token)
        asked = _request_of(await _body(request))
        answer = await _answer(service, asked)
        if len(asked.ids) <= FEW:  # which takes less than to hand it to another thread
            status, document = reply_to(answer, asked.threshold)
        else:
            status, document = await run_in_threadpool(reply_to, answer, asked.threshold)
        return JSONResponse(document, status)

    async def models(request: Request) -> Response:
        _check_token(request, token)
        states = await run_in_threadpool(model_states, service.party)
        return JSONResponse({"models": [state.model_dump() for state in states]})

    async def health(_request: Request) -> Response:
        return JSONResponse({"party": service.party.name, "status": "serving"})

    return Starlette(
        routes=[
            Route("/v1/scores", scores, methods=["POST"]),
            Route("/v1/models", models),
            Route("/healthz", health),
        ],
        exception_handlers={RefusedError: _refuse},
    )


async def _answer(service: ScoreService, asked: ScoreRequest) -> Answer:
    future = service.ask(asked.wish())
    try:
        return await asyncio.wrap_future(future)
    except RequestError as error:
        raise RefusedError(409, "refused", str(error)) from None
    except StoreError:
        detail = "the party's log cannot be written now"
        raise RefusedError(503, "unavailable", detail) from None
    except ServingError as error:
        raise RefusedError(500, "internal", str(error)) from None
    except asyncio.CancelledError:
        if not future.cancelled():
            raise
        raise RefusedError(503, "stopping", "the party stops serving: ask again later") from None


def _check_token(request: Request, token: str) -> None:
    if not is_shown(request.headers.get("authorization"), token):
        raise RefusedError(401, "unauthorised", "show the token of the token file")


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MOST_BYTES:
            raise RefusedError(413, "too-large", f"a request has at most {MOST_BYTES} bytes")
    return bytes(body)


def _request_of(body: bytes) -> ScoreRequest:
    try:
        return ScoreRequest.model_validate_json(body)
    except ValidationError as error:
        raise RefusedError(422, "bad-request", _faults(error)) from None


async def _refuse(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RefusedError), "registered for nothing else"  # noqa: S101
    return JSONResponse(error.refusal.model_dump(exclude_none=True), error.status)


def _faults(error: ValidationError) -> str:
    """What is wrong where, without the values: they may be ids of customers."""
    faults = error.errors(include_input=False, include_url=False)
    return "; ".join(f"{'.'.join(map(str, one['loc'])) or 'body'}: {one['msg']}" for one in faults)

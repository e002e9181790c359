"""Errors as they are answered, and what is refused before anybody looks at it: too large bodies, NUL in an address."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from permit_api.faults import ApiFault, PlainRefusal, Unprocessable
from permit_core.errors import ConstraintViolated, StoreError

logger = logging.getLogger(__name__)

MAX_BODY_BYTES = 8 * 1024 * 1024
_TOO_LARGE = ApiFault(413, "INVALID_INPUT", "The request is too large", f"a body has at most {MAX_BODY_BYTES} bytes")
_NUL = ApiFault(400, "INVALID_INPUT", "The request is not valid", "the address contains a NUL character")
_CODES = {404: "NOT_FOUND", 401: "UNAUTHORIZED", 403: "FORBIDDEN_ACCESS"}


def error_details(fault: ApiFault, headers: dict[str, str] | None = None) -> Response:
    """``ErrorDetails``, with an id of its own."""
    body = {
        "id": uuid.uuid4().hex,
        "title": fault.title,
        "error_code": fault.error_code,
        "message": fault.message,
    }
    return JSONResponse(body, fault.status, headers)


def answer_errors(app: FastAPI, refuse_strangers: Callable[[Request], Awaitable[None]]) -> None:
    """Let every error of the application be answered in Permit.io's shapes.

    Args:
        app: whose errors.
        refuse_strangers: asked about a call that cannot be read, before it is said what is wrong in it; raises
            :class:`ApiFault` when whoever makes it may not know.
    """

    async def invalid_request(request: Request, error: Any) -> Response:
        try:
            await refuse_strangers(request)
        except ApiFault as fault:
            return await _api_fault(request, fault)
        except StoreError as failed:
            return await _store_error(request, failed)
        return await _invalid_request(request, error)

    app.add_exception_handler(ApiFault, _api_fault)
    app.add_exception_handler(PlainRefusal, _plain_refusal)
    app.add_exception_handler(Unprocessable, _unprocessable)
    app.add_exception_handler(RequestValidationError, invalid_request)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(ConstraintViolated, _constraint)
    app.add_exception_handler(StoreError, _store_error)
    app.add_exception_handler(Exception, _unexpected)


async def _api_fault(_request: Request, fault: Any) -> Response:
    headers = {"WWW-Authenticate": "Bearer"} if fault.status == 401 else None
    return error_details(fault, headers)


async def _plain_refusal(_request: Request, refusal: Any) -> Response:
    return PlainTextResponse(refusal.message, refusal.status)


async def _unprocessable(_request: Request, fault: Any) -> Response:
    return JSONResponse({"detail": fault.detail}, 422)


async def _invalid_request(_request: Request, error: Any) -> Response:
    # What was sent is not repeated.
    detail = [
        {
            "loc": [part if isinstance(part, int) else _plain(part) for part in each["loc"]],
            "msg": each["msg"],
            "type": each["type"],
        }
        for each in error.errors()
    ]
    return JSONResponse({"detail": detail}, 422)


def _plain(part: Any) -> str:
    """A key of the body, as it can be written; it may have been anything."""
    return str(part)[:100].encode("utf-8", "replace").decode()


async def _http_error(_request: Request, error: Any) -> Response:
    code = _CODES.get(error.status_code, "INVALID_INPUT")
    fault = ApiFault(error.status_code, code, "The request cannot be answered", str(error.detail))
    return error_details(fault, error.headers)


async def _constraint(_request: Request, _error: Any) -> Response:
    message = "another object has what must be unique, or what it refers to was taken away meanwhile"
    return error_details(ApiFault(409, "DUPLICATE_ENTITY", "This object already exists", message))


async def _store_error(_request: Request, error: Any) -> Response:
    # The database has logged it, once for the whole outage.
    message = f"{error.message} {error.hint}"
    retry = {"Retry-After": str(error.retry_after)}
    return error_details(ApiFault(503, "UNEXPECTED_ERROR", "Unexpected error", message), retry)


async def _unexpected(_request: Request, error: Any) -> Response:
    logger.error("a request failed", exc_info=error)
    return error_details(ApiFault(500, "UNEXPECTED_ERROR", "Unexpected error", "the request could not be answered"))


class Limits:
    """Around the application."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, unless it is refused."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if "\0" in scope["path"] or b"%00" in scope["query_string"]:
            await error_details(_NUL)(scope, receive, send)
            return
        length = dict(scope["headers"]).get(b"content-length", b"0")
        if length.isdigit() and int(length) > MAX_BODY_BYTES:
            await error_details(_TOO_LARGE)(scope, receive, send)
            return
        counted = _Counted(receive)

        async def answered(message: Message) -> None:
            # Whoever reads the body may take the fault for a body that cannot be read, and answer that.
            if not counted.too_large:
                await send(message)
            elif message["type"] == "http.response.start":
                await error_details(_TOO_LARGE)(scope, receive, send)

        await self._app(scope, counted, answered)


class _Counted:
    """Receives no more than a body may have; it need not say beforehand how large it is."""

    def __init__(self, receive: Receive) -> None:
        self._receive, self._left = receive, MAX_BODY_BYTES

    @property
    def too_large(self) -> bool:
        """Whether more came."""
        return self._left < 0

    async def __call__(self) -> Message:
        message = await self._receive()
        self._left -= len(message.get("body", b""))
        if self.too_large:
            raise _TOO_LARGE
        return message

"""The chat backend: log-in over HTTP, the chat over a WebSocket.

Start it with ``uv run server.py`` (``--host``, ``--port``), ``fastapi dev server.py`` or ``uvicorn server:app``.
Nothing is opened at import. What it serves is in ``src/family_food``; the protocol is in docs/chat-protocol.md.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Annotated

import typer
import uvicorn
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request, Response, WebSocket, status
from fastapi.responses import JSONResponse
from fastapi.security import OAuth2PasswordRequestForm
from mcp import StdioServerParameters

from family_food.chat import conversation_routes
from family_food.chat.backend import ChatBackend, open_backend
from family_food.chat.body_limit import BodyLimit
from family_food.chat.close_reasons import SHUTDOWN
from family_food.chat.connections import SHUTDOWN_SECONDS, ConnectionManager
from family_food.chat.incidents import apology, log_incident
from family_food.chat.origins import origin_allowed
from family_food.chat.shutdown import before_shutdown
from family_food.chat.startup_errors import StartupErrors
from family_food.chat.window import Window
from family_food.models.port import Model
from family_food.settings import ChatSettings
from permit_core.errors import ConfigurationError, Forbidden, StoreError, TooMany, Unavailable
from permit_core.identity import Actor, unknown_actor
from permit_core.ports.record import AuditEvent
from permit_core.program_log import log_formatter
from permit_core.views import plain
from utils import bearer_token, get_current_websocket_user

logger = logging.getLogger(__name__)

MAX_FRAME_BYTES = 16 * 1024 * 1024
"""Up to here an oversized frame gets an ``error`` and the session goes on; beyond, the socket is closed with 1009."""
MAX_AFTER = 10**15
"""Numbers of frames are smaller; JavaScript still counts there."""


router = APIRouter()


def _backend(request: Request) -> ChatBackend:
    backend: ChatBackend = request.app.state.backend
    return backend


Backend = Annotated[ChatBackend, Depends(_backend)]


@router.post("/token")
async def login_for_access_token(
    request: Request,
    response: Response,
    form_data: Annotated[OAuth2PasswordRequestForm, Depends()],
    backend: Backend,
) -> dict[str, str | int]:
    """Log in with user name and password."""
    response.headers["Cache-Control"] = "no-store"
    audit, address = backend.core.audit, request.client.host if request.client else "unknown"
    seen = {"username": plain(form_data.username)[:100], "address": address}
    try:
        await backend.login_limit.attempt(form_data.username, address)
        account = await backend.accounts.log_in(form_data.username, form_data.password)
    except TooMany as error:
        if await backend.login_limit.worth_noting(form_data.username, address):
            await audit.note(
                AuditEvent("login.limited", unknown_actor(backend.settings.environment, backend.settings.tenant), seen)
            )
        detail = f"{error.message} {error.hint}"
        raise HTTPException(
            status.HTTP_429_TOO_MANY_REQUESTS, detail, {"Retry-After": str(error.retry_after)}
        ) from None
    except Forbidden:
        await audit.note(
            AuditEvent("login.failed", unknown_actor(backend.settings.environment, backend.settings.tenant), seen)
        )
        raise _unauthorized("Incorrect username or password") from None
    issued = backend.tokens.issue(account.environment, account.login, account.epoch)
    body = {**seen, "token": issued.claims.token_id}
    await audit.note(
        AuditEvent("login.succeeded", Actor(backend.settings.environment, backend.settings.tenant, account.user), body)
    )
    return issued.as_dict()


@router.post("/token/refresh")
async def refresh_access_token(request: Request, response: Response, backend: Backend) -> dict[str, str | int]:
    """A new token for whoever holds one that is still good."""
    response.headers["Cache-Control"] = "no-store"
    try:
        claims = backend.tokens.verify(bearer_token(request))
        user = await backend.accounts.chat_user(claims)
        if user is None:
            raise _unauthorized("Log in again.")
        issued = backend.tokens.issue(claims.environment, claims.login, claims.epoch, claims.login_at)
    except Forbidden as error:
        raise _unauthorized(f"{error.message} {error.hint}") from None
    except StoreError:
        raise
    except Unavailable as error:
        raise HTTPException(status.HTTP_503_SERVICE_UNAVAILABLE, f"{error.message} {error.hint}") from None
    body = {"token": issued.claims.token_id, "from": claims.token_id}
    await backend.core.audit.note(AuditEvent("login.refreshed", user.actor, body))
    return issued.as_dict()


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """The process runs."""
    return {"status": "ok"}


@router.get("/readyz")
async def readyz(backend: Backend) -> JSONResponse:
    """The database can be read and written, and sessions hear of decisions."""
    try:
        async with asyncio.timeout(5):
            ready = await backend.ready()
    except (StoreError, TimeoutError):
        ready = False
    return JSONResponse({"status": "ready" if ready else "not ready"}, 200 if ready else 503)


@router.websocket("/ws/chat")
async def websocket_chat(websocket: WebSocket) -> None:
    """A window of one person's chat: of a new session, or of the one that is asked for."""
    backend: ChatBackend = websocket.app.state.backend
    manager: ConnectionManager = websocket.app.state.manager
    headers, query = websocket.headers, websocket.query_params
    if not origin_allowed(headers.get("origin"), headers.get("host"), backend.settings.allowed_origins):
        await websocket.close(status.WS_1008_POLICY_VIOLATION)
        return
    try:
        current_user = await get_current_websocket_user(websocket, backend.tokens, backend.accounts)
        if not current_user:
            await websocket.close(status.WS_1008_POLICY_VIOLATION)
            return
        user, claims = current_user
        if manager.closing:
            await websocket.send_denial_response(Response(status_code=503, headers={"Retry-After": "1"}))
            return
        after = _frame_number(query.get("after"))
        session = await manager.open(backend, user, claims, query.get("session"))
    except StoreError as error:
        await websocket.send_denial_response(_store_answer(error))
        return
    except Unavailable:  # the directory is elsewhere, and away: nobody is let in unseen
        await websocket.close(status.WS_1013_TRY_AGAIN_LATER)
        return
    if session is None:
        await websocket.close(status.WS_1013_TRY_AGAIN_LATER)
        return
    window = Window(websocket, backend.settings.max_message_bytes, history=query.get("history") != "none")
    hello, mark = session.attach(window, user, claims, after)
    try:
        await websocket.accept()
    except BaseException:
        window.closed_before_it_opened(session, hello)
        raise
    await session.show(window, hello, mark)


def _frame_number(text: str | None) -> int | None:
    """The number of a frame that a client names; None when it is none."""
    if text is None or not (text.isascii() and text.isdigit()) or len(text) > 16:
        return None
    return min(int(text), MAX_AFTER)


def _unauthorized(detail: str) -> HTTPException:
    return HTTPException(status.HTTP_401_UNAUTHORIZED, detail, {"WWW-Authenticate": "Bearer"})


def _store_answer(error: StoreError) -> JSONResponse:
    body = {"detail": f"{error.message} {error.hint}", "code": error.code}
    return JSONResponse(body, 503, {"Retry-After": str(error.retry_after)})


async def _store_unavailable(_request: Request, error: Exception) -> JSONResponse:
    """What every route answers when the database cannot be used; that is in the log once, from the database itself."""
    if not isinstance(error, StoreError):
        raise error
    return _store_answer(error)


async def _internal_error(request: Request, error: Exception) -> JSONResponse:
    incident = log_incident(error, f"{request.method} {request.url.path}")
    return JSONResponse({"detail": apology(incident)}, 500)


def create_app(
    load_settings: Callable[[], ChatSettings] = ChatSettings.load,
    *,
    model: Model | None = None,
    tool_server: Callable[[str], StdioServerParameters] | None = None,
) -> FastAPI:
    """The application. ChatSettings are read, and everything is opened, when it starts.

    Args:
        load_settings: where settings come from.
        model: instead of the one the settings name.
        tool_server: instead of the food server; answers how the tools of one user are started.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        manager = ConnectionManager()
        settings = load_settings()
        async with open_backend(settings, manager.sessions_of, model=model, tool_server=tool_server) as backend:
            app.state.backend, app.state.manager = backend, manager
            with before_shutdown(lambda: manager.shut(SHUTDOWN)):
                yield
            await manager.shut(SHUTDOWN)

    app = FastAPI(
        title="Family food chat",
        lifespan=lifespan,
        exception_handlers={StoreError: _store_unavailable, Exception: _internal_error},
    )
    app.add_middleware(BodyLimit)
    app.add_middleware(StartupErrors)
    app.include_router(router)
    app.include_router(conversation_routes.router)
    return app


app = create_app()


def main(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.", min=0, max=65535)] = 8000,
) -> None:
    """Serve the family food chat."""
    try:
        settings = ChatSettings.load()
    except ConfigurationError as error:
        sys.exit(f"error: {error}")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(log_formatter(settings.log_format, "%(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=settings.log_level, handlers=[handler])
    # At DEBUG they write down what nobody may read: every statement with its values, every header with its token.
    logging.getLogger("aiosqlite").setLevel(logging.INFO)
    logging.getLogger("httpx").setLevel(logging.WARNING)  # a line for each request to Permit.io
    server_log_level = "info" if settings.log_level == "DEBUG" else settings.log_level.lower()
    uvicorn.run(
        app,
        host=host,
        port=port,
        ws_max_size=MAX_FRAME_BYTES,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        ws_per_message_deflate=False,  # a kilobyte could become a megabyte that we have to hold
        log_level=server_log_level,
        # X-Forwarded-For is believed only from proxies that were named: log-in limits go by address.
        proxy_headers="FORWARDED_ALLOW_IPS" in os.environ,
    )


if __name__ == "__main__":
    typer.run(main)

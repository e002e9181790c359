"""``POST /allowed`` in front of the framework: asked before everything else that anybody does, and nearly always at hand."""

from __future__ import annotations

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from permit_api.decisions.entry import peek_versions
from permit_api.routes.checks import Point, read_check
from permit_api.routes.gate import Server, token_in

LARGE_BYTES = 64 * 1024
"""From here on a body takes a while to read, so that the limits are asked first."""


class AtOnce:
    """Around the whole application. It refuses nothing: what it cannot answer at once goes the ordinary way.

    That is a key which is not let in, a body that cannot be read, is large or comes in pieces, and a snapshot that is not
    there or not the newest. What it answers is what ``routes.checks.allowed`` would have answered.
    """

    def __init__(self, app: ASGIApp, server: Server) -> None:
        self._app, self._server = app, server

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass the request on."""
        if scope["type"] != "http" or scope["path"] != "/allowed" or scope["method"] != "POST" or scope["query_string"]:
            await self._app(scope, receive, send)
            return
        message = await receive()
        response = self._response(scope, message)
        if response is None:
            await self._app(scope, _Again(message, receive), send)
        else:
            await response(scope, receive, send)

    def _response(self, scope: Scope, message: Message) -> Response | None:
        """The answer; what it is about is read only now, and nothing else is done until it is there."""
        body = message.get("body", b"")
        if message["type"] != "http.request" or message.get("more_body") or len(body) > LARGE_BYTES:
            return None
        found = self._point(scope)
        if found is None:
            return None
        try:
            return found.answer(read_check(body))
        except ValueError:  # it cannot be read, or the answer not be written: the ordinary way says so
            return None

    def _point(self, scope: Scope) -> Point | None:
        token = token_in(scope["headers"])
        known = None if token is None else peek_versions(self._server.database, token)
        snapshot = None if known is None else self._server.snapshots.kept(*known)
        return None if known is None or snapshot is None else Point(known[0], snapshot, self._server.checks)


class _Again:
    """Receives a message that was received already, and then the others."""

    def __init__(self, message: Message, receive: Receive) -> None:
        self._message: Message | None = message
        self._receive = receive

    async def __call__(self) -> Message:
        message, self._message = self._message, None
        return message or await self._receive()

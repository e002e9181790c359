"""A server that cannot start says why in one sentence, whatever started it."""

from __future__ import annotations

import sys

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from permit_core.errors import PermitError


class StartupErrors:
    """Middleware: replaces the traceback of an error of ours at start-up by its text, which is meant for operators."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "lifespan":
            await self._app(scope, receive, send)
            return

        async def tell(message: Message) -> None:
            error = sys.exc_info()[1]
            if message["type"] == "lifespan.startup.failed" and isinstance(error, PermitError):
                message = {**message, "message": f"cannot start: {error}"}
            await send(message)

        await self._app(scope, receive, tell)

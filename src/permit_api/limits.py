"""What is refused before anybody looks at it: bodies that are too large, and NUL in an address."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from permit_api.answers import error_details
from permit_api.faults import ApiFault

MAX_BODY_BYTES = 8 * 1024 * 1024
_TOO_LARGE = ApiFault(413, "INVALID_INPUT", "The request is too large", f"a body has at most {MAX_BODY_BYTES} bytes")
_NUL = ApiFault(400, "INVALID_INPUT", "The request is not valid", "the address contains a NUL character")


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

"""The way to the server: log-in over HTTP, chat over a WebSocket."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from family_food.terminal.problem import ChatProblem, Exit
from family_food.terminal.visible import one_line

if TYPE_CHECKING:
    import httpx
    from websockets.asyncio.client import ClientConnection

_TIMEOUT_SECONDS = 20.0
_OPEN_SECONDS = 30.0  # a session starts a process of its own
_MAX_FRAME = 16 * 1024 * 1024  # a whole history comes in one frame
_NORMAL, _GOING_AWAY, _POLICY_VIOLATION = 1000, 1001, 1008
_NOT_LET_IN = "The server did not accept the log-in: it has expired, or you have too many chats open."


def checked_url(url: str) -> str:
    """The server's base address without a closing slash.

    Raises:
        ValueError: not an ``http://`` or ``https://`` address.
    """
    parts = urlsplit(url.strip())
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError(f"{one_line(url)!r} is not an address like http://localhost:8000")
    _ = parts.port  # raises ValueError when it is no port
    return url.strip().rstrip("/")


def is_loopback(url: str) -> bool:
    """True when the address means this computer."""
    host = (urlsplit(url).hostname or "").rstrip(".")
    return host in {"localhost", "::1"} or host.startswith("127.")


def websocket_url(url: str) -> str:
    """The WebSocket address that belongs to an HTTP one."""
    return "ws" + url.removeprefix("http")


async def fetch_token(url: str, username: str, password: str) -> str:
    """Log in.

    Args:
        url: base address of the server.
        username: log-in name.
        password: sent as it is.

    Raises:
        ChatProblem: refused (``NOT_LOGGED_IN``), or no such server there (``UNREACHABLE``).
    """
    return await _token(f"{url}/token", url, data={"username": username, "password": password})


async def refresh_token(url: str, token: str) -> str:
    """A new token for one that is about to expire.

    Raises:
        ChatProblem: as :func:`fetch_token`.
    """
    return await _token(f"{url}/token/refresh", url, headers={"Authorization": f"Bearer {token}"})


async def _token(address: str, url: str, **request: Any) -> str:
    import httpx  # half a second of imports: not before somebody logs in

    try:
        async with httpx.AsyncClient(timeout=_TIMEOUT_SECONDS, trust_env=not is_loopback(url)) as client:
            response = await client.post(address, **request)
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        raise _unreachable(url, error) from error
    try:
        body = response.json()
    except ValueError:
        body = None
    body = body if isinstance(body, dict) else {}
    token = body.get("access_token")
    if response.status_code == 200 and isinstance(token, str) and token:
        return token
    raise _refused(url, response, one_line(body.get("detail")))


def _refused(url: str, response: httpx.Response, detail: str) -> ChatProblem:
    if response.status_code in (401, 403):
        return ChatProblem(detail or "The server refused the log-in.", Exit.NOT_LOGGED_IN)
    if response.status_code == 429:
        seconds = response.headers.get("retry-after", "")
        again = f" Try again in {seconds} seconds." if seconds.isdigit() and "again" not in detail else ""
        return ChatProblem((detail or "Too many log-ins.") + again, Exit.NOT_LOGGED_IN)
    if response.status_code == 422:
        return ChatProblem("The server needs a user name and a password.", Exit.NOT_LOGGED_IN)
    return ChatProblem(
        f"{url} answered {response.status_code}; this is not the chat server, or it is in trouble.", Exit.UNREACHABLE
    )


def _unreachable(url: str, error: BaseException) -> ChatProblem:
    import httpx

    slow = isinstance(error, TimeoutError | httpx.TimeoutException)
    why = "did not answer in time" if slow else "cannot be reached"
    return ChatProblem(
        f"The chat server at {url} {why}. Is it running? Start it with: fastapi dev server.py", Exit.UNREACHABLE
    )


class Link:
    """An open chat: frames in, frames out."""

    def __init__(self, url: str, token: str, socket: ClientConnection) -> None:
        self.url = url
        self.token = token
        self._socket = socket

    @classmethod
    async def open(cls, url: str, token: str) -> Self:
        """Open the chat of the token's user.

        Raises:
            ChatProblem: the token is not accepted (``NOT_LOGGED_IN``), or no chat server is there (``UNREACHABLE``).
        """
        from websockets.asyncio.client import connect
        from websockets.exceptions import InvalidStatus, WebSocketException

        try:
            socket = await connect(
                f"{websocket_url(url)}/ws/chat",
                additional_headers={"Authorization": f"Bearer {token}"},
                max_size=_MAX_FRAME,
                open_timeout=_OPEN_SECONDS,
                proxy=None if is_loopback(url) else True,
            )
        except InvalidStatus as error:
            if error.response.status_code in (401, 403):
                raise ChatProblem(_NOT_LET_IN, Exit.NOT_LOGGED_IN) from error
            raise _unreachable(url, error) from error
        except (WebSocketException, OSError, ValueError) as error:  # OSError: TimeoutError too
            raise _unreachable(url, error) from error
        return cls(url, token, socket)

    async def send(self, **frame: object) -> None:
        """Send a frame. A connection that is gone is noticed by who reads :meth:`frames`."""
        from websockets.exceptions import ConnectionClosed

        try:
            await self._socket.send(json.dumps(frame))
        except ConnectionClosed:
            return

    async def renew(self) -> None:
        """Refresh the token and let the open chat live on with it.

        Raises:
            ChatProblem: the server would not.
        """
        self.token = await refresh_token(self.url, self.token)
        await self.send(type="authenticate", token=self.token)

    async def frames(self) -> AsyncIterator[dict[str, Any]]:
        """Every frame until the server closes; one that cannot be read arrives as an ``error`` of our own.

        Raises:
            ChatProblem: why the chat is over, unless it was closed here.
        """
        from websockets.exceptions import ConnectionClosed, ConnectionClosedOK

        try:
            while True:
                yield _frame(await self._socket.recv())
        except ConnectionClosed as error:
            if isinstance(error, ConnectionClosedOK) and error.sent and not error.rcvd_then_sent:
                return
            raise _over(error.rcvd.code if error.rcvd else None) from error

    async def close(self) -> None:
        """Close the chat."""
        await self._socket.close()


def _frame(data: str | bytes) -> dict[str, Any]:
    try:
        frame = json.loads(data)
    except (ValueError, RecursionError):
        frame = None
    if isinstance(frame, dict):
        return frame
    return {"type": "error", "content": "The server sent something that cannot be read.", "code": "unreadable"}


def _over(code: int | None) -> ChatProblem:
    if code == _POLICY_VIOLATION:
        return ChatProblem("The log-in is over; log in again.", Exit.NOT_LOGGED_IN)
    if code == _NORMAL:
        return ChatProblem("The server ended the chat.")
    if code == _GOING_AWAY:
        return ChatProblem("The server is shutting down.", Exit.UNREACHABLE)
    return ChatProblem("The connection to the server was lost.", Exit.UNREACHABLE)

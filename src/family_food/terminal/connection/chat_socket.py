"""One WebSocket to the chat: how it is opened, and what its end means."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from family_food.terminal.connection.address import is_loopback, log_in_again, websocket_url
from family_food.terminal.connection.token_claims import token_user
from family_food.terminal.connection.web import Web, unreachable
from family_food.terminal.problem import ChatProblem, Exit

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection
    from websockets.exceptions import ConnectionClosed

_OPEN_SECONDS = 30.0  # a session may have to start a process of its own
_CLOSE_SECONDS = 2.0
_PING_SECONDS = 10.0  # and as long for the answer: after twenty seconds of silence the connection counts as lost
_MAX_FRAME = 16 * 1024 * 1024
_NORMAL, _POLICY_VIOLATION, _TOO_BIG = 1000, 1008, 1009

_TOO_MANY = "Too many of your chats are open. Close one, or try again in a minute."
_NOT_LET_IN = "The server did not accept the log-in: it has expired, or you have too many chats open."


async def open_socket(web: Web, session: str | None, after: int | None, *, history: bool = False) -> ClientConnection:
    """Open the chat of the token's user.

    Args:
        web: knows the address and the token.
        session: an earlier conversation that is to go on.
        after: number of the newest frame of it that has arrived; None when the client has none.
        history: copies of the conversation are wanted after every turn.

    Raises:
        ChatProblem: the token is not accepted (``NOT_LOGGED_IN``), too many chats are open (``LIMIT``), or no chat server is
            there (``UNREACHABLE``).
    """
    from websockets.asyncio.client import connect
    from websockets.exceptions import InvalidStatus, WebSocketException

    wanted: dict[str, str | int] = {} if history else {"history": "none"}
    if session is not None:
        wanted["session"] = session
        if after is not None:
            wanted["after"] = after
    try:
        return await connect(
            f"{websocket_url(web.url)}/ws/chat?{urlencode(wanted)}",
            additional_headers={"Authorization": f"Bearer {web.token}"},
            max_size=_MAX_FRAME,
            open_timeout=_OPEN_SECONDS,
            close_timeout=_CLOSE_SECONDS,
            ping_interval=_PING_SECONDS,
            ping_timeout=_PING_SECONDS,
            proxy=None if is_loopback(web.url) else True,
        )
    except InvalidStatus as error:
        if error.response.status_code in (401, 403):
            raise await _not_let_in(web) from error
        raise unreachable(web.url, error) from error
    except (WebSocketException, OSError, ValueError) as error:  # OSError: TimeoutError too
        raise unreachable(web.url, error) from error


async def _not_let_in(web: Web) -> ChatProblem:
    """A handshake does not say why it was refused; the same token over HTTP does."""
    good = await web.token_is_good()
    if good is None:
        return ChatProblem(f"{_NOT_LET_IN} {log_in_again(web.url, token_user(web.token))}", Exit.NOT_LOGGED_IN)
    return ChatProblem(_TOO_MANY, Exit.LIMIT) if good else expired(web)


def expired(web: Web) -> ChatProblem:
    """The end of a chat whose token is good no longer."""
    return ChatProblem(f"The log-in has expired. {log_in_again(web.url, token_user(web.token))}", Exit.NOT_LOGGED_IN)


def read_frame(data: str | bytes) -> dict[str, Any]:
    """A frame of the server; an ``error`` of our own in place of one that cannot be read."""
    try:
        frame = json.loads(data)
    except (ValueError, RecursionError):
        frame = None
    if isinstance(frame, dict):
        return frame
    return {"type": "error", "content": "The server sent something that cannot be read.", "code": "unreadable"}


def end_of_chat(web: Web, error: ConnectionClosed, *, said_goodbye: bool) -> ChatProblem | None:
    """Why a socket that was closed is the end of the chat; None when it is only lost.

    Args:
        web: knows the address and the token.
        error: how it was closed.
        said_goodbye: the server had announced it.
    """
    code = error.rcvd.code if error.rcvd else None
    if code == _NORMAL:
        return ChatProblem("The server ended the chat.")
    # Without a goodbye it is only that we did not read, as a program does that was stopped for a while.
    if code == _POLICY_VIOLATION and said_goodbye:
        return ChatProblem(f"The log-in is over. {log_in_again(web.url, token_user(web.token))}", Exit.NOT_LOGGED_IN)
    if code == _TOO_BIG:
        return ChatProblem("The message is too large for the server.")
    if error.sent is not None and error.sent.code == _TOO_BIG:  # it would be sent again and again
        return ChatProblem("The server sent something too large to be read.")
    return None

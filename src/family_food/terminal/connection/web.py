"""The server's HTTP side: logging in, and the stored conversations."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from family_food.terminal.connection.address import is_loopback, log_in_again
from family_food.terminal.connection.token_claims import token_user
from family_food.terminal.problem import ChatProblem, Exit
from family_food.terminal.visible import one_line

if TYPE_CHECKING:
    import httpx

_TIMEOUT_SECONDS = 20.0
_CHECK_SECONDS = 5.0
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Grant:
    """An access token and its life.

    Attributes:
        token: goes into the header ``Authorization: Bearer``.
        expires_at: seconds since 1970.
        lifetime: of the whole token, in seconds.
    """

    token: str
    expires_at: float
    lifetime: float

    @property
    def left(self) -> float:
        """Seconds until the token is over; negative afterwards."""
        return self.expires_at - time.time()


class WrongPassword(ChatProblem):
    """The server does not know this name with this password: both can be asked for again."""


async def find_out_whether_it_answers(url: str) -> None:
    """Find out, before somebody types a password for nobody, whether there is a server on this computer.

    Of one elsewhere only the log-in itself tells: the way there may lead through a proxy.

    Raises:
        ChatProblem: nobody answers there (``UNREACHABLE``).
    """
    where = urlsplit(url)
    if not is_loopback(url):
        return
    try:
        async with asyncio.timeout(_CHECK_SECONDS):
            _, writer = await asyncio.open_connection(where.hostname, where.port or _PORTS[where.scheme])
    except OSError as error:  # TimeoutError too
        raise unreachable(url, error) from error
    writer.close()


async def log_in(url: str, username: str, password: str) -> Grant:
    """Log in with user name and password.

    Args:
        url: base address of the server.
        username: log-in name.
        password: sent as it is.

    Raises:
        WrongPassword: refused (``NOT_LOGGED_IN``).
        ChatProblem: refused for another reason (``NOT_LOGGED_IN``), or no such server there (``UNREACHABLE``).
    """
    body = {"username": username, "password": password}
    return _grant(url, await _request(url, "POST", "/token", data=body))


class Web:
    """Calls with a token.

    Args:
        url: base address of the server.
        token: access token.
        on_grant: told of every token that takes the place of the one before.

    Attributes:
        token: the newest one.
    """

    def __init__(self, url: str, token: str, on_grant: Callable[[Grant], Awaitable[None]] | None = None) -> None:
        self.url = url
        self.token = token
        self.on_grant = on_grant

    async def refresh(self) -> Grant:
        """Get a new token for the one that is good still, and use it from now on.

        Raises:
            ChatProblem: the token is not good any more (``NOT_LOGGED_IN``), or the server cannot be reached.
        """
        grant = _grant(self.url, await self._call("POST", "/token/refresh"))
        await self.adopt(grant)
        return grant

    async def adopt(self, grant: Grant) -> None:
        """Use another token of the same person from now on."""
        self.token = grant.token
        if self.on_grant is not None:
            await self.on_grant(grant)

    async def token_is_good(self) -> bool | None:
        """Whether the server takes the token; None when it does not say."""
        try:
            response = await self._call("GET", "/conversations", params={"per_page": 1}, timeout=_CHECK_SECONDS)
        except ChatProblem:
            return None
        return {200: True, 401: False, 403: False}.get(response.status_code)

    async def conversations(self, page: int = 1, per_page: int = 20) -> dict[str, Any]:
        """The person's conversations, the newest first.

        Returns:
            ``{conversations: [{id, title, created_at, updated_at, turns}], total, page, per_page}``.

        Raises:
            ChatProblem: not logged in, refused, or not reachable.
        """
        asked = {"page": page, "per_page": per_page}
        found = _object(self.url, await self._asked("GET", "/conversations", params=asked))
        listed = found.get("conversations")
        found["conversations"] = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
        return found

    async def conversation(self, conversation_id: str) -> dict[str, Any]:
        """One conversation with everything in it.

        Raises:
            ChatProblem: there is none of this id, or as :meth:`conversations`.
        """
        return _object(self.url, await self._asked("GET", _path(conversation_id), params={"format": "json"}))

    async def export(self, conversation_id: str, form: str = "markdown") -> str:
        """One conversation as a document.

        Args:
            conversation_id: its id.
            form: ``markdown`` or ``json``.

        Raises:
            ChatProblem: there is none of this id, or as :meth:`conversations`.
        """
        return (await self._asked("GET", _path(conversation_id), params={"format": form})).text

    async def rename(self, conversation_id: str, title: str) -> None:
        """Give a conversation another name.

        Raises:
            ChatProblem: there is none of this id, the name is refused, or as :meth:`conversations`.
        """
        await self._asked("PATCH", _path(conversation_id), json={"title": title})

    async def delete(self, conversation_id: str) -> None:
        """Delete a conversation.

        Raises:
            ChatProblem: there is none of this id, it is open in a window, or as :meth:`conversations`.
        """
        await self._asked("DELETE", _path(conversation_id))

    async def _asked(self, method: str, path: str, **request: Any) -> httpx.Response:
        response = await self._call(method, path, **request)
        if response.is_success:
            return response
        raise _refused(self.url, response)

    async def _call(self, method: str, path: str, **request: Any) -> httpx.Response:
        return await _request(self.url, method, path, headers={"Authorization": f"Bearer {self.token}"}, **request)


def _path(conversation_id: str) -> str:
    return f"/conversations/{quote(conversation_id, safe='')}"


async def _request(url: str, method: str, path: str, **request: Any) -> httpx.Response:
    import httpx  # half a second of imports: not before somebody logs in

    try:
        async with httpx.AsyncClient(timeout=_TIMEOUT_SECONDS, trust_env=not is_loopback(url)) as client:
            return await client.request(method, url + path, **request)
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:  # ValueError: a token that is no header
        raise unreachable(url, error) from error


def _grant(url: str, response: httpx.Response) -> Grant:
    body = _json(response)
    token, seconds = body.get("access_token"), body.get("expires_in")
    if response.status_code != 200 or not isinstance(token, str) or not token:
        raise _refused(url, response)
    lifetime = float(seconds) if isinstance(seconds, int | float) else 0.0
    return Grant(token, time.time() + lifetime, lifetime)


def _object(url: str, response: httpx.Response) -> dict[str, Any]:
    body = _json(response)
    if not body:
        raise _refused(url, response)
    return body


def _json(response: httpx.Response) -> dict[str, Any]:
    try:
        body = response.json()
    except (ValueError, RecursionError):
        body = None
    return body if isinstance(body, dict) else {}


def _refused(url: str, response: httpx.Response) -> ChatProblem:
    detail, status = one_line(_json(response).get("detail")), response.status_code
    if status in (401, 403):
        if _is_log_in(response):
            return WrongPassword(detail or "The server refused the log-in.", Exit.NOT_LOGGED_IN)
        user = token_user(response.request.headers.get("authorization", "").removeprefix("Bearer "))
        return ChatProblem(
            f"{detail or 'The server refused the log-in.'} {log_in_again(url, user)}", Exit.NOT_LOGGED_IN
        )
    if status == 429:
        seconds = response.headers.get("retry-after", "")
        again = f" Try again in {seconds} seconds." if seconds.isdigit() and "again" not in detail else ""
        return ChatProblem((detail or "Too many log-ins.") + again, Exit.NOT_LOGGED_IN)
    if status == 422 and _is_log_in(response):
        return ChatProblem("The server needs a user name and a password.", Exit.NOT_LOGGED_IN)
    if status in (404, 409, 413, 422) and detail and detail != "Not Found":
        return ChatProblem(detail)
    return ChatProblem(f"{url} answered {status}; this is not the chat server, or it is in trouble.", Exit.UNREACHABLE)


def _is_log_in(response: httpx.Response) -> bool:
    return response.request.url.path.endswith("/token")


def unreachable(url: str, error: BaseException) -> ChatProblem:
    """What the person is told of a server that did not answer."""
    import httpx

    slow = isinstance(error, TimeoutError | httpx.TimeoutException)
    why = "did not answer in time" if slow else "cannot be reached"
    what = "Is it running? Start it with: uv run server.py" if is_loopback(url) else "Is that its address?"
    return ChatProblem(f"The chat server at {url} {why}. {what}", Exit.UNREACHABLE)

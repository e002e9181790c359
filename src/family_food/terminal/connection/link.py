"""The way to the chat: a WebSocket that is opened again when it is lost, and neither repeats nor leaves out anything."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, Self

from family_food.terminal.connection.chat_socket import end_of_chat, open_socket, read_frame
from family_food.terminal.connection.offered_tokens import OfferedTokens
from family_food.terminal.connection.outbox import Outbox
from family_food.terminal.connection.redial import Patience, Redial
from family_food.terminal.connection.web import Grant, Web
from family_food.terminal.problem import ChatProblem, Exit
from family_food.terminal.visible import one_line

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection

_GREET_SECONDS = 30.0
_END_SECONDS = 5.0
_TOKEN_SECONDS = 15.0
_INTERNAL_ERROR = 1011

_LOST = "The connection to the server is lost. Trying to get it back..."
_BACK = "Connected again."
_ANEW = "Connected again; the server was started anew."
_CUT_SHORT = "Connected again; the server was started anew, and what the assistant was doing was cut short."
_MISSED = "Connected again; some of what was said meanwhile cannot be shown."
_UNHEARD = "The connection to the server is lost. Try again when it is back."
_NEW_SESSION = "Connected again, but the server does not have this conversation any more: a new one begins."


class Link:
    """An open chat: frames in, frames out. Somebody has to read :meth:`frames`, all the time.

    Attributes:
        web: the HTTP calls, with the same token.
        session_id: the conversation, as the server's ``hello`` names it; before that, the one that was asked for.
        title: the conversation's name.
        resumed: an earlier conversation goes on.
    """

    def __init__(self, web: Web, session: str | None, patience: Patience, *, history: bool) -> None:
        self.web = web
        self.session_id = session
        self.title = ""
        self.resumed = False
        self._history = history
        self._socket: ClientConnection | None = None
        self._redial = Redial(web, self._connect, patience)
        self._outbox = Outbox()
        self._tokens = OfferedTokens()
        self._greeted = False
        self._newest = 0  # number of the last frame that was passed on
        self._any_number = False  # the next frame may have any
        self._turn: object = None
        self._end_is_due = False  # the turn that ran here runs no more, says the server
        self._had_turns = False
        self._said_goodbye = False

    @classmethod
    async def open(
        cls,
        url: str,
        token: str,
        session: str | None = None,
        *,
        web: Web | None = None,
        patience: Patience | None = None,
        history: bool = False,
    ) -> Self:
        """Open the chat of the token's user.

        Args:
            url: base address of the server.
            token: access token.
            session: an earlier conversation that is to go on.
            web: HTTP calls to share the token with; else the link has its own.
            patience: how a lost connection is tried again.
            history: let ``history_update`` frames have their content.

        Raises:
            ChatProblem: the token is not accepted (``NOT_LOGGED_IN``), too many chats are open (``LIMIT``), or no chat
                server is there (``UNREACHABLE``).
        """
        link = cls(web or Web(url, token), session, patience or Patience(), history=history)
        await link._connect()
        return link

    @property
    def url(self) -> str:
        """Base address of the server."""
        return self.web.url

    @property
    def token(self) -> str:
        """The newest access token."""
        return self.web.token

    async def send(self, **frame: object) -> None:
        """Send a frame.

        While the connection is lost, messages with an id, answers to questions and a ``cancel`` wait for it to come back;
        anything else is dropped.
        """
        self._outbox.sending(frame)
        if not self._redial.lost:
            await self._put(frame)

    async def say(self, text: str) -> str:
        """Send a message that arrives once, whatever becomes of the connection.

        Returns:
            Its id: ``accepted`` and ``turn_start`` frames name it.
        """
        message_id = uuid.uuid4().hex
        await self.send(type="message", message=text, id=message_id)
        return message_id

    async def renew(self) -> None:
        """Refresh the token and let the open chat live on with it.

        Raises:
            ChatProblem: the server would not.
        """
        self._redial.expires_at = (await self.web.refresh()).expires_at
        self._tokens.offer(self.token).cancel()  # nobody waits: the end of the token says it once more
        await self.send(type="authenticate", token=self.token)

    async def authenticate(self, grant: Grant) -> None:
        """Let the open chat live on with another token, and use it from now on, if the server takes it for this session.

        Raises:
            ChatProblem: it does not (``NOT_LOGGED_IN``), or did not say; everything is as it was.
        """
        if self._redial.lost:
            raise ChatProblem(_UNHEARD, Exit.UNREACHABLE)
        taken = self._tokens.offer(grant.token)
        await self.send(type="authenticate", token=grant.token)
        try:
            async with asyncio.timeout(_TOKEN_SECONDS):
                await taken
        except TimeoutError:
            raise ChatProblem("The server did not answer in time. Try again.", Exit.UNREACHABLE) from None
        await self.web.adopt(grant)

    async def frames(self) -> AsyncIterator[dict[str, Any]]:
        """Every frame of the server once, in order, whatever becomes of the connection.

        One that cannot be read arrives as an ``error`` of our own. Between them are the link's own frames,
        ``{"type": "link", "state", "content"}`` with the state ``lost``, ``back`` or ``new_session`` (the server is back, but
        not the conversation); after the latter two comes the new ``hello``. A turn that the server can not end any more,
        because it was started anew, gets a ``turn_end`` of our own with the outcome ``interrupted``.

        Raises:
            ChatProblem: why the chat is over, unless it was closed here.
        """
        from websockets.exceptions import ConnectionClosed

        while not self._redial.left.is_set():
            assert self._socket is not None  # noqa: S101 - it is open
            try:
                data = await self._receive(self._socket)
            except ConnectionClosed as error:
                if self._redial.left.is_set():
                    return
                problem = end_of_chat(self.web, error, said_goodbye=self._said_goodbye)
                if problem is not None:
                    raise problem from error
                self._tokens.give_up(_UNHEARD)
                if self._redial.begin():
                    yield {"type": "link", "state": "lost", "content": _LOST}
                await self._redial.run()
                continue
            for frame in self._end_turn() if data is None else await self._take(read_frame(data)):
                yield frame

    async def close(self) -> None:
        """Close the chat. What was said and is not answered is not waited for."""
        self._redial.left.set()
        if self._socket is not None:
            await self._socket.close()

    async def _connect(self) -> None:
        after = self._newest if self._greeted else None
        self._socket = await open_socket(self.web, self.session_id, after, history=self._history)
        if self._redial.left.is_set():  # it was closed meanwhile
            await self._socket.close()

    async def _receive(self, socket: ClientConnection) -> str | bytes | None:
        """What comes next; None when the end of a turn that is over should have come and did not.

        A server that lets us back in and then does not greet is lost again.
        """
        greeting = self._redial.lost
        try:
            async with asyncio.timeout(_GREET_SECONDS if greeting else _END_SECONDS if self._end_is_due else None):
                return await socket.recv()
        except TimeoutError:
            if not greeting:
                return None
            await socket.close(_INTERNAL_ERROR)  # not the code of somebody who leaves
            return await socket.recv()

    async def _put(self, frame: object) -> None:
        """Write to the socket. A connection that is gone is noticed by who reads :meth:`frames`."""
        from websockets.exceptions import ConnectionClosed

        if self._socket is None:
            return
        try:
            await self._socket.send(json.dumps(frame))
        except ConnectionClosed:
            return

    async def _take(self, frame: dict[str, Any]) -> list[dict[str, Any]]:
        """What is passed on for a frame that has arrived."""
        kind, number = frame.get("type"), frame.get("seq")
        if kind == "hello":
            return await self._greet(frame)
        if isinstance(number, int) and not self._is_news(number):
            return []
        self._note(frame)
        if self._tokens.take(frame):
            return []
        shown = self._outbox.heard(frame)
        if kind == "turn_end":
            for held in self._outbox.released():
                await self._put(held)
        return [frame] if shown else []

    def _end_turn(self) -> list[dict[str, Any]]:
        turn, self._turn, self._end_is_due = self._turn, None, False
        return [] if turn is None else [_cut_short(turn)]

    def _is_news(self, number: int) -> bool:
        if self._any_number:
            self._newest = number - 1
        self._any_number = False
        if number <= self._newest:
            return False
        self._newest = number
        self._redial.works()
        return True

    def _note(self, frame: dict[str, Any]) -> None:
        match frame.get("type"):
            case "turn_start":
                self._turn, self._had_turns = frame.get("turn"), True
            case "turn_end":
                self._turn, self._end_is_due = None, False
            case "token_refreshed" if isinstance(frame.get("expires_at"), int | float):
                self._redial.expires_at = float(frame["expires_at"])
            case "goodbye":
                self._said_goodbye = True

    async def _greet(self, hello: dict[str, Any]) -> list[dict[str, Any]]:
        """The first frame on every socket; on any but the first it also says what became of the session."""
        again, before = self._greeted, self.session_id
        self._greeted, self._said_goodbye = True, False
        self.session_id = one_line(hello.get("session_id")) or before
        self.title, self.resumed = one_line(hello.get("title")), bool(hello.get("resumed"))
        expires_at = hello.get("token_expires_at")
        self._redial.expires_at = float(expires_at) if isinstance(expires_at, int | float) else None
        lost = self._redial.lost
        self._redial.reached()
        if not again:
            self._had_turns = self.resumed
            if lost:  # before the server had greeted: as if this were the first time, but for what was said already
                await self._say_again(hello, begun_anew=True)
                return [{"type": "link", "state": "back", "content": _BACK}, hello]
            return [hello]
        moved = self.session_id != before
        begun_anew = moved or self._is_begun_anew(hello)
        frames = [self._news(hello, moved=moved, begun_anew=begun_anew)]
        if begun_anew:  # its frames are counted from one again, and the turn that ran has no end of its own any more
            self._newest = 0
            frames += self._end_turn()
        self._any_number = bool(hello.get("missed"))
        self._end_is_due = self._turn is not None and hello.get("turn") != self._turn
        if moved:
            frames += self._forget_what_was_said()
        await self._say_again(hello, begun_anew=begun_anew)
        frames += [_trouble(line) for line in self._outbox.give_up()]
        return [*frames, hello]

    def _is_begun_anew(self, hello: dict[str, Any]) -> bool:
        """Whether another process has the session now, which read it from the database."""
        newest = hello.get("newest")
        return newest < self._newest if isinstance(newest, int) else bool(hello.get("interrupted"))

    def _news(self, hello: dict[str, Any], *, moved: bool, begun_anew: bool) -> dict[str, Any]:
        if moved:
            return {"type": "link", "state": "new_session", "content": _NEW_SESSION}
        content = _MISSED if hello.get("missed") else _BACK
        if begun_anew:
            content = _CUT_SHORT if hello.get("interrupted") else _ANEW
        return {"type": "link", "state": "back", "content": content}

    def _forget_what_was_said(self) -> list[dict[str, Any]]:
        """In another conversation a message would be taken a second time, if it was taken in the one before.

        Without a turn there was nothing to lose: an empty conversation is not kept.
        """
        if not self._had_turns:
            return []
        lost, self._outbox = self._outbox.unsent(), Outbox()
        return [_trouble(line) for line in lost]

    async def _say_again(self, hello: dict[str, Any], *, begun_anew: bool) -> None:
        for frame in self._outbox.again(hello.get("turn"), begun_anew=begun_anew):
            await self._put(frame)


def _cut_short(turn: object) -> dict[str, Any]:
    return {"type": "turn_end", "content": "", "turn": turn, "outcome": "interrupted", "usage": {}, "seconds": 0.0}


def _trouble(line: str) -> dict[str, Any]:
    return {"type": "error", "content": line, "code": "not_delivered", "hint": "Say it again if it is still needed."}

"""One socket that shows a session: what comes in is handed to it, what goes out is written, until either is over."""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

from anyio import to_thread
from starlette.websockets import WebSocket, WebSocketDisconnect

from family_food.chat.close_reasons import CLIENT_LEFT, MOVED, TOO_SLOW, CloseReason
from family_food.chat.incidents import apology, log_incident
from family_food.chat.interruption import cancel_and_wait
from family_food.chat.outgoing import Bookmark, Outgoing
from family_food.chat.protocol import ClientSays, ErrorFrame, Goodbye, Hello, read_frame
from permit_core.errors import UserFacing

FAREWELL_SECONDS = 2.0
LOST = 1006
_LEFT = frozenset({1000, 1001})
"""Close codes of a client that meant to go; after any other it may come back. uvicorn says 1005 of a broken connection."""
_LARGE_FRAME = 256 * 1024
_LAST_WORDS_SECONDS = 1.0


class Shown(Protocol):
    """The session, as its window sees it."""

    @property
    def outgoing(self) -> Outgoing:
        """What is to be written."""
        ...

    async def take(self, frame: ClientSays) -> None:
        """Do what the client says.

        Raises:
            UserFacing: it cannot be done; the client is told.
        """
        ...

    def left(self, window: Window, ending: CloseReason | None) -> None:
        """The window is gone. None: its connection was lost."""
        ...

    def stop(self, ending: CloseReason) -> None:
        """End the session."""
        ...


class Window:
    """Serves one socket. It is made before the handshake is answered, so that the session can wait for it.

    Args:
        socket: accepted before :meth:`serve`.
        max_message_bytes: the largest chat message.
        history: whether the client wants copies of the conversation.
    """

    def __init__(self, socket: WebSocket, max_message_bytes: int, *, history: bool = True) -> None:
        self.history = history
        self.gone = asyncio.Event()
        self._socket = socket
        self._limit = max_message_bytes
        self._code: int | None = None
        self._leaving: asyncio.Future[CloseReason] = asyncio.get_running_loop().create_future()

    def leave(self, ending: CloseReason) -> None:
        """Close the socket, with a goodbye when there are words for one; the first reason counts. Returns at once."""
        if not self._leaving.done():
            self._leaving.set_result(ending)

    async def serve(self, session: Shown, hello: Hello, mark: Bookmark) -> None:
        """Show the session until the socket closes or :meth:`leave` is called.

        Args:
            session: has this window attached.
            hello: the first frame.
            mark: where the window begins.
        """
        writer = asyncio.create_task(self._write(session, hello, mark), name="chat writer")
        reader = asyncio.create_task(self._read(session), name="chat reader")
        try:
            ends: list[asyncio.Future[Any]] = [writer, reader, self._leaving]
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            if writer.done() and not reader.done():
                # The socket is closed: who reads it is told in which way.
                await asyncio.wait([reader], timeout=_LAST_WORDS_SECONDS)
        finally:
            await self._close(session, mark, reader, writer)

    def closed_before_it_opened(self, session: Shown, hello: Hello) -> None:
        """The handshake came to nothing. A session that was there before waits for another window."""
        session.left(self, None if hello.resumed else CLIENT_LEFT)
        self.gone.set()

    async def _close(
        self, session: Shown, mark: Bookmark, reader: asyncio.Task[None], writer: asyncio.Task[None]
    ) -> None:
        ending = self._leaving.result() if self._leaving.done() else None
        try:
            await cancel_and_wait(reader)
            if ending is not None and self._code is None:
                await self._say_why(session, ending, mark, writer)
        finally:
            await cancel_and_wait(writer)
            session.outgoing.detach(mark)
            session.left(self, CLIENT_LEFT if self._code in _LEFT else ending)
            self.gone.set()

    async def _say_why(self, session: Shown, ending: CloseReason, mark: Bookmark, writer: asyncio.Task[None]) -> None:
        """Say goodbye and close; a client that does not read is not waited for."""
        try:
            async with asyncio.timeout(FAREWELL_SECONDS + 1):
                if ending not in (MOVED, TOO_SLOW) and not writer.done():
                    await session.outgoing.drained(mark, FAREWELL_SECONDS)
                await cancel_and_wait(writer)
                if ending is CLIENT_LEFT:
                    return
                if ending.words:
                    goodbye = Goodbye(content=ending.words, code=ending.code)
                    await self._socket.send_text(goodbye.model_dump_json())
                await self._socket.close(1000 if ending.code == LOST else ending.code)  # 1006 is nothing to say
        except (TimeoutError, WebSocketDisconnect, RuntimeError, OSError):
            pass  # it was polite to try

    async def _write(self, session: Shown, hello: Hello, mark: Bookmark) -> None:
        now = asyncio.get_running_loop().time
        try:
            await self._socket.send_text(hello.model_dump_json())
            while True:
                frame = await session.outgoing.next(mark)
                await self._socket.send_text(frame.told(now(), history=self.history))
                session.outgoing.wrote(mark, frame)
        except (WebSocketDisconnect, RuntimeError, OSError):
            return  # closed; the reader hears how
        except Exception as error:  # noqa: BLE001 - this socket cannot be used, the session lives on
            log_incident(error, "writing to a socket")

    async def _read(self, session: Shown) -> None:
        while not self._leaving.done():
            try:
                event = await self._socket.receive()
            except (WebSocketDisconnect, RuntimeError):
                self._code = LOST
                return
            if event["type"] != "websocket.receive":
                self._code = int(event.get("code") or LOST)
                return
            data = event.get("text")
            try:
                await self._hear(session, event.get("bytes") or b"" if data is None else data)
            except Exception as error:  # noqa: BLE001 - the session ends, the server does not
                session.stop(CloseReason(1011, apology(log_incident(error, "a frame of a client"))))
                await asyncio.wait([self._leaving])  # the session says goodbye when it has tidied up

    async def _hear(self, session: Shown, data: str | bytes) -> None:
        frame: ClientSays | None = None
        try:
            if len(data) > _LARGE_FRAME:
                frame = await to_thread.run_sync(read_frame, data, self._limit)
            else:
                frame = read_frame(data, self._limit)
            await session.take(frame)
        except UserFacing as error:
            reply_to = getattr(frame, "id", None)
            refusal = ErrorFrame(content=error.message, code=error.code, hint=error.hint, reply_to=reply_to)
            await session.outgoing.send(refusal)

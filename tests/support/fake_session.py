"""One session of the fake chat server: it counts its frames, remembers them, and outlives its socket."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

from fastapi import WebSocket, WebSocketDisconnect

Frame = dict[str, Any]


@dataclass
class FakeSession:
    """What the server keeps of a session.

    Attributes:
        sent: every numbered frame since the session began, for clients that come back.
        known: ids of messages that were taken.
        waiting: ids of messages whose turn has not begun.
        running: the turn that runs.
        attaching: held while a client is being greeted.
    """

    id: str
    title: str = ""
    socket: WebSocket | None = None
    seq: int = 0
    sent: list[Frame] = field(default_factory=list)
    known: list[str] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)
    running: int | None = None
    began_at: int = 0
    attaching: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def send(self, frame: Frame) -> None:
        """Number a frame, remember it, and send it when somebody listens."""
        async with self.attaching:
            await self._send(frame)

    async def close(self, code: int) -> None:
        """Close the socket; the session stays."""
        async with self.attaching:
            opened, self.socket = self.socket, None
            if opened is not None:
                await opened.close(code)

    async def attach(self, opened: WebSocket, hello: Frame | None, had: int) -> None:
        """Greet a client, send what it missed, and send everything else to it from now on.

        Args:
            opened: its socket.
            hello: the first frame; None to stay silent.
            had: how many frames it has had.
        """
        async with self.attaching:
            before, self.socket = self.socket, opened
            if before is not None:
                await _send_away(before)
            try:
                for frame in [*([hello] if hello is not None else []), *self.sent[had:]]:
                    await opened.send_json(frame)
            except (WebSocketDisconnect, RuntimeError):  # lost while it was greeted
                self.socket = None

    async def _send(self, frame: Frame) -> None:
        self.seq += 1
        frame = {**frame, "seq": self.seq}
        self.sent.append(frame)
        if frame.get("type") == "turn_start":
            self.running, self.began_at = frame.get("turn"), self.seq
        elif frame.get("type") == "turn_end":
            self.running = None
        if self.socket is not None:
            try:
                await self.socket.send_text(json.dumps(frame))
            except (WebSocketDisconnect, RuntimeError):  # it is gone, and will be back
                self.socket = None

    def had(self, after: int | None) -> int:
        """How many frames a client has that comes back: up to one it names, else all before the running turn."""
        return after if after is not None else self.began_at - 1 if self.running is not None else self.seq

    async def take_message(self, frame: Frame) -> bool:
        """Say that a message has arrived.

        Returns:
            False when it is known already.
        """
        message_id = frame.get("id")
        if message_id is None:
            return True
        again = message_id in self.known
        accepted = {"type": "accepted", "content": "", "message_id": message_id, "duplicate": again}
        await self.send({**accepted, "waiting": len(self.waiting)})
        if not again:
            self.known.append(message_id)
            self.waiting.append(message_id)
        return not again


async def _send_away(window: WebSocket) -> None:
    """Another window goes on; one that is gone already, or going, needs no goodbye."""
    try:
        await window.send_json({"type": "goodbye", "content": "This goes on in another window.", "code": 1000})
        await window.close(1000)
    except (WebSocketDisconnect, RuntimeError):
        return

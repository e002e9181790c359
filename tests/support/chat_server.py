"""The real chat backend on a loopback port, and a client that checks every frame against the published schema."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI
from jsonschema import Draft202012Validator
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from family_food.chat.backend import ChatBackend
from family_food.chat.connections import ConnectionManager
from permit_core.accounts.accounts import Accounts
from server import MAX_FRAME_BYTES
from tests.support.environment import PROJECT
from tests.support.process_tree import children_of, tool_servers_of

WAIT_SECONDS = 60.0
"""How long anything may take on a machine that does much else."""

Frame = dict[str, Any]
_COUNT = itertools.count(1)
_SCHEMA = json.loads((PROJECT / "docs/chat-protocol.schema.json").read_text(encoding="utf-8"))
SERVER_FRAMES = Draft202012Validator({"$ref": "#/$defs/ServerFrame", "$defs": _SCHEMA["$defs"]})
CLIENT_FRAMES = Draft202012Validator({"$ref": "#/$defs/ClientFrame", "$defs": _SCHEMA["$defs"]})


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield  # the test runner's signals are its own


async def until(condition: Callable[[], bool | Awaitable[bool]], what: str = "it") -> None:
    """Wait, within bounds, for something that tells nobody when it happens."""
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            while True:
                answer = condition()
                if answer if isinstance(answer, bool) else await answer:
                    return
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"{what} did not happen in time") from None


@dataclass
class ChatServer:
    """A running backend. ``strangers`` are processes that this one had started before."""

    app: FastAPI
    port: int
    strangers: frozenset[int] = frozenset()
    epochs: dict[str, str] = field(default_factory=dict)
    """The epochs of the accounts that it began with, by log-in name."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def backend(self) -> ChatBackend:
        backend: ChatBackend = self.app.state.backend
        return backend

    @property
    def manager(self) -> ConnectionManager:
        manager: ConnectionManager = self.app.state.manager
        return manager

    def token(self, username: str) -> str:
        """A good token without the cost of a password."""
        environment = self.backend.settings.environment
        return self.backend.tokens.issue(environment, username, self.epochs.get(username, "of no account")).access_token

    async def post(self, path: str, **more: Any) -> httpx.Response:
        async with httpx.AsyncClient(base_url=self.url, timeout=WAIT_SECONDS, trust_env=False) as client:
            return await client.post(path, **more)

    async def log_in(self, username: str, password: str = "") -> httpx.Response:
        return await self.post("/token", data={"username": username, "password": password or f"{username}_password"})

    @asynccontextmanager
    async def chat(
        self, username: str, token: str = "", session: str = "", after: int | None = None, **headers: str
    ) -> AsyncIterator[ChatClient]:
        """An open session, past its hello."""
        token, more = token or self.token(username), dict[str, Any](headers)
        async with self.socket(token, session, after, **more) as socket:
            client = ChatClient(socket, lambda session, after: self.socket(token, session, after, **more))
            await client.greeted()
            yield client
            await client.closing.aclose()

    @asynccontextmanager
    async def socket(
        self, token: str, session: str = "", after: int | None = None, *, history: bool = True, **headers: str
    ) -> AsyncIterator[ClientConnection]:
        more = {"Authorization": f"Bearer {token}", **headers} if token else headers
        named = {"session": session, "after": after, "history": "" if history else "none"}
        query = "&".join(f"{name}={value}" for name, value in named.items() if value not in ("", None))
        url = f"ws://127.0.0.1:{self.port}/ws/chat" + (f"?{query}" if query else "")
        async with connect(
            url, additional_headers=more, proxy=None, open_timeout=WAIT_SECONDS, close_timeout=WAIT_SECONDS
        ) as socket:
            yield socket

    async def events(self, name: str) -> list[dict[str, Any]]:
        """What the audit log holds of one kind."""
        records = await self.backend.core.audit.records("default", limit=10_000)
        return [{"actor": record.user, **record.body} for record in records if record.event == name]

    def children(self) -> list[int]:
        """The tool servers of its sessions that run, and whatever else it started but the fork server, by id."""
        return [child for child in tool_servers_of(os.getpid()) if child not in self.strangers]


class ChatClient:
    """One window. Every frame it sees is checked and kept; those of a session come in order, each once.

    Args:
        open_again: opens another socket to a session, from the frame after the given one on.
    """

    def __init__(
        self,
        socket: ClientConnection,
        open_again: Callable[[str, int | None], AbstractAsyncContextManager[ClientConnection]] | None = None,
    ) -> None:
        self.socket = socket
        self.hello: Frame = {}
        self.seen: list[Frame] = []
        self.last = 0
        self.closing = AsyncExitStack()
        self._open_again = open_again

    async def greeted(self) -> Frame:
        """Wait for the hello."""
        self.hello = await self.next("hello")
        return self.hello

    def lose(self) -> None:
        """The connection breaks; nobody says goodbye."""
        self.socket.transport.abort()

    async def come_back(self, *, remembering: bool = True) -> Frame:
        """Open the session again, where this window left off or, not ``remembering``, with nothing; its hello."""
        assert self._open_again is not None
        again = self._open_again(str(self.hello["session_id"]), self.last if remembering else None)
        self.socket = await self.closing.enter_async_context(again)
        if not remembering:
            self.last = 0
        return await self.greeted()

    async def frame(self) -> Frame:
        """The next frame, whatever it is."""
        async with asyncio.timeout(WAIT_SECONDS):
            frame: Frame = json.loads(await self.socket.recv())
        SERVER_FRAMES.validate(frame)
        if frame["type"] not in ("hello", "goodbye"):
            assert frame["seq"] == self.last + 1 or not self.last, f"{frame['seq']} after {self.last}"
            self.last = frame["seq"]
        self.seen.append(frame)
        return frame

    async def next(self, *types: str) -> Frame:
        """The next frame of one of these types; others are passed over."""
        while (frame := await self.frame())["type"] not in types:
            pass
        return frame

    async def send(self, **frame: Any) -> None:
        CLIENT_FRAMES.validate(frame)
        await self.socket.send(json.dumps(frame))

    async def say(self, message: str, **more: Any) -> None:
        await self.send(type="message", message=message, **more)

    async def asked(self, what: str, /, **more: Any) -> Frame:
        """The answer to a ``list`` or ``decide`` frame: a listing, the decided request, or an error."""
        reply_to = f"ask-{next(_COUNT)}"
        await self.send(type=what, id=reply_to, **more)
        while (answer := await self.next("listing", "decided", "error"))["reply_to"] != reply_to:
            pass
        return answer

    async def turn(self) -> Turn:
        """Everything up to the end of the turn that runs or comes next."""
        frames: list[Frame] = []
        while not frames or frames[-1]["type"] != "turn_end":
            frames.append(await self.frame())
        return Turn(frames)

    async def ask(self, message: str) -> Turn:
        """Say something; the turn that answers it, even when news has a turn of its own before."""
        message_id = f"ask-{next(_COUNT)}"
        await self.say(message, id=message_id)
        while (turn := await self.turn()).of("turn_start")[0]["message_id"] != message_id:
            pass
        return turn

    async def closed(self) -> int:
        """Read to the end; the code the server closed with."""
        with contextlib.suppress(ConnectionClosed):
            while True:
                await self.frame()
        assert self.socket.close_code is not None
        return self.socket.close_code


@dataclass
class Turn:
    """The frames of one turn."""

    frames: list[Frame]

    def of(self, kind: str) -> list[Frame]:
        return [frame for frame in self.frames if frame["type"] == kind]

    @property
    def outcome(self) -> str:
        return str(self.frames[-1]["outcome"])

    @property
    def text(self) -> str:
        return "\n".join(frame["content"] for frame in self.of("text"))

    def called(self, name: str) -> bool:
        """Whether a tool was called and did what it was asked."""
        return any(frame["name"] == name and frame["state"] == "done" for frame in self.of("tool"))

    @property
    def codes(self) -> list[str | None]:
        """How the tool calls ended: a code, or None for one that worked."""
        return [frame["code"] for frame in self.of("tool") if frame["state"] != "started"]


@asynccontextmanager
async def serving(app: FastAPI) -> AsyncIterator[ChatServer]:
    """Run the application in this loop, over a real socket, until the context ends."""
    listening = socket.create_server(("127.0.0.1", 0))
    # The event loop does this only for sockets that it has made itself.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    config = uvicorn.Config(app, log_level="warning", lifespan="on", ws_max_size=MAX_FRAME_BYTES)
    running = _Server(config)
    strangers = frozenset(children_of(os.getpid()))
    task = asyncio.create_task(running.serve(sockets=[listening]))
    try:
        await until(lambda: running.started or task.done(), "the server's start")
        assert not task.done(), "the server ended at its start"
        backend: ChatBackend = app.state.backend
        core = backend.core
        accounts = await Accounts(core.database, core.audit).list_all(core.environment)
        epochs = {account.login: account.epoch for account in accounts}
        yield ChatServer(app, listening.getsockname()[1], strangers, epochs)
    finally:
        running.should_exit = True
        async with asyncio.timeout(WAIT_SECONDS):
            await asyncio.wait([task])
        listening.close()

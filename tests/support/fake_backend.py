"""A chat server that does nothing by itself: the test says every frame, over real HTTP and a real WebSocket."""

from __future__ import annotations

import asyncio
import json
import queue
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import uvicorn
from fastapi import FastAPI, Form, HTTPException, WebSocket, WebSocketDisconnect

WAIT_SECONDS = 60.0

HELLO: dict[str, Any] = {
    "type": "hello",
    "content": "Hello Henry, what would you like to eat?",
    "protocol": 1,
    "user": {"name": "Henry", "role": "child"},
    "model": {"label": "offline demo model", "offline": True},
    "session_id": "s-1",
    "token_expires_at": 4102444800,
}


class FakeBackend:
    """Accepts henry with the password ``right``.

    Attributes:
        hello: the first frame of every session; None to stay silent.
        refreshed: tokens that were refreshed.
    """

    def __init__(self) -> None:
        self.hello: dict[str, Any] | None = HELLO
        self.refuse: int | None = None
        self.refreshed: list[str] = []
        self.headers: dict[str, str] = {}
        self.closed = threading.Event()
        self._frames: queue.Queue[dict[str, Any]] = queue.Queue()
        self._sockets: list[WebSocket] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ready = threading.Event()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"

    def received(self) -> dict[str, Any]:
        """The next frame a client sent."""
        return self._frames.get(timeout=WAIT_SECONDS)

    def silent(self) -> bool:
        """True when no client sent anything that was not asked for yet."""
        return self._frames.empty()

    def send(self, *frames: dict[str, Any]) -> None:
        """Send frames to every open session."""
        for frame in frames:
            self.send_raw(json.dumps(frame))

    def send_raw(self, text: str) -> None:
        """Send anything."""
        for opened in self._sockets:
            self._run(opened.send_text(text))

    def hang_up(self, code: int) -> None:
        """Close every session from this side."""
        for opened in self._sockets:
            self._run(opened.close(code))

    def answer(self, text: str, turn: int = 1, cause: str = "message") -> None:
        """A whole turn that says one thing."""
        self.begin(turn, cause)
        self.send({"type": "text", "content": text, "turn": turn, "streamed": False})
        self.end(turn)

    def begin(self, turn: int = 1, cause: str = "message") -> None:
        """A turn begins."""
        self.send({"type": "turn_start", "content": "", "turn": turn, "cause": cause})

    def stream(self, *words: str, turn: int = 1) -> None:
        """Words of a turn, one after the other."""
        self.send(*({"type": "text_delta", "content": word, "turn": turn} for word in words))

    def end(self, turn: int = 1, outcome: str = "completed") -> None:
        """A turn ends."""
        usage = {"input_tokens": 0, "output_tokens": 0}
        self.send(
            {"type": "history_update", "content": []},
            {"type": "turn_end", "content": "", "turn": turn, "outcome": outcome, "usage": usage},
        )

    def _run(self, coroutine: Any) -> None:
        assert self._loop is not None
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(WAIT_SECONDS)

    def _app(self) -> FastAPI:
        app = FastAPI()

        @app.post("/token")
        async def token(username: Annotated[str, Form()], password: Annotated[str, Form()]) -> dict[str, Any]:
            if self.refuse == 429:
                raise HTTPException(429, "Too many log-ins.", headers={"Retry-After": "7"})
            if (username, password) != ("henry", "right"):
                raise HTTPException(401, "Incorrect username or password")
            return {"access_token": "first-token", "token_type": "bearer", "expires_in": 60}

        @app.post("/token/refresh")
        async def refresh() -> dict[str, Any]:
            self.refreshed.append("second-token")
            return {"access_token": "second-token", "token_type": "bearer", "expires_in": 60}

        @app.websocket("/ws/chat")
        async def chat(opened: WebSocket) -> None:
            self.headers = dict(opened.headers)
            if self.refuse == 403:
                await opened.close(1008)
                return
            await opened.accept()
            self._sockets.append(opened)
            if self.hello is not None:
                await opened.send_json(self.hello)
            try:
                while True:
                    self._frames.put(json.loads(await opened.receive_text()))
            except WebSocketDisconnect:
                self._sockets.remove(opened)
                self.closed.set()

        return app

    @contextmanager
    def running(self) -> Iterator[FakeBackend]:
        """Serve from a thread of its own until the body ends."""
        config = uvicorn.Config(
            self._app(), log_level="error", ws="websockets-sansio", lifespan="off", timeout_graceful_shutdown=1
        )
        server = uvicorn.Server(config)

        async def serve() -> None:
            self._loop = asyncio.get_running_loop()
            self._ready.set()
            await server.serve(sockets=[self._listening])

        thread = threading.Thread(target=asyncio.run, args=(serve(),), name="fake backend")
        thread.start()
        try:
            assert self._ready.wait(WAIT_SECONDS)
            yield self
        finally:
            server.should_exit = True
            thread.join(WAIT_SECONDS)
            self._listening.close()

"""A chat server that does nothing by itself: the test says every frame, over real HTTP and a real WebSocket.

It does what the protocol demands of any server: it counts the frames of a session, says that a message has arrived, takes
none twice, and lets a client that comes back have what it missed.
"""

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
from fastapi import FastAPI, Form, Header, HTTPException, Query, WebSocket, WebSocketDisconnect
from fastapi.responses import JSONResponse, PlainTextResponse
from starlette.responses import Response

from tests.support.fake_session import FakeSession, Frame

WAIT_SECONDS = 60.0

HELLO: Frame = {
    "type": "hello",
    "content": "Hello Henry, what would you like to eat?",
    "protocol": 1,
    "user": {"name": "Henry", "role": "child"},
    "model": {"label": "offline demo model", "offline": True},
    "session_id": "s-1",
    "token_expires_at": 4102444800,
    "title": "",
    "resumed": False,
    "turn": None,
    "missed": False,
    "interrupted": None,
}


class FakeBackend:
    """Accepts henry with the password ``right``, and whom the test adds.

    Attributes:
        hello: the first frame of every session; None to stay silent. Its ``session_id`` is used for the first session.
        refuse: an HTTP status: 429 refuses log-ins, any other the chat socket.
        tokens: those that are good for the chat, for HTTP and for a refresh.
        accounts: passwords, by user name.
        granted: the token that a log-in gives.
        expires_in: the life of every token, in seconds.
        refreshed: tokens that were made by a refresh.
        headers: of the newest chat socket.
        query: of the newest chat socket.
        opened: how many chat sockets were opened.
        closed: set when a client closed its socket.
        sessions: by id. A session stays when its connection is lost, and goes when the client leaves.
        conversations: what is stored, by id: ``{title, turns, updated_at, entries, interrupted}``, all of them optional.
        listings: what ``list`` frames get, by ``what``; without an entry the test has to answer.
        requests: by id, what ``decide`` frames decide; any other id gets the error ``no_such_request``.
        asked: every ``list`` frame that was answered.
    """

    def __init__(self) -> None:
        self.hello: Frame | None = HELLO
        self.refuse: int | None = None
        self.tokens = {"first-token", "second-token"}
        self.accounts = {"henry": "right"}
        self.granted = "first-token"
        self.expires_in = 1800
        self.refreshed: list[str] = []
        self.headers: dict[str, str] = {}
        self.query: dict[str, str] = {}
        self.opened = 0
        self.closed = threading.Event()
        self.sessions: dict[str, FakeSession] = {}
        self.conversations: dict[str, dict[str, Any]] = {}
        self.listings: dict[str, list[dict[str, Any]]] = {"requests": [], "orders": [], "tools": [], "menu": []}
        self.requests: dict[str, dict[str, Any]] = {}
        self.asked: list[Frame] = []
        self._frames: queue.Queue[Frame] = queue.Queue()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None
        self._listening: socket.socket | None = socket.create_server(("127.0.0.1", 0))
        self._port = self._listening.getsockname()[1]
        self.url = f"http://127.0.0.1:{self._port}"

    def received(self) -> Frame:
        """The next frame a client sent; ``list`` frames that were answered by themselves left out."""
        return self._frames.get(timeout=WAIT_SECONDS)

    def silent(self) -> bool:
        """True when no client sent anything that was not asked for yet."""
        return self._frames.empty()

    def send(self, *frames: Frame) -> None:
        """Send frames to every session; one whose client is away gets them when it comes back."""
        for frame in frames:
            for session in list(self.sessions.values()):
                self._run(session.send(frame))

    def send_raw(self, text: str) -> None:
        """Send anything to every open socket."""
        for session in list(self.sessions.values()):
            if session.socket is not None:
                self._run(session.socket.send_text(text))

    def hang_up(self, code: int) -> None:
        """Close every socket from this side; the sessions stay."""
        for session in list(self.sessions.values()):
            self._run(session.close(code))

    def drop(self, *, lose: bool = False) -> None:
        """Cut every connection without a word; the sessions stay.

        Args:
            lose: what was sent last may never arrive.
        """
        self._run(self._cut(lose))

    def die(self, *, forget: bool = True) -> None:
        """End as a killed server does: connections are cut, nobody listens.

        Args:
            forget: sessions are gone; what is in ``conversations`` stays.
        """
        assert self._server is not None
        assert self._thread is not None
        self._run(self._cut(lose=True, for_good=True))
        self._server.should_exit = self._server.force_exit = True
        self._thread.join(WAIT_SECONDS)
        if self._listening is not None:
            self._listening.close()
        self._listening = self._thread = None
        if forget:
            self.sessions.clear()

    def come_back(self) -> None:
        """Listen on the same port again, after :meth:`die`."""
        for session in self.sessions.values():
            session.attaching = asyncio.Lock()  # the one before belonged to another event loop
        self._listening = socket.create_server(("127.0.0.1", self._port))
        self._serve()

    def answer(self, text: str, turn: int = 1, cause: str = "message") -> None:
        """A whole turn that says one thing."""
        self.begin(turn, cause)
        self.send({"type": "text", "content": text, "turn": turn, "streamed": False})
        self.end(turn)

    def begin(self, turn: int = 1, cause: str = "message") -> None:
        """A turn begins: that of the oldest message that waits, when a message is its cause."""
        for session in list(self.sessions.values()):
            message_id = session.waiting.pop(0) if cause == "message" and session.waiting else None
            frame = {"type": "turn_start", "content": "", "turn": turn, "cause": cause, "message_id": message_id}
            self._run(session.send(frame))

    def stream(self, *words: str, turn: int = 1) -> None:
        """Words of a turn, one after the other."""
        self.send(*({"type": "text_delta", "content": word, "turn": turn} for word in words))

    def tool(self, name: str, state: str, turn: int = 1, **more: Any) -> None:
        """A tool call's progress; ``more`` are fields of the frame."""
        frame = {"type": "tool", "content": name, "turn": turn, "call_id": f"call-{name}", "name": name}
        self.send({**frame, "arguments": {}, "state": state, "code": None, **more})

    def end(self, turn: int = 1, outcome: str = "completed", **usage: int) -> None:
        """A turn ends."""
        counted = {"input_tokens": 0, "output_tokens": 0, **usage}
        self.send(
            {"type": "history_update", "content": []},
            {"type": "turn_end", "content": "", "turn": turn, "outcome": outcome, "usage": counted, "seconds": 0.1},
        )

    def _run(self, coroutine: Any) -> None:
        if self._thread is None:  # it is dead; what is sent now is only remembered
            asyncio.run(coroutine)
            return
        assert self._loop is not None
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(WAIT_SECONDS)

    async def _cut(self, lose: bool, for_good: bool = False) -> None:
        assert self._server is not None
        for listening in self._server.servers if for_good else ():  # before anybody can come back
            listening.close()
        for session in self.sessions.values():
            session.socket = None
        for connection in list(self._server.server_state.connections):
            transport = getattr(connection, "transport", None)
            if transport is not None:
                (transport.abort if lose else transport.close)()

    # The chat socket.

    async def _chat(self, opened: WebSocket) -> None:
        self.headers, self.query = dict(opened.headers), dict(opened.query_params)
        self.opened += 1
        token = self.headers.get("authorization", "").removeprefix("Bearer ")
        if self.refuse not in (None, 429, 403) or token not in self.tokens:
            await opened.send_denial_response(Response(status_code=self.refuse or 403))
            return
        if self.refuse == 403:
            await opened.close(1008)
            return
        await opened.accept()
        session = await self._attached(opened, self.query)
        try:
            while True:
                await self._take(session, json.loads(await opened.receive_text()))
        except WebSocketDisconnect as left:
            if session.socket is opened:
                session.socket = None
                if left.code in (1000, 1001):
                    self.sessions.pop(session.id, None)
            self.closed.set()

    async def _attached(self, opened: WebSocket, query: dict[str, str]) -> FakeSession:
        """The session that is asked for, alive or stored; else a new one. Greets."""
        wanted = query.get("session", "")
        session, stored = self.sessions.get(wanted), self.conversations.get(wanted)
        after = int(query["after"]) if "after" in query else None
        live = session is not None
        if session is None:
            session = FakeSession(wanted, str(stored.get("title", ""))) if stored is not None else self._new_session()
            session.known += (stored or {}).get("message_ids", [])
            self.sessions[session.id] = session
        hello = None
        if self.hello is not None:
            facts = {"session_id": session.id, "title": session.title, "turn": session.running, "newest": session.seq}
            came = {"resumed": live or stored is not None, "interrupted": None if live else _interrupted(stored)}
            hello = {**self.hello, **facts, **(came if came["resumed"] else {})}
        await session.attach(opened, hello, session.had(after) if live else 0)
        return session

    def _new_session(self) -> FakeSession:
        first = str((self.hello or HELLO)["session_id"])
        taken = {*self.sessions, *self.conversations}
        names = (first, *(f"s-{number}" for number in range(2, 1000)))
        return FakeSession(next(name for name in names if name not in taken))

    async def _take(self, session: FakeSession, frame: Frame) -> None:
        match frame.get("type", "message"):
            case "message":
                if await session.take_message(frame):
                    self._frames.put(frame)
            case "list" if (what := str(frame.get("what", "requests"))) in self.listings:
                self.asked.append(frame)
                items = self.listings[what]
                if frame.get("status"):
                    items = [item for item in items if item.get("status") == frame["status"]]
                await session.send(
                    {
                        "type": "listing",
                        "content": "",
                        "reply_to": frame.get("id"),
                        "what": what,
                        "items": items,
                        "more": False,
                    }
                )
            case "decide":
                self._frames.put(frame)
                await session.send(self._decided(frame))
            case _:
                self._frames.put(frame)

    def _decided(self, frame: Frame) -> Frame:
        request = self.requests.get(str(frame.get("request_id")))
        reply = {"reply_to": frame.get("id")}
        if request is None:
            return {"type": "error", "content": "No such request.", "code": "no_such_request", "hint": "", **reply}
        if request.get("status") != "pending":
            return {"type": "error", "content": "It is decided.", "code": "already_decided", "hint": "", **reply}
        request["status"] = "approved" if frame.get("verb") == "approve" else "denied"
        said = f"{str(request['status']).capitalize()}: {request.get('resource_name', '')}"
        return {"type": "decided", "content": said, "request": request, **reply}

    # HTTP.

    def _app(self) -> FastAPI:
        app = FastAPI()
        app.add_api_websocket_route("/ws/chat", self._chat)

        @app.post("/token")
        async def token(username: Annotated[str, Form()], password: Annotated[str, Form()]) -> dict[str, Any]:
            if self.refuse == 429:
                raise HTTPException(429, "Too many log-ins.", headers={"Retry-After": "7"})
            if self.accounts.get(username) != password:
                raise HTTPException(401, "Incorrect username or password")
            return {"access_token": self.granted, "token_type": "bearer", "expires_in": self.expires_in}

        @app.post("/token/refresh")
        async def refresh(authorization: Annotated[str, Header()] = "") -> dict[str, Any]:
            self._check(authorization)
            self.refreshed.append("second-token")
            return {"access_token": "second-token", "token_type": "bearer", "expires_in": self.expires_in}

        @app.get("/conversations")
        async def listed(
            page: int = 1, per_page: int = 20, authorization: Annotated[str, Header()] = ""
        ) -> dict[str, Any]:
            self._check(authorization)
            every = [self._summary(name) for name in self.conversations]
            every.sort(key=lambda summary: str(summary["updated_at"]), reverse=True)
            shown = every[(page - 1) * per_page : page * per_page]
            return {"conversations": shown, "total": len(every), "page": page, "per_page": per_page}

        self._one_conversation(app)
        return app

    def _one_conversation(self, app: FastAPI) -> None:
        @app.get("/conversations/{name}", response_model=None)
        async def exported(
            name: str,
            form: Annotated[str, Query(alias="format")] = "json",
            authorization: Annotated[str, Header()] = "",
        ) -> dict[str, Any] | Response:
            self._check(authorization)
            stored = self._stored(name)
            if form == "markdown":
                return PlainTextResponse(
                    f"# {stored.get('title', '')}\n\nA conversation.\n", media_type="text/markdown"
                )
            return {**self._summary(name), "entries": stored.get("entries", [])}

        @app.patch("/conversations/{name}")
        async def renamed(
            name: str, change: dict[str, str], authorization: Annotated[str, Header()] = ""
        ) -> dict[str, Any]:
            self._check(authorization)
            self._stored(name)["title"] = change["title"]
            return self._summary(name)

        @app.delete("/conversations/{name}", response_model=None)
        async def deleted(name: str, authorization: Annotated[str, Header()] = "") -> Response:
            self._check(authorization)
            self._stored(name)
            if name in self.sessions:
                return JSONResponse({"detail": "It is open in a window.", "code": "conversation_open"}, 409)
            del self.conversations[name]
            return Response(status_code=204)

    def _check(self, authorization: str) -> None:
        if authorization.removeprefix("Bearer ") not in self.tokens:
            raise HTTPException(401, "The token is not valid. Log in again.")

    def _stored(self, name: str) -> dict[str, Any]:
        if name not in self.conversations:
            raise HTTPException(404, "There is no such conversation.")
        return self.conversations[name]

    def _summary(self, name: str) -> dict[str, Any]:
        stored = self.conversations[name]
        then = "2026-01-02T03:04:05Z"
        return {
            "id": name,
            "title": stored.get("title", ""),
            "created_at": stored.get("created_at", then),
            "updated_at": stored.get("updated_at", then),
            "turns": stored.get("turns", 1),
        }

    # The server's own thread.

    def _serve(self) -> None:
        config = uvicorn.Config(
            self._app(), log_level="error", ws="websockets-sansio", lifespan="off", timeout_graceful_shutdown=1
        )
        server = self._server = uvicorn.Server(config)
        listening, ready = self._listening, threading.Event()
        assert listening is not None

        async def serve() -> None:
            self._loop = asyncio.get_running_loop()
            ready.set()
            await server.serve(sockets=[listening])

        self._thread = threading.Thread(target=asyncio.run, args=(serve(),), name="fake backend")
        self._thread.start()
        assert ready.wait(WAIT_SECONDS)

    @contextmanager
    def running(self) -> Iterator[FakeBackend]:
        """Serve from a thread of its own until the body ends."""
        self._serve()
        try:
            yield self
        finally:
            if self._server is not None and self._thread is not None:
                self._server.should_exit = True
                self._thread.join(WAIT_SECONDS)
            if self._listening is not None:
                self._listening.close()


def _interrupted(stored: dict[str, Any] | None) -> dict[str, Any] | None:
    found = (stored or {}).get("interrupted")
    return dict(found) if found else None

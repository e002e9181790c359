"""One socket of a session: how it ends, and what the session hears of that."""

from __future__ import annotations

import asyncio
import json
from typing import Any, cast

import pytest
from starlette.websockets import WebSocket, WebSocketDisconnect

from family_food.chat import window as window_module
from family_food.chat.close_reasons import CLIENT_LEFT, MOVED, SHUTDOWN, TOO_SLOW, CloseReason
from family_food.chat.outgoing import Outgoing
from family_food.chat.protocol import ClientSays, Hello, Message, ModelInfo, Status, UserInfo
from family_food.chat.window import Window
from permit_core.errors import InvalidInput

HELLO = Hello(
    user=UserInfo(name="Henry", role="child"), model=ModelInfo(label="m", offline=True), session_id="chat_1",
    token_expires_at=0,
)  # fmt: skip


class Socket:
    """A socket in memory. ``stuck`` is one whose client does not read."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.incoming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.closed: int | None = None
        self.broken: Exception | None = None
        self.stuck = False

    def says(self, text: str) -> None:
        self.incoming.put_nowait({"type": "websocket.receive", "text": text})

    def closes(self, code: int) -> None:
        self.incoming.put_nowait({"type": "websocket.disconnect", "code": code})

    async def receive(self) -> dict[str, Any]:
        return await self.incoming.get()

    async def send_text(self, text: str) -> None:
        if self.stuck:
            await asyncio.Event().wait()
        if self.broken:
            raise self.broken
        self.sent.append(json.loads(text))

    async def close(self, code: int) -> None:
        self.closed = code


class Session:
    def __init__(self) -> None:
        self.outgoing = Outgoing()
        self.taken: list[ClientSays] = []
        self.ends: list[CloseReason | None] = []
        self.stopped: CloseReason | None = None
        self.error: Exception | None = None
        self.window: Window | None = None

    async def take(self, frame: ClientSays) -> None:
        if self.error:
            raise self.error
        self.taken.append(frame)

    def left(self, window: Window, ending: CloseReason | None) -> None:
        self.ends.append(ending)

    def stop(self, ending: CloseReason) -> None:
        self.stopped = ending
        if self.window is not None:
            self.window.leave(ending)


class Stage:
    def __init__(self) -> None:
        self.socket, self.session = Socket(), Session()
        self.window = self.session.window = Window(cast("WebSocket", self.socket), 10_000)

    def serve(self) -> asyncio.Task[None]:
        mark = self.session.outgoing.attach(None, lambda: self.window.leave(TOO_SLOW))
        return asyncio.create_task(self.window.serve(self.session, HELLO, mark))

    async def over(self, serving: asyncio.Task[None]) -> None:
        async with asyncio.timeout(10):
            await serving
        assert self.window.gone.is_set()
        assert not self.session.outgoing.shown

    def types(self) -> list[str]:
        return [frame["type"] for frame in self.socket.sent]


@pytest.fixture
async def stage() -> Stage:
    return Stage()


@pytest.mark.parametrize(("code", "ending"), [
    (1000, CLIENT_LEFT), (1001, CLIENT_LEFT), (1005, None), (1006, None), (1009, None), (1011, None), (1012, None),
])  # fmt: skip
async def test_only_a_client_that_says_so_has_left(stage: Stage, code: int, ending: CloseReason | None) -> None:
    serving = stage.serve()
    stage.socket.closes(code)
    await stage.over(serving)
    assert stage.session.ends == [ending]
    assert stage.socket.closed is None


async def test_a_write_that_fails_is_a_lost_connection_unless_the_client_said_goodbye(stage: Stage) -> None:
    stage.socket.broken = WebSocketDisconnect(1006)
    serving = stage.serve()
    stage.socket.closes(1000)
    await stage.over(serving)
    assert stage.session.ends == [CLIENT_LEFT]


@pytest.mark.parametrize("error", [OSError("gone"), RuntimeError("closed"), ValueError("strange")])
async def test_a_socket_that_breaks_while_writing_does_not_end_the_session(
    stage: Stage, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(window_module, "_LAST_WORDS_SECONDS", 0.01)
    stage.socket.broken = error
    await stage.over(stage.serve())
    assert stage.session.ends == [None]
    assert stage.session.stopped is None


async def test_a_goodbye_comes_after_everything_else_and_before_the_close(stage: Stage) -> None:
    serving = stage.serve()
    for _ in range(3):
        await stage.session.outgoing.send(Status())
    stage.window.leave(SHUTDOWN)
    await stage.over(serving)
    assert stage.types() == ["hello", "status", "status", "status", "goodbye"]
    assert stage.socket.closed == 1001


async def test_a_window_that_lost_its_session_says_so_at_once(stage: Stage) -> None:
    serving = stage.serve()
    await asyncio.sleep(0)
    stage.session.outgoing.attach(None, lambda: None)  # another window has it now
    stage.window.leave(MOVED)
    stage.window.leave(SHUTDOWN)
    async with asyncio.timeout(10):
        await serving
    assert stage.types()[-1] == "goodbye"
    assert stage.socket.closed == 1000
    assert stage.session.outgoing.shown, "the other one keeps it"


async def test_a_client_that_does_not_read_is_not_waited_for(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(window_module, "FAREWELL_SECONDS", 0.05)
    stage.socket.stuck = True
    serving = stage.serve()
    await asyncio.sleep(0)
    stage.window.leave(SHUTDOWN)
    await stage.over(serving)
    assert stage.types() == []


async def test_what_cannot_be_done_is_told_with_the_id_of_the_frame(stage: Stage) -> None:
    serving = stage.serve()
    stage.session.error = InvalidInput("Too many.", code="busy", hint="Wait.")
    stage.socket.says('{"type": "message", "message": "hi", "id": "m-1"}')
    stage.socket.says("nonsense")
    stage.session.error = InvalidInput("Too many.", code="busy", hint="Wait.")
    while len(stage.socket.sent) < 3:
        await asyncio.sleep(0)
    assert [(frame["code"], frame["reply_to"]) for frame in stage.socket.sent[1:]] == [
        ("busy", "m-1"), ("invalid_json", None),
    ]  # fmt: skip
    stage.session.error = None
    stage.socket.says('{"message": "hi"}')
    stage.socket.closes(1000)
    await stage.over(serving)
    assert stage.session.taken == [Message(message="hi")]


async def test_an_error_nobody_thought_of_ends_the_session_with_a_number(stage: Stage) -> None:
    serving = stage.serve()
    stage.session.error = RuntimeError("a secret of the server")
    stage.socket.says('{"message": "hi"}')
    await stage.over(serving)
    assert stage.session.stopped is not None
    assert stage.session.stopped.code == 1011
    assert "secret" not in stage.session.stopped.words
    assert stage.types() == ["hello", "goodbye"]
    assert stage.socket.closed == 1011


async def test_a_handshake_that_comes_to_nothing_ends_a_new_session_and_no_old_one(stage: Stage) -> None:
    stage.window.closed_before_it_opened(stage.session, HELLO)
    stage.window.closed_before_it_opened(stage.session, HELLO.model_copy(update={"resumed": True}))
    assert stage.session.ends == [CLIENT_LEFT, None]
    assert stage.window.gone.is_set()

"""A connection that is lost: every frame arrives once, every message arrives once, and the person is told once."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest

from family_food.terminal.connection import chat_socket
from family_food.terminal.connection.link import Link
from family_food.terminal.connection.redial import Patience
from family_food.terminal.problem import ChatProblem, Exit
from tests.support.fake_backend import WAIT_SECONDS, FakeBackend

pytestmark = pytest.mark.slow

QUICK = Patience(first=0.005, most=0.02, give_up=10.0)
Frame = dict[str, Any]


class Ear:
    """Listens to a link and keeps what it heard."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.heard: list[Frame] = []
        self.problem: ChatProblem | None = None
        self._changed = asyncio.Event()

    async def listen(self) -> None:
        try:
            async for frame in self.link.frames():
                self.heard.append(frame)
                self._changed.set()
        except ChatProblem as problem:
            self.problem = problem
            self._changed.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(WAIT_SECONDS):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    async def hears(self, kind: str, count: int = 1) -> Frame:
        await self.until(lambda: len(self.of(kind)) >= count)
        return self.of(kind)[count - 1]

    async def over(self) -> ChatProblem:
        await self.until(lambda: self.problem is not None)
        assert self.problem is not None
        return self.problem

    def of(self, kind: str) -> list[Frame]:
        return [frame for frame in self.heard if frame["type"] == kind]

    def states(self) -> list[str]:
        return [frame["state"] for frame in self.of("link")]

    def numbers(self) -> list[int]:
        return [frame["seq"] for frame in self.heard if "seq" in frame]


@asynccontextmanager
async def chatting(backend: FakeBackend, session: str | None = None, **patience: float) -> AsyncIterator[Ear]:
    link = await Link.open(backend.url, "first-token", session, patience=Patience(**patience) if patience else QUICK)
    ear = Ear(link)
    listening = asyncio.create_task(ear.listen())
    try:
        await ear.hears("hello")
        yield ear
    finally:
        await link.close()
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)


def do(work: Callable[..., Any], *arguments: Any, **named: Any) -> Coroutine[Any, Any, Any]:
    """Do something on the server's side while the client goes on."""
    return asyncio.to_thread(work, *arguments, **named)


def cut(backend: FakeBackend) -> None:
    """Cut every connection, from within the server."""
    assert backend._server is not None
    for connection in list(backend._server.server_state.connections):
        connection.transport.abort()


async def test_the_socket_is_asked_for_without_copies_of_the_conversation(backend: FakeBackend) -> None:
    async with chatting(backend) as ear:
        assert backend.query == {"history": "none"}
        assert (ear.link.session_id, ear.link.title, ear.link.resumed) == ("s-1", "", False)


@pytest.mark.parametrize("lose", [False, True])
async def test_a_connection_that_is_lost_at_every_frame_repeats_and_leaves_out_nothing(
    backend: FakeBackend, lose: bool
) -> None:
    def play() -> None:
        message = backend.received()
        assert message["message"] == "hello"
        backend.drop(lose=lose)
        backend.begin()
        backend.drop(lose=lose)
        for word in ("a ", "b ", "c "):
            backend.stream(word)
            backend.drop(lose=lose)
        backend.tool("list_dishes", "started")
        backend.drop(lose=lose)
        backend.tool("list_dishes", "done")
        backend.drop(lose=lose)
        backend.send({"type": "text", "content": "a b c ", "turn": 1, "streamed": True})
        backend.drop(lose=lose)
        backend.end()
        backend.drop(lose=lose)

    async with chatting(backend) as ear:
        await ear.link.say("hello")
        await do(play)
        await ear.hears("turn_end")
        assert ear.numbers() == list(range(1, 11))
        assert "".join(frame["content"] for frame in ear.of("text_delta")) == "a b c "
        assert [frame["type"] for frame in ear.heard if "seq" in frame] == [
            "accepted",
            "turn_start",
            *["text_delta"] * 3,
            *["tool"] * 2,
            "text",
            "history_update",
            "turn_end",
        ]
        assert backend.silent()


async def test_a_connection_that_is_lost_while_it_is_greeted_is_tried_again(backend: FakeBackend) -> None:
    async def lose_it_and_greet(*arguments: Any) -> None:
        session.attach = properly  # type: ignore[method-assign]
        cut(backend)
        for _ in range(5):  # the server's loop has to notice
            await asyncio.sleep(0)
        await properly(*arguments)

    async with chatting(backend) as ear:
        session = backend.sessions["s-1"]
        properly = session.attach
        session.attach = lose_it_and_greet  # type: ignore[assignment,method-assign]
        await do(backend.drop)
        await ear.hears("hello", 2)
        await do(backend.answer, "still here")
        assert (await ear.hears("text"))["content"] == "still here"
        assert ear.states() == ["lost", "back"]


async def test_the_loss_is_told_once_and_so_is_the_return(backend: FakeBackend) -> None:
    async with chatting(backend) as ear:
        await do(backend.die, forget=False)
        await ear.hears("link")
        await do(backend.come_back)
        await ear.hears("hello", 2)
        assert ear.states() == ["lost", "back"]
        assert backend.query == {"history": "none", "session": "s-1", "after": "0"}
        await do(backend.answer, "still here")
        assert (await ear.hears("text"))["content"] == "still here"


async def test_a_message_said_while_nobody_listens_is_sent_once_when_the_server_is_back(backend: FakeBackend) -> None:
    async with chatting(backend) as ear:
        await do(backend.die, forget=False)
        await ear.hears("link")
        said = await ear.link.say("order fries")
        await do(backend.come_back)
        assert (await do(backend.received)) == {"type": "message", "message": "order fries", "id": said}
        assert (await ear.hears("accepted"))["message_id"] == said
        await do(backend.drop)
        await ear.hears("hello", 3)
        await do(backend.answer, "ordered")
        await ear.hears("turn_end")
        assert backend.silent()
        assert len(ear.of("accepted")) == 1


async def test_a_message_that_arrived_unseen_is_not_taken_again(backend: FakeBackend) -> None:
    async def take_it_and_be_lost(frame: Frame) -> bool:
        session.take_message = properly  # type: ignore[method-assign]
        session.known.append(frame["id"])
        session.waiting.append(frame["id"])
        cut(backend)
        return True

    async with chatting(backend) as ear:
        session = backend.sessions["s-1"]
        properly = session.take_message
        session.take_message = take_it_and_be_lost  # type: ignore[method-assign]
        said = await ear.link.say("order fries")
        accepted = await ear.hears("accepted")
        assert (accepted["message_id"], accepted["duplicate"]) == (said, True)
        assert (await do(backend.received))["id"] == said
        assert backend.silent()


async def test_a_server_that_was_begun_anew_ends_the_turn_and_tells_what_was_cut_short(backend: FakeBackend) -> None:
    async with chatting(backend) as ear:
        said = await ear.link.say("order fries")
        await do(backend.received)
        await do(backend.begin)
        await do(backend.stream, "Let me ", "see ")
        await ear.hears("text_delta", 2)
        stored = {"title": "Fries", "interrupted": {"turn": 1, "said": "order fries"}, "message_ids": [said]}
        backend.conversations["s-1"] = stored
        await do(backend.die)
        await ear.hears("link")
        await do(backend.come_back)
        hello = await ear.hears("hello", 2)
        assert hello["interrupted"] == {"turn": 1, "said": "order fries"}
        assert ear.link.title == "Fries"
        ended = await ear.hears("turn_end")
        assert (ended["turn"], ended["outcome"]) == (1, "interrupted")
        assert "cut short" in ear.of("link")[-1]["content"]
        # The count of the frames begins again, and nothing of it is taken for something that was had.
        await do(backend.answer, "Fries are ordered.", turn=2, cause="continue")
        await ear.hears("turn_end", 2)
        assert ear.of("text")[0]["content"] == "Fries are ordered."
        assert backend.silent()


async def test_a_message_that_waited_when_the_server_died_is_said_again(backend: FakeBackend) -> None:
    async with chatting(backend) as ear:
        first = await ear.link.say("first")
        await do(backend.received)
        await do(backend.begin)
        second = await ear.link.say("second")
        await do(backend.received)
        await ear.hears("accepted", 2)
        await ear.hears("turn_start")
        backend.conversations["s-1"] = {"interrupted": {"turn": 1, "said": "first"}, "message_ids": [first]}
        await do(backend.die)
        await do(backend.come_back)
        assert (await do(backend.received))["id"] == second
        assert backend.silent()


async def test_a_server_that_lost_the_conversation_gets_nothing_twice(backend: FakeBackend) -> None:
    async with chatting(backend) as ear:
        await do(backend.answer, "hello")
        await ear.hears("turn_end")
        await do(backend.die)
        await ear.hears("link")
        await ear.link.say("order fries")
        backend.hello = {**(backend.hello or {}), "session_id": "s-7"}
        await do(backend.come_back)
        await ear.hears("hello", 2)
        assert ear.states() == ["lost", "new_session"]
        assert ear.link.session_id == "s-7"
        assert "may not have arrived: order fries" in (await ear.hears("error"))["content"]
        assert backend.silent()
        await do(backend.answer, "a fresh start")
        assert (await ear.hears("text", 2))["content"] == "a fresh start"


async def test_an_empty_conversation_that_is_gone_costs_no_message(backend: FakeBackend) -> None:
    async with chatting(backend) as ear:
        await do(backend.die)
        await ear.hears("link")
        await ear.link.say("hello")
        backend.hello = {**(backend.hello or {}), "session_id": "s-7"}
        await do(backend.come_back)
        assert (await do(backend.received))["message"] == "hello"


async def test_an_answer_to_a_question_arrives_although_the_connection_was_lost(backend: FakeBackend) -> None:
    question = {"type": "confirm", "content": "Approve?", "confirm_id": "c-1", "comment": "", "request": {}}
    async with chatting(backend) as ear:
        await do(backend.begin)
        await do(backend.send, question)
        await ear.hears("confirm")
        await do(backend.die, forget=False)
        await ear.hears("link")
        await ear.link.send(type="confirm", confirm_id="c-1", answer=True)
        await do(backend.come_back)
        assert await do(backend.received) == {"type": "confirm", "confirm_id": "c-1", "answer": True}
        await do(backend.drop)
        assert await do(backend.received) == {"type": "confirm", "confirm_id": "c-1", "answer": True}
        refusal = {"type": "error", "content": "Not open.", "code": "no_such_confirm", "hint": "", "reply_to": None}
        await do(backend.send, refusal, {"type": "confirm_closed", "content": "", "confirm_id": "c-1"})
        await ear.hears("confirm_closed")
        assert ear.of("error") == []  # it had been taken the first time
        await do(backend.drop)
        await ear.hears("hello", 4)
        assert backend.silent()


async def test_a_yes_that_was_no_answer_is_not_said_into_a_question(backend: FakeBackend) -> None:
    async with chatting(backend) as ear:
        await do(backend.die, forget=False)
        await ear.hears("link")
        await ear.link.say("yes")
        await do(backend.begin, 3, "event")  # while the client is away a turn begins, and asks
        await do(backend.come_back)
        await ear.hears("turn_start")
        assert backend.silent()
        await do(backend.end, 3)
        assert (await do(backend.received))["message"] == "yes"


async def test_a_cancel_reaches_the_turn_it_was_meant_for_and_no_other(backend: FakeBackend) -> None:
    async with chatting(backend) as ear:
        await do(backend.begin, 1, "event")
        await ear.hears("turn_start")
        await do(backend.die, forget=False)
        await ear.hears("link")
        await ear.link.send(type="cancel")
        await do(backend.come_back)
        assert await do(backend.received) == {"type": "cancel"}
        await do(backend.die, forget=False)
        await do(backend.come_back)
        assert await do(backend.received) == {"type": "cancel"}  # it may not have arrived
        await do(backend.end, 1, "cancelled")
        await ear.hears("turn_end")
        await do(backend.begin, 2, "event")
        await do(backend.drop)
        await ear.hears("hello", 4)
        assert backend.silent()


async def test_a_log_in_that_ended_meanwhile_ends_the_chat_with_the_way_to_log_in_again(backend: FakeBackend) -> None:
    async with chatting(backend) as ear:
        backend.tokens.clear()
        await do(backend.drop)
        problem = await ear.over()
        assert problem.exit_code is Exit.NOT_LOGGED_IN
        assert "expired" in problem.sentence
        assert f"client.py --url {backend.url} --login" in problem.sentence
        assert backend.opened == 2  # once, not again and again


async def test_a_token_that_is_over_by_the_clock_is_not_even_tried(backend: FakeBackend) -> None:
    backend.hello = {**(backend.hello or {}), "token_expires_at": 1}
    async with chatting(backend) as ear:
        await do(backend.drop)
        assert (await ear.over()).exit_code is Exit.NOT_LOGGED_IN
        assert backend.opened == 1


async def test_a_renewed_token_is_the_one_that_opens_the_chat_again(backend: FakeBackend) -> None:
    async with chatting(backend) as ear:
        await ear.link.renew()
        assert await do(backend.received) == {"type": "authenticate", "token": "second-token"}
        await do(backend.drop)
        await ear.hears("hello", 2)
        assert backend.headers["authorization"] == "Bearer second-token"


async def test_nobody_answering_for_too_long_ends_the_chat(backend: FakeBackend) -> None:
    async with chatting(backend, first=0.005, most=0.01, give_up=0.05) as ear:
        await do(backend.die)
        problem = await ear.over()
        assert problem.exit_code is Exit.UNREACHABLE
        assert "nobody answered" in problem.sentence
        assert ear.states() == ["lost"]


@pytest.mark.parametrize("code", [1001, 1011, 1012])
async def test_a_server_that_closes_for_its_own_reasons_is_tried_again(backend: FakeBackend, code: int) -> None:
    async with chatting(backend) as ear:
        await do(backend.hang_up, code)
        await ear.hears("hello", 2)
        assert ear.states() == ["lost", "back"]


async def test_a_chat_that_another_window_goes_on_with_is_not_taken_back(backend: FakeBackend) -> None:
    async with chatting(backend) as ear, chatting(backend, "s-1") as other:
        problem = await ear.over()
        assert problem.exit_code is Exit.ERROR
        assert ear.of("goodbye")[0]["code"] == 1000
        assert other.link.resumed
        assert ear.states() == []


async def test_a_program_that_did_not_read_comes_back_but_one_whose_log_in_is_over_does_not(
    backend: FakeBackend,
) -> None:
    async with chatting(backend) as ear:
        await do(backend.hang_up, 1008)
        await ear.hears("hello", 2)
        await do(backend.send, {"type": "goodbye", "content": "Your log-in has expired.", "code": 1008})
        await do(backend.hang_up, 1008)
        assert (await ear.over()).exit_code is Exit.NOT_LOGGED_IN


async def test_a_message_that_breaks_the_connection_each_time_is_given_up(backend: FakeBackend) -> None:
    async def break_it(frame: Frame) -> bool:
        cut(backend)
        return False

    async with chatting(backend) as ear:
        backend.sessions["s-1"].take_message = break_it  # type: ignore[method-assign]
        await ear.link.say("boom")
        assert "may not have arrived: boom" in (await ear.hears("error"))["content"]


async def test_closing_while_the_connection_is_lost_ends_at_once(backend: FakeBackend) -> None:
    link = await Link.open(backend.url, "first-token", patience=Patience(first=60.0))
    ear = Ear(link)
    listening = asyncio.create_task(ear.listen())
    await ear.hears("hello")
    await do(backend.drop)
    await ear.hears("link")
    async with asyncio.timeout(5):
        await link.close()
        await listening
    assert ear.problem is None


async def test_a_server_that_falls_silent_is_noticed_and_found_again(
    backend: FakeBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chat_socket, "_PING_SECONDS", 0.1)
    monkeypatch.setattr(chat_socket, "_OPEN_SECONDS", 0.2)
    thaw = threading.Event()

    async def freeze() -> None:
        thaw.wait(WAIT_SECONDS)  # nothing of the server moves, but its sockets stay open

    async with chatting(backend) as ear:
        frozen = asyncio.create_task(do(backend._run, freeze()))
        await ear.hears("link")
        assert ear.states() == ["lost"]
        thaw.set()
        await frozen
        await ear.hears("hello", 2)
        await do(backend.answer, "awake again")
        assert (await ear.hears("text"))["content"] == "awake again"

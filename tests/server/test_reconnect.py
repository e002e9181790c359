"""A session lives on without its socket: who comes back goes on where it was, and nothing happens twice."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from typing import Any

import httpx
import pytest
from sqlalchemy import select
from websockets.exceptions import ConnectionClosed

from family_food.chat.close_reasons import SHUTDOWN
from family_food.messages import UserMessage
from family_food.tables import turns
from permit_core.access import ResourceRef
from permit_core.identity import Actor
from permit_core.ports.request import RequestKind, RequestStatus
from tests.server.conftest import StartServer
from tests.server.test_session import see_everything, tiny
from tests.support.chat_server import ChatClient, ChatServer, Frame, until
from tests.support.scripted_model import ScriptedModel, calls, says

pytestmark = pytest.mark.slow

HENRY = Actor("default", "default", "3", "Henry")
JOE = Actor("default", "default", "1", "Joe")
DISH = ResourceRef("dishes", "1-pepperoni-pizza")
OPERATION = RequestKind.OPERATION_APPROVAL


async def lost(server: ChatServer, client: ChatClient) -> None:
    """The client's connection breaks, and the server has noticed."""
    session = server.manager.active_connections[client.hello["session_id"]]
    client.lose()
    await until(lambda: session.lost_at is not None, "the loss")


async def test_a_client_that_comes_back_gets_every_frame_once_and_the_turn_goes_on(start: StartServer) -> None:
    gate = asyncio.Event()
    model = ScriptedModel([*says("One. ", "Two. ")[:-1], gate, *says("One. ", "Two. ", "Three.")[2:]])
    server = await start(model, tiny)
    async with server.chat("henry") as henry:
        await henry.say("count", id="m-1")
        await henry.next("text_delta")
        await lost(server, henry)
        gate.set()
        await until(lambda: not server.manager.active_connections[henry.hello["session_id"]].busy, "the turn's end")
        hello = await henry.come_back()
        assert (hello["resumed"], hello["missed"], hello["turn"]) == (True, False, None)
        turn = await henry.turn()
        assert turn.text == "One. Two. Three."
        assert turn.outcome == "completed"
        deltas = [frame["content"] for frame in henry.seen if frame["type"] == "text_delta"]
        assert deltas == ["One. ", "Two. ", "Three."]
        assert [frame["seq"] for frame in henry.seen if frame["type"] != "hello"] == list(range(1, henry.last + 1))
    assert model.stopped == 1


async def test_a_client_that_comes_back_into_a_turn_is_told_which_one_runs(start: StartServer) -> None:
    gate = asyncio.Event()
    server = await start(ScriptedModel([gate, *says("There.")]), tiny)
    async with server.chat("henry") as henry:
        await henry.say("hi")
        await henry.next("turn_start")
        await lost(server, henry)
        assert (await henry.come_back())["turn"] == 1
        gate.set()
        assert (await henry.turn()).text == "There."


async def test_a_window_with_no_past_gets_the_running_turn_from_its_start_and_the_open_question(
    start: StartServer,
) -> None:
    model = ScriptedModel(says("Hello."))
    server = await start(model)
    request = await server.backend.core.approvals.ask_operation(HENRY, DISH, "order", "birthday")
    model._scripts.clear()
    model._scripts.extend([
        calls(("approve_operation_approval", {"operation_approval_id": request.id})), says("Done."),
    ])  # fmt: skip
    async with server.chat("joe") as joe:
        await joe.say("approve it")
        asked = await joe.next("confirm")
        await lost(server, joe)
        await joe.come_back(remembering=False)
        first = await joe.frame()
        assert first["type"] == "turn_start"
        question = await joe.next("confirm")
        assert question["confirm_id"] == asked["confirm_id"]
        assert 0 < question["expires_in"] <= asked["expires_in"]
        await joe.send(type="confirm", confirm_id=question["confirm_id"], answer=True)
        assert (await joe.turn()).outcome == "completed"
    found = await server.backend.core.approvals.get(JOE, OPERATION, request.id)
    assert found.status is RequestStatus.APPROVED


async def test_a_second_window_takes_the_session_over_and_the_turn_notices_nothing(start: StartServer) -> None:
    gate = asyncio.Event()
    model = ScriptedModel([*says("Half ")[:-1], gate, *says("Half ", "done.")[1:]])
    server = await start(model, tiny)
    async with server.chat("henry") as old:
        await old.say("go on")
        await old.next("text_delta")
        async with server.chat("henry", session=old.hello["session_id"]) as new:
            assert (new.hello["resumed"], new.hello["turn"]) == (True, 1)
            goodbye = await old.next("goodbye")
            assert (goodbye["code"], goodbye["seq"]) == (1000, None)
            assert await old.closed() == 1000
            gate.set()
            turn = await new.turn()
            assert turn.text == "Half done."
            assert [frame["type"] for frame in turn.frames][:2] == ["turn_start", "text_delta"]
    assert model.stopped == 1
    assert len(await server.events("turn.started")) == 1


async def test_windows_that_race_for_a_session_leave_it_to_one_and_its_turn_alone(start: StartServer) -> None:
    gate = asyncio.Event()
    server = await start(ScriptedModel([gate, *says("Who won?")]), tiny)
    async with server.chat("henry") as first:
        await first.say("race")
        await first.next("turn_start")
        session, token = first.hello["session_id"], server.token("henry")

        async def window() -> list[Frame]:
            async with server.socket(token, session, 0) as socket:
                client = ChatClient(socket)
                try:
                    while not client.seen or client.seen[-1]["type"] not in ("turn_end", "goodbye"):
                        await client.frame()
                except ConnectionClosed:
                    pass
                return client.seen

        racing = [asyncio.create_task(window()) for _ in range(5)]
        await until(lambda: sum(task.done() for task in racing) == 4, "the end of all windows but one")
        gate.set()
        seen = await asyncio.gather(*racing)
    ends = Counter(frames[-1]["type"] for frames in seen)
    assert ends == {"goodbye": 4, "turn_end": 1}
    assert len(await server.events("turn.started")) == 1


async def test_nobody_else_can_come_to_a_session(start: StartServer) -> None:
    server = await start(ScriptedModel(says("A secret.")), tiny)
    async with server.chat("henry") as henry:
        await henry.ask("tell me")
        await lost(server, henry)
        async with server.chat("rose", session=henry.hello["session_id"], after=0) as rose:
            assert rose.hello["session_id"] != henry.hello["session_id"]
            assert not rose.hello["resumed"]
            await rose.ask("hi")
            assert next(frame["seq"] for frame in rose.seen if frame["seq"]) == 1
        assert (await henry.come_back())["resumed"]


async def test_a_client_that_left_for_good_has_ended_its_session(start: StartServer) -> None:
    server = await start(ScriptedModel(says("Hello.")), tiny)
    async with server.chat("henry") as henry:
        await henry.ask("hi")
    await until(lambda: not server.manager.active_connections, "the session's end")
    async with server.chat("henry", session=henry.hello["session_id"], after=henry.last) as again:
        assert (again.hello["resumed"], again.hello["newest"], again.hello["title"]) == (True, 0, "hi")
        assert (await again.ask("hi again")).frames[-1]["turn"] == 2


async def test_a_session_nobody_comes_back_to_ends(start: StartServer) -> None:
    server = await start(ScriptedModel(says("Hello.")), tiny, reconnect_seconds=0.2)
    async with server.chat("henry") as henry:
        await henry.ask("hi")
        henry.lose()
        await until(lambda: not server.manager.active_connections, "the session's end")
        await until(lambda: server.children() == [], "the end of every child")
        hello = await henry.come_back()
        assert (hello["resumed"], hello["turn"], hello["interrupted"]) == (True, None, None)


async def test_sessions_nobody_shows_make_room_for_a_new_one(
    start: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("family_food.chat.connections.MAX_SESSIONS_PER_USER", 2)
    server = await start(ScriptedModel(says("Hello.")), tiny)
    async with server.chat("henry") as stays, server.chat("henry") as goes:
        await goes.ask("hi")
        await lost(server, goes)
        async with server.chat("henry") as newcomer:
            assert (await newcomer.ask("hi")).outcome == "completed"
            assert set(server.manager.active_connections) == {stays.hello["session_id"], newcomer.hello["session_id"]}
            with pytest.raises(Exception, match="HTTP 403"):
                await goes.come_back()
        await until(lambda: len(server.manager.active_connections) == 1, "the newcomer's end")
        assert (await goes.come_back())["resumed"]


async def test_a_newer_token_lets_the_session_live_longer_and_an_old_one_does_not_end_it(start: StartServer) -> None:
    server = await start(ScriptedModel(says("Hello.")), tiny, access_token_expire_minutes=0.1)
    old = server.token("henry")
    async with server.chat("henry", old) as henry:
        first = henry.hello["token_expires_at"]
        await henry.next("token_expiring")
        await lost(server, henry)
        async with server.chat("henry", session=henry.hello["session_id"]) as newer:
            assert newer.hello["token_expires_at"] > first
            async with server.chat("henry", old, session=henry.hello["session_id"]) as again:
                assert again.hello["token_expires_at"] == newer.hello["token_expires_at"]


async def test_frames_that_are_too_old_are_missed_and_that_is_said(
    start: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = await start(ScriptedModel(says(*["word "] * 60)), tiny)
    async with server.chat("henry") as henry:
        session = server.manager.active_connections[henry.hello["session_id"]]
        monkeypatch.setattr(session.outgoing._log, "_max_frames", 20)
        await henry.say("talk")
        await lost(server, henry)
        await until(lambda: not session.busy, "the turn's end")
        henry.last = 1
        hello = await henry.come_back()
        assert hello["missed"]
        henry.last = 0
        turn = await henry.turn()
        assert len(turn.frames) == 20
        assert turn.outcome == "completed"


async def test_no_copies_of_the_conversation_for_a_client_that_wants_none(start: StartServer) -> None:
    server = await start(ScriptedModel(says("Hello.")), tiny)
    token = server.token("henry")
    async with server.socket(token, history=False) as socket:
        henry = ChatClient(socket)
        await henry.greeted()
        turn = await henry.ask("hi")
        assert [frame["content"] for frame in turn.of("history_update")] == [[]]
        async with server.chat("henry", session=henry.hello["session_id"]) as other:
            assert len((await other.ask("hi")).of("history_update")[0]["content"]) == 4


@pytest.mark.parametrize("after", ["-1", "x", "1e3", "9" * 30, "", "0x1", "\u0663"])
async def test_a_number_that_is_none_is_no_number(start: StartServer, after: str) -> None:
    server = await start(ScriptedModel(says("Hello.")), tiny)
    async with server.chat("henry") as henry:
        await henry.ask("hi")
        async with server.chat("henry", session=henry.hello["session_id"], after=after) as again:  # type: ignore[arg-type]
            assert not again.hello["missed"]
            assert (await again.ask("hi")).outcome == "completed"


# Messages are taken once


async def numbers_of(server: ChatServer) -> Counter[str]:
    """How many turns each message has."""
    async with server.backend.core.database.reading() as reading:
        found = await reading.execute(select(turns.c.message_id).where(turns.c.cause == "message"))
        return Counter(found.scalars())


async def test_a_message_that_is_sent_again_is_taken_once_whenever_that_is(start: StartServer) -> None:
    gate = asyncio.Event()
    server = await start(ScriptedModel([gate, *says("One.")], says("Two.")), tiny)
    async with server.chat("henry") as henry:
        await henry.say("first", id="m-1")
        assert await henry.next("accepted") == {
            "seq": 1, "type": "accepted", "content": "", "message_id": "m-1", "duplicate": False, "waiting": 0,
        }  # fmt: skip
        await henry.next("turn_start")
        await henry.say("first", id="m-1")
        assert (await henry.next("accepted"))["duplicate"], "while it runs"
        await henry.say("second", id="m-2")
        await henry.say("third", id="m-3")
        assert [(await henry.next("accepted"))["waiting"] for _ in range(2)] == [0, 1]
        await henry.say("second", id="m-2")
        assert (await henry.next("accepted"))["duplicate"], "while it waits"
        gate.set()
        for _ in range(3):
            await henry.turn()
        await henry.say("first", id="m-1")
        assert (await henry.next("accepted"))["duplicate"], "when it is over"
    await until(lambda: not server.manager.active_connections, "the session's end")
    async with server.chat("henry", session=henry.hello["session_id"]) as again:
        await again.say("second", id="m-2")
        assert (await again.next("accepted"))["duplicate"], "in another life of the session"
    assert await numbers_of(server) == {"m-1": 1, "m-2": 1, "m-3": 1}


async def test_a_yes_that_is_sent_again_does_not_answer_the_next_question(start: StartServer) -> None:
    model = ScriptedModel(says("Hello."))
    server = await start(model)
    approvals = server.backend.core.approvals
    one = await approvals.ask_operation(HENRY, DISH, "order", "birthday")
    two = await approvals.ask_operation(Actor("default", "default", "4", "Rose"), DISH, "order", "birthday")
    wanted = [("approve_operation_approval", {"operation_approval_id": each.id}) for each in (one, two)]
    model._scripts.clear()
    model._scripts.extend([calls(*wanted), says("Done.")])
    async with server.chat("joe") as joe:
        await joe.say("approve both", id="m-1")
        await joe.next("confirm")
        await joe.next("text")
        await joe.say("yes", id="m-2")
        second = await joe.next("confirm")
        await joe.say("yes", id="m-2")
        assert (await joe.next("accepted"))["duplicate"]
        await joe.send(type="confirm", confirm_id=second["confirm_id"], answer=False)
        await joe.turn()
    assert (await approvals.get(JOE, OPERATION, one.id)).status is RequestStatus.APPROVED
    assert (await approvals.get(JOE, OPERATION, two.id)).status is RequestStatus.PENDING


@pytest.mark.parametrize("message_id", ["\x00", "a\nb", "\u202e"])
async def test_an_id_that_cannot_be_seen_is_refused(start: StartServer, message_id: str) -> None:
    server = await start(ScriptedModel(says("Hello.")), tiny)
    async with server.chat("henry") as henry:
        await henry.say("hi", id=message_id)
        error = await henry.next("error")
        assert (error["code"], error["reply_to"]) == ("invalid_message_id", message_id)
        assert (await henry.ask("hi")).outcome == "completed"


async def test_a_message_the_database_did_not_take_can_be_sent_again(
    start: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = await start(ScriptedModel(says("Hello.")), tiny)
    store = server.backend.conversations
    begin, times = store.begin_turn, iter(range(10))

    async def broken(*args: Any, **more: Any) -> None:
        if next(times) == 0:
            raise OSError("the disk is full")
        await begin(*args, **more)

    monkeypatch.setattr(store, "begin_turn", broken)
    async with server.chat("henry") as henry:
        await henry.say("hi", id="m-1")
        turn = await henry.turn()
        assert (turn.outcome, [frame["code"] for frame in turn.of("error")]) == ("failed", ["internal_error"])
        assert turn.of("text_delta") == [], "nothing is said that is not written"
        await henry.say("hi", id="m-1")
        turn = await henry.turn()
        assert (turn.outcome, turn.text) == ("completed", "Hello.")
    assert await numbers_of(server) == {"m-1": 1}


async def test_a_session_that_cannot_write_a_turn_s_end_ends_and_the_next_one_reads_it_anew(
    start: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = await start(ScriptedModel(says("Hello.")), tiny)

    async def broken(*_: Any, **__: Any) -> None:
        raise OSError("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(server.backend.conversations, "end_turn", broken)
        async with server.chat("henry") as henry:
            await henry.say("hi")
            assert (await henry.next("goodbye"))["code"] == 1011
            assert await henry.closed() == 1011
    async with server.chat("henry", session=henry.hello["session_id"]) as again:
        assert again.hello["interrupted"] == {"turn": 1, "said": "hi"}


async def test_however_often_the_connection_breaks_each_message_has_one_turn_in_the_order_it_was_said(
    start: StartServer,
) -> None:
    chance = random.Random(7)
    model = ScriptedModel(
        lambda prompt: (
            calls(("say", {"text": "done"})) if prompt.entries[-1].kind == "user" else says("Well, ", "done.")
        )
    )
    server = await start(model, tiny)
    see_everything(server)
    # What the tools answer is nobody's words: no call is asked about because of it.
    object.__setattr__(server.backend, "own_tools", True)
    wanted = [f"m-{number}" for number in range(12)]
    async with server.chat("henry") as henry:
        session = server.manager.active_connections[henry.hello["session_id"]]
        ended: list[str] = []
        while len(ended) < len(wanted):
            # Sent again is whatever has no end yet, as often as the connection breaks; a few frames are read.
            try:
                for message_id in wanted[len(ended) : len(ended) + 4]:
                    await henry.say(f"do {message_id}", id=message_id)
                for _ in range(chance.randrange(1, 12)):
                    frame = await henry.frame()
                    if frame["type"] == "turn_end":
                        ended.append(wanted[len(ended)])
                    if len(ended) == len(wanted):
                        break  # nothing more comes
            except ConnectionClosed:
                pass
            if chance.random() < 0.5:
                henry.lose()
                await henry.come_back()
        assert server.manager.active_connections[henry.hello["session_id"]] is session
        numbers = [frame["seq"] for frame in henry.seen if frame["type"] != "hello"]
        assert numbers == list(range(1, len(numbers) + 1)), "every frame once, in order"
        begun = [frame["message_id"] for frame in henry.seen if frame["type"] == "turn_start"]
        assert begun == wanted
    assert await numbers_of(server) == dict.fromkeys(wanted, 1)
    stored = await server.backend.conversations.load(henry.hello["session_id"], HENRY)
    said = [entry.text for entry in stored.entries if isinstance(entry, UserMessage)]
    assert said == [f"do {message_id}" for message_id in wanted]


# Interrupted turns


async def test_a_turn_cut_by_the_server_s_end_is_told_of_and_can_be_continued(start: StartServer) -> None:
    model = ScriptedModel([*says("Let me see")[:-1], asyncio.Event()], says("As I said."))
    server = await start(model, tiny)
    async with server.chat("henry") as henry:
        await henry.say("a long story")
        await henry.next("text_delta")
        await server.manager.close_all(SHUTDOWN)
        assert (await henry.next("goodbye"))["code"] == 1001
        assert await henry.closed() == 1001
        hello = await henry.come_back()
        assert hello["interrupted"] == {"turn": 1, "said": "a long story"}
        assert (hello["resumed"], hello["newest"], hello["turn"]) == (True, 0, None)
        henry.last = 0
        await henry.send(type="continue")
        await henry.send(type="continue")
        assert (await henry.next("error"))["code"] == "nothing_to_continue"
        while (frame := await henry.frame())["type"] != "turn_end":
            if frame["type"] == "turn_start":
                assert (frame["turn"], frame["cause"]) == (2, "continue")
        assert (frame["outcome"], frame["turn"]) == ("completed", 2)
        assert (await henry.come_back())["interrupted"] is None
    heard = model.prompts[-1].entries
    assert [entry.kind for entry in heard] == ["user", "model", "event"]
    ended = await server.events("turn.ended")
    assert [event["outcome"] for event in ended] == ["interrupted", "completed"]


async def test_there_is_nothing_to_continue_when_nothing_was_cut(start: StartServer) -> None:
    server = await start(ScriptedModel(says("Hello.")), tiny)
    async with server.chat("henry") as henry:
        await henry.ask("hi")
        await henry.send(type="continue")
        assert (await henry.next("error"))["code"] == "nothing_to_continue"


async def test_another_message_instead_of_going_on_leaves_the_interrupted_turn_behind(start: StartServer) -> None:
    model = ScriptedModel([asyncio.Event()], says("Hello."))
    server = await start(model, tiny)
    async with server.chat("henry") as henry:
        await henry.say("wait for me")
        await until(lambda: bool(model.prompts), "the model's turn")
        await server.manager.close_all(SHUTDOWN)
        await henry.closed()
        henry.last = 0
        assert (await henry.come_back())["interrupted"]["said"] == "wait for me"
        await henry.ask("never mind")
        await henry.send(type="continue")
        assert (await henry.next("error"))["code"] == "nothing_to_continue"


# News


async def test_news_that_comes_while_the_client_is_away_is_told_when_it_is_back(start: StartServer) -> None:
    server = await start(ScriptedModel(says("I will order it.")), tiny)
    approvals = server.backend.core.approvals
    async with server.chat("henry") as henry:
        await henry.ask("hi")
        await lost(server, henry)
        request = await approvals.ask_operation(HENRY, DISH, "order", "birthday")
        await approvals.approve(JOE, OPERATION, request.id)
        session = server.manager.active_connections[henry.hello["session_id"]]
        await until(lambda: server.backend.notices.running, "the dispatch")
        assert not session.busy
        await henry.come_back()
        notice = await henry.next("notice")
        assert notice["request"]["id"] == request.id
        assert (await henry.turn()).frames[0]["cause"] == "event"
        await lost(server, henry)
        await henry.come_back()
        await henry.ask("anything else?")
        assert sum(frame["type"] == "notice" for frame in henry.seen) == 1
    async with server.chat("henry") as later:
        await later.ask("hi")
        assert [frame for frame in later.seen if frame["type"] == "notice"] == []


async def test_news_that_was_told_but_not_acted_on_is_told_to_the_next_session(start: StartServer) -> None:
    model = ScriptedModel([asyncio.Event()], says("I will order it."))
    server = await start(model, tiny)
    approvals = server.backend.core.approvals
    async with server.chat("henry") as henry:
        await henry.say("think")
        await until(lambda: bool(model.prompts), "the model's turn")
        request = await approvals.ask_operation(HENRY, DISH, "order", "birthday")
        await approvals.approve(JOE, OPERATION, request.id)
        await henry.next("notice")
        await server.manager.close_all(SHUTDOWN)
        await henry.closed()
        henry.last = 0
        await henry.come_back()
        assert (await henry.next("notice"))["request"]["id"] == request.id
        assert (await henry.turn()).frames[0]["cause"] == "event"


# Beside the socket


async def test_a_new_title_is_told_to_whoever_comes_back(start: StartServer) -> None:
    server = await start(ScriptedModel(says("Hello.")), tiny)
    bearer = {"Authorization": f"Bearer {server.token('henry')}"}
    async with server.chat("henry") as henry:
        await henry.ask("hi")
        async with httpx.AsyncClient(base_url=server.url, headers=bearer, trust_env=False, timeout=60) as web:
            changed = await web.patch(f"/conversations/{henry.hello['session_id']}", json={"title": "Supper"})
            assert changed.status_code == 200
        await lost(server, henry)
        assert (await henry.come_back())["title"] == "Supper"

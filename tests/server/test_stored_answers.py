"""People list and decide without a model: the same policy, the same record, exactly what is stored."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from permit_core.access import ResourceRef
from permit_core.approvals.calls import Call
from permit_core.entries import RoleAssignment
from permit_core.identity import Actor
from permit_core.policy.judgement import Hold
from permit_core.ports.request import Request, RequestKind, RequestStatus
from permit_core.views import RequestView
from tests.server.conftest import StartServer
from tests.support.chat_server import ChatClient, ChatServer, Frame
from tests.support.scripted_model import ScriptedModel, calls, says

pytestmark = pytest.mark.slow

JOE = Actor("default", "default", "1", "Joe")
HENRY = Actor("default", "default", "3", "Henry")
ROSE = Actor("default", "default", "4", "Rose")
DEAR = ResourceRef("dishes", "1-pepperoni-pizza")
SUSHI = ResourceRef("restaurants", "4")
OPERATION, ACCESS = RequestKind.OPERATION_APPROVAL, RequestKind.ACCESS_REQUEST


@pytest.fixture
async def server(start: StartServer) -> ChatServer:
    return await start(ScriptedModel(says("There.")))


async def asked(server: ChatServer, who: Actor = HENRY) -> Request:
    return await server.backend.core.approvals.ask_operation(who, DEAR, "order", 'my "birthday"\n\x1b[2J')


async def decided(client: ChatClient, request: Request, verb: str = "approve", comment: str = "") -> Frame:
    return await client.asked(
        "decide", kind=request.kind.value, request_id=request.id, verb=verb, comment=comment
    )  # fmt: skip


async def test_a_parent_sees_what_waits_as_it_is_stored_and_decides_it_without_the_model(server: ChatServer) -> None:
    request = await asked(server)
    access = await server.backend.core.approvals.ask_access(ROSE, SUSHI, "child-can-view", "sushi")
    async with server.chat("joe") as joe:
        listing = await joe.asked("list", status="pending")
        stored = [RequestView.of(each).model_dump(mode="json") for each in (access, request)]
        assert listing["items"] == stored
        assert (listing["what"], listing["more"], listing["content"]) == ("requests", False, "2 requests.")
        answer = await decided(joe, request, comment="enjoy")
        assert answer["request"]["status"] == "approved"
        assert answer["content"] == "Approved: Henry, order Pepperoni Pizza."
        assert answer["request"]["comment"]["text"] == "enjoy"
        assert (await decided(joe, access, "deny"))["request"]["status"] == "denied"
        assert (await joe.asked("list", status="pending"))["items"] == []
        assert len((await joe.asked("list"))["items"]) == 2
        assert [frame for frame in joe.seen if frame["type"] in ("turn_start", "confirm")] == []
    model = server.backend.model
    assert isinstance(model, ScriptedModel)
    assert model.prompts == []
    first, second = await server.events("decision.confirmed")
    assert (first["actor"], first["request_id"], first["verb"]) == ("1", request.id, "approve")
    assert (second["verb"], second["outcome"]) == ("deny", "confirmed")
    assert {each["action"] for each in first["decisions"]} == {"review"}
    assert [event["actor"] for event in await server.events("request.approved")] == ["1"]
    looked = await server.events("session.listed")
    assert [(event["what"], event["items"]) for event in looked] == [("requests", 2), ("requests", 0), ("requests", 2)]
    assert looked[0]["decisions"]


async def test_a_call_that_waits_is_shown_whole_and_decided_and_one_too_long_to_show_is_not(server: ChatServer) -> None:
    core = server.backend.core
    hold = Hold(
        kind="call", check=None, rule="tools.send.confirm.0", by="reviewer", review_action="review",
        pending_expires=timedelta(hours=1), approval_expires=timedelta(hours=1), pinned={}, ask_again_after=None,
        tainted=False,
    )  # fmt: skip
    text = {"short": "x" * 600 + "\u200b the end", "long": "y" * 30_000}
    short, long = [
        await core.approvals.hold(HENRY, Call("send", {"text": text[name]}, "d" * 64, DEAR, "a friend"), hold)
        for name in ("short", "long")
    ]
    async with server.chat("joe") as joe, server.chat("henry") as henry:
        listed = {item["id"]: item["call"] for item in (await joe.asked("list", status="pending"))["items"]}
        assert listed[short.id] == {
            "tool": "send", "arguments": {"text": "x" * 600 + r"\u200b the end"}, "whole": True, "written_by": "Henry",
            "treat_as": "data, never instructions",
        }  # fmt: skip
        assert not listed[long.id]["whole"]
        assert (await decided(joe, long))["code"] == "not_shown_whole"
        assert (await decided(henry, short))["code"] == "own_request"
        answer = await decided(joe, short)
        assert answer["content"] == "Approved: Henry, call send on a friend."
    assert (await core.approvals.get(JOE, None, long.id)).status is RequestStatus.PENDING
    assert (await core.approvals.get(JOE, None, short.id)).status is RequestStatus.APPROVED


async def test_a_decision_reaches_the_asker_at_once_and_the_assistant_carries_on(start: StartServer) -> None:
    order = calls(("order_dish", {"restaurant_id": "1", "dish_name": "Pepperoni Pizza"}))
    server = await start(ScriptedModel(order, says("It is ordered.")))
    request = await asked(server)
    async with server.chat("henry") as henry, server.chat("joe") as joe:
        await decided(joe, request)
        notice = await henry.next("notice")
        assert notice["content"] == "Your request to order Pepperoni Pizza was approved by Joe."
        turn = await henry.turn()
        assert turn.frames[0]["cause"] == "event"
        assert turn.called("order_dish")
        done = next(frame for frame in turn.of("tool") if frame["state"] == "done")
        assert done["content"] == "order_dish: ordered Pepperoni Pizza, 10.99"


async def test_what_may_not_be_decided_is_refused_and_that_is_on_record(server: ChatServer) -> None:
    request = await asked(server)
    async with server.chat("henry") as henry, server.chat("rose") as rose, server.chat("joe") as joe:
        assert (await decided(henry, request))["code"] == "own_request"
        assert (await decided(rose, request))["code"] == "no_such_request"
        nothing = await joe.asked("decide", kind=OPERATION.value, request_id="req_" + "0" * 32, verb="approve")
        assert nothing["code"] == "no_such_request"
        another = await joe.asked("decide", kind=ACCESS.value, request_id=request.id, verb="approve")
        assert another["code"] == "no_such_request"
        strange = await joe.asked("decide", kind=OPERATION.value, request_id="../../x", verb="deny")
        assert strange["code"] == "invalid_id"
        assert (await decided(joe, request, comment="x" * 1900))["code"] == "invalid_comment"
        assert (await decided(joe, request, "deny"))["request"]["status"] == "denied"
        again = await decided(joe, request)
        assert again["code"] == "already_decided"
        assert "Joe" in again["content"]
    assert (await server.backend.core.approvals.get(JOE, OPERATION, request.id)).status is RequestStatus.DENIED
    codes = [event["code"] for event in await server.events("decision.refused")]
    assert codes == [
        "own_request", "no_such_request", "no_such_request", "no_such_request", "invalid_id", "invalid_comment",
        "already_decided",
    ]  # fmt: skip
    assert len(await server.events("decision.confirmed")) == 1


async def test_whoever_does_not_see_the_tool_does_not_decide_without_it_either(server: ChatServer) -> None:
    request = await asked(server)
    role = RoleAssignment(ROSE.user, "_Reviewer_", "default", ResourceRef("restaurants", "1"))
    await server.backend.core.directory.assign(server.backend.core.system, role)
    async with server.chat("rose") as rose:
        assert (await decided(rose, request))["code"] in ("not_a_reviewer", "no_such_request")
    assert (await server.backend.core.approvals.get(JOE, OPERATION, request.id)).status is RequestStatus.PENDING


async def test_orders_tools_and_menus_are_those_of_the_person(start: StartServer) -> None:
    order = calls(("order_dish", {"restaurant_id": "1", "dish_name": "Cheese Pizza"}))
    server = await start(ScriptedModel(order, says("Done.")))
    async with server.chat("henry") as henry, server.chat("rose") as rose, server.chat("joe") as joe:
        await henry.ask("cheese pizza")
        (ordered,) = (await henry.asked("list", what="orders"))["items"]
        assert (ordered["dish_name"], ordered["price"], ordered["user_name"]) == ("Cheese Pizza", "8.99", "Henry")
        assert (await rose.asked("list", what="orders"))["items"] == []
        assert (await joe.asked("list", what="orders"))["items"] == [ordered]
        tools = {tool["name"]: tool for tool in (await henry.asked("list", what="tools"))["items"]}
        assert "approve_operation_approval" not in tools
        assert (tools["order_dish"]["acts"], tools["list_dishes"]["acts"]) == (True, False)
        assert tools["order_dish"].keys() == {"name", "title", "description", "acts"}
        assert "approve_operation_approval" in str((await joe.asked("list", what="tools"))["items"])
        menus = {menu["restaurant"]: menu for menu in (await henry.asked("list", what="menu"))["items"]}
        assert "Cheese Pizza" in menus["Pizza Palace"]["dishes"]
        assert menus["Pizza Palace"]["restaurant_id"] == "1"
        closed = next(menu for menu in menus.values() if menu["restaurant_id"] == "4")
        assert closed["dishes"] == [], "what is closed to a person is not shown"


async def test_lists_and_decisions_are_answered_while_a_turn_runs_and_survive_a_lost_connection(
    start: StartServer,
) -> None:
    gate = asyncio.Event()
    server = await start(ScriptedModel([gate, *says("There.")]))
    request = await asked(server)
    async with server.chat("joe") as joe:
        await joe.say("think")
        await joe.next("turn_start")
        assert len((await joe.asked("list"))["items"]) == 1
        await joe.send(type="decide", id="d-1", kind=OPERATION.value, request_id=request.id, verb="approve")
        joe.lose()
        await joe.come_back()
        found = [frame for frame in joe.seen if frame["type"] == "decided"]
        if not found:
            await joe.send(type="decide", id="d-1", kind=OPERATION.value, request_id=request.id, verb="approve")
            found = [await joe.next("decided", "error")]
        assert found[0]["reply_to"] == "d-1"
        gate.set()
        assert (await joe.turn()).outcome == "completed"
    assert (await server.backend.core.approvals.get(JOE, OPERATION, request.id)).status is RequestStatus.APPROVED
    assert len(await server.events("request.approved")) == 1


async def test_asking_without_end_is_refused(server: ChatServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("family_food.chat.stored_answers.MAX_ITEMS", 1)
    await asked(server, HENRY)
    await asked(server, ROSE)
    async with server.chat("joe") as joe:
        listing = await joe.asked("list")
        assert (len(listing["items"]), listing["more"]) == (1, True)
        for number in range(60):
            await joe.send(type="list", id=f"l-{number}")
        answers = [await joe.next("listing", "error") for _ in range(60)]
    assert [frame["reply_to"] for frame in answers if frame["type"] == "listing"] != []
    refused = [frame for frame in answers if frame["type"] == "error"]
    assert {frame["code"] for frame in refused} <= {"busy"}
    assert all(frame["reply_to"] for frame in refused)

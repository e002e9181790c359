"""What holds for every call of every tool."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from permit_core.bootstrap import Core
from permit_core.entries import RoleAssignment
from permit_core.errors import StoreError
from permit_mcp import PermitServer
from tests.support.core import TENANT
from tests.support.tool_servers import (
    answer,
    audited,
    call,
    connect,
    make_mcp,
    refusal,
    serving,
    serving_open,
    text_of,
    tools_of,
)


async def test_a_hidden_tool_answers_exactly_as_one_that_there_is_not(core: Core, kind: str, era: str) -> None:
    arguments = {"access_request_id": "req_" + "0" * 32}
    hidden = await call(serving(core, "3", kind), "approve_access_request", arguments, era)
    absent = await call(
        serving(core, "3", kind, exclude_tools=["approve_access_request"]), "approve_access_request", arguments, era
    )
    plain = await call(make_mcp(kind), "approve_access_request", arguments, era)
    assert hidden.is_error
    assert hidden.model_dump() == absent.model_dump() == plain.model_dump()


async def test_a_call_of_a_hidden_tool_and_of_no_tool_is_on_record(core: Core, kind: str, era: str) -> None:
    mcp = serving(core, "3", kind)
    await call(mcp, "approve_access_request", {"access_request_id": "x"}, era)
    await call(mcp, "no_such_tool\n\x1b[31m", {}, era)
    hidden, absent = await audited(core, "tool.refused")
    assert hidden == {
        "actor": "3",
        "tool": "approve_access_request",
        "arguments": {"access_request_id": "x"},
        "outcome": "refused",
        "code": "unknown_tool",
    }
    assert absent["tool"] == "no_such_tool [31m"
    assert await audited(core, "tool.call") == []


@pytest.mark.parametrize("smuggled", ["1", "3", "", None, 1, {"$ne": ""}])
async def test_a_smuggled_user_id_is_refused_and_recorded_whatever_it_is(
    core: Core, kind: str, era: str, smuggled: Any
) -> None:
    refused = await refusal(serving(core, "3", kind), "list_resource_instances", {"user_id": smuggled}, era)
    assert refused["code"] == "forbidden_argument"
    [record] = await audited(core, "tool.refused")
    assert (record["actor"], record["code"]) == ("3", "forbidden_argument")
    assert "user_id" in record["arguments"]


@pytest.mark.parametrize("user", ["3", None])
async def test_any_undeclared_argument_is_refused(core: Core, kind: str, era: str, user: str | None) -> None:
    refused = await refusal(serving(core, user, kind), "list_resource_instances", {"asker": {"user": "1"}}, era)
    assert refused["code"] == "forbidden_argument"
    assert "asker" in refused["message"]


async def test_every_call_is_recorded_with_its_outcome_and_without_secrets(core: Core, kind: str, era: str) -> None:
    mcp = serving(core, "3", kind)
    await answer(mcp, "list_resource_instances", {"page": 1}, era)
    await refusal(mcp, "list_resource_instances", {"resource_type": "planes"}, era)
    reason = "token: eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJoZW5yeSJ9.c2lnbmF0dXJl"
    await answer(
        mcp,
        "create_access_request",
        {"role": "child-can-view", "reason": reason, "resource_instance": "4"},
        era,
    )
    first, second, third = await audited(core, "tool.call")
    decided = first.pop("decisions")
    assert {(each["user"], each["action"], each["resource"], each["effect"]) for each in decided} >= {
        ("3", "read", "restaurants:1", "allow"),
        ("3", "read", "restaurants:4", "deny"),
    }
    assert first == {
        "actor": "3",
        "tool": "list_resource_instances",
        "arguments": {"page": 1},
        "outcome": "ok",
        "code": "",
    }
    assert (second["outcome"], second["code"]) == ("refused", "no_such_resource_type")
    assert "eyJ" not in third["arguments"]["reason"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, ["role is missing", "reason is missing", "resource_instance is missing"]),
        (
            {"role": "r", "reason": "", "resource_instance": "4"},
            ["reason must be text of 1 to 500 characters; text of 0 characters came"],
        ),
        (
            {"role": "r", "reason": "x" * 501, "resource_instance": "4"},
            ["reason must be text of 1 to 500 characters; text of 501 characters came"],
        ),
        (
            {"role": 5, "reason": "x", "resource_instance": "4"},
            ["role must be text of 1 to 100 characters; a whole number came"],
        ),
    ],
)
async def test_wrong_arguments_are_refused_in_our_own_form_without_repeating_them(
    core: Core, kind: str, era: str, arguments: dict[str, Any], said: list[str]
) -> None:
    refused = await refusal(serving(core, "3", kind), "create_access_request", arguments, era)
    assert refused["code"] == "invalid_arguments"
    for each in said:
        assert each in refused["message"]
    assert "xxx" not in refused["message"]
    [record] = await audited(core, "tool.call")
    assert (record["outcome"], record["code"]) == ("refused", "invalid_arguments")


async def test_the_hosts_own_tools_are_enforced_and_recorded_too(core: Core, kind: str, era: str) -> None:
    mcp = make_mcp(kind)

    async def list_dishes(restaurant_id: str) -> str:
        return f"the menu of {restaurant_id}"

    async def burn_down(restaurant_id: str) -> str:
        raise AssertionError(restaurant_id)

    mcp.tool()(list_dishes)
    permit = PermitServer(mcp, acting_user="3", core=core)
    permit.open(read_only=True)(list_dishes)
    mcp.tool()(burn_down)
    assert "list_dishes" in await tools_of(mcp, era)
    assert "burn_down" not in await tools_of(mcp, era)
    assert text_of(await call(mcp, "list_dishes", {"restaurant_id": "4"}, era)) == "the menu of 4"
    assert (await refusal(mcp, "burn_down", {"restaurant_id": "4"}, era))["code"] == "not_declared"
    refused = await refusal(mcp, "list_dishes", {"restaurant_id": "4", "user_id": "1"}, era)
    assert refused["code"] == "forbidden_argument"
    assert [record["outcome"] for record in await audited(core, "tool.call")] == ["ok"]


async def test_a_bound_host_tool_that_declares_user_id_takes_nobody_elses(core: Core, kind: str) -> None:
    async def list_dishes(user_id: str) -> str:
        return f"for {user_id}"

    mcp = serving_open(core, "3", list_dishes, kind)
    assert text_of(await call(mcp, "list_dishes", {"user_id": "3"})) == "for 3"
    assert (await refusal(mcp, "list_dishes", {"user_id": "1"}))["code"] == "forbidden_argument"


async def test_a_hosts_tool_that_raises_is_an_error_on_record_and_keeps_its_own_words(core: Core, kind: str) -> None:
    async def list_dishes() -> str:
        from fastmcp.exceptions import ToolError as FastmcpToolError
        from mcp.server.mcpserver.exceptions import ToolError

        raise (ToolError if kind == "mcp" else FastmcpToolError)("the kitchen is closed")

    mcp = serving_open(core, "3", list_dishes, kind)
    result = await call(mcp, "list_dishes")
    assert result.is_error
    assert "the kitchen is closed" in text_of(result)
    [record] = await audited(core, "tool.call")
    assert (record["outcome"], record["code"]) == ("error", "")


async def test_a_role_taken_away_hides_its_tools_at_once(core: Core, kind: str) -> None:
    mcp = serving(core, "3", kind)
    async with connect(mcp) as client:
        assert (await client.list_tools()).tools
        await core.directory.unassign(core.system, RoleAssignment("3", "child", TENANT))
        assert (await client.list_tools()).tools == []
        assert (await client.call_tool("list_resource_instances", {})).is_error


async def test_unbound_a_call_acts_for_whom_user_id_names(core: Core, kind: str, era: str) -> None:
    mcp = serving(core, None, kind)
    asked = {"role": "child-can-view", "reason": "please", "resource_instance": "4"}
    view = await answer(mcp, "create_access_request", {"user_id": "4", **asked}, era)
    assert view["requesting_user"] == "Rose"
    [record] = await audited(core, "tool.call")
    assert record["actor"] == "4"


@pytest.mark.parametrize("user_id", ["99", "../../x", "", "\u202e3"])
async def test_unbound_an_unknown_user_is_refused_and_recorded(core: Core, kind: str, user_id: str) -> None:
    refused = await refusal(serving(core, None, kind), "list_access_requests", {"user_id": user_id})
    assert refused["code"] == "no_such_user"
    [record] = await audited(core, "tool.refused")
    assert (record["actor"], record["code"]) == ("unknown", "no_such_user")


async def test_unbound_a_users_roles_still_say_which_tools_the_user_may_use(core: Core, kind: str) -> None:
    arguments = {"user_id": "3", "access_request_id": "req_" + "0" * 32}
    refused = await refusal(serving(core, None, kind), "approve_access_request", arguments)
    assert refused["code"] == "tool_not_allowed"
    [record] = await audited(core, "tool.refused")
    assert record["actor"] == "3"


async def test_unbound_without_anybody_the_list_of_things_says_nothing_about_access(core: Core, kind: str) -> None:
    page = await answer(serving(core, None, kind), "list_resource_instances")
    assert page["total"] == 4
    assert {each["your_access"] for each in page["instances"]} == {None}
    page = await answer(serving(core, None, kind), "list_resource_instances", {"user_id": "3"})
    assert {each["your_access"] for each in page["instances"]} == {"allowed", "can_be_requested"}


async def test_when_the_database_fails_the_call_does_not_run(
    core: Core, kind: str, era: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = []

    async def list_dishes() -> str:
        ran.append(1)
        return "ran"

    mcp = serving_open(core, "3", list_dishes, kind)

    async def broken(*_: object, **__: object) -> None:
        raise StoreError("disk on fire at /secret/place")

    monkeypatch.setattr(core.directory, "tenant_roles", broken)
    refused = await refusal(mcp, "list_dishes", {}, era)
    assert refused["code"] == "store_unavailable"
    assert "fire" not in str(refused)
    assert ran == []


async def test_a_call_that_cannot_be_recorded_is_not_called_a_failure_when_it_was_none(
    core: Core, kind: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise RuntimeError("disk full")

    monkeypatch.setattr(core.audit, "note", broken)
    assert (await answer(serving(core, "3", kind), "list_resource_instances"))["total"] == 4
    assert "tool.call of list_resource_instances could not be recorded" in caplog.text


async def test_names_however_long_or_strange_are_shown_and_kept_short(core: Core, kind: str) -> None:
    mcp = serving(core, "3", kind)
    await call(mcp, "x" * 100_000, {})
    refused = await refusal(mcp, "list_resource_instances", {"y\n\u202e" * 50_000: 1})
    assert len(str(refused)) < 1000
    assert [len(record["tool"]) < 600 for record in await audited(core, "tool.refused")] == [True, True]


async def test_a_call_that_is_cancelled_is_on_record(core: Core, kind: str) -> None:
    started = anyio.Event()

    async def list_dishes() -> str:
        started.set()
        await anyio.sleep_forever()
        return ""

    mcp = serving_open(core, "3", list_dishes, kind)
    async with connect(mcp) as client, anyio.create_task_group() as group:

        async def asking() -> None:
            await client.call_tool("list_dishes", {})

        group.start_soon(asking)
        with anyio.fail_after(20):
            await started.wait()
        group.cancel_scope.cancel()
    with anyio.fail_after(20):
        while not await audited(core, "tool.call"):
            await anyio.lowlevel.checkpoint()
    [record] = await audited(core, "tool.call")
    assert (record["outcome"], record["code"]) == ("error", "cancelled")

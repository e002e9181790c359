"""How the food server of a session is started."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from family_food.chat import food_server as food_server_module
from family_food.chat.food_server import food_fork_server, food_server, food_tools
from family_food.chat.tool_child import ToolsUnavailable
from family_food.chat.tool_session import ToolSession
from family_food.ordering.food import open_food
from family_food.settings import ChatSettings
from permit_core.errors import ConfigurationError
from permit_core.policy.facts_file import load_facts
from prefork.tool_start import ToolStart
from tests.support.chat_server import WAIT_SECONDS
from tests.support.core import family_settings
from tests.support.databases import PostgresServer
from tests.support.environment import PROJECT
from tests.support.process_tree import fork_servers_of
from tests.support.tiny_start import tiny_program

pytestmark = pytest.mark.slow  # each test starts processes

ME = os.getpid()


async def give_facts(settings: ChatSettings) -> None:
    food = await open_food(settings)
    await food.core.directory.load(food.core.system, load_facts(settings.facts_file, food.core.model))
    await food.close()


@pytest.fixture(scope="module")
async def settings(tmp_path_factory: pytest.TempPathFactory) -> ChatSettings:
    """Of a family that can order."""
    chosen = family_settings(tmp_path_factory.mktemp("food"), secret_key="s" * 40, gemini_api_key="g" * 40)
    await give_facts(chosen)
    return chosen


@pytest.fixture(scope="module")
async def both(settings: ChatSettings) -> AsyncIterator[dict[str, Callable[[str], ToolStart]]]:
    """Spawned and forked."""
    async with AsyncExitStack() as stack:
        yield {
            kind: await stack.enter_async_context(food_tools(settings.model_copy(update={"mcp_spawn": kind})))
            for kind in ("exec", "fork")
        }


async def seen_by(tools: ToolSession) -> dict[str, Any]:
    """Everything a session sees that changes nothing."""
    calls: list[tuple[str, dict[str, Any]]] = [
        ("list_resource_instances", {}),
        ("list_dishes", {"restaurant_id": "1"}),
        ("list_dishes", {"restaurant_id": "3"}),
        ("order_dish", {"restaurant_id": "1", "dish_name": "no such pizza"}),
        ("list_dishes", {"restaurant_id": "1", "user_id": "1"}),
        ("approve_operation_approval", {"operation_approval_id": "req_1"}),
    ]
    answers = [await tools.call(name, arguments, read_only=True) for name, arguments in calls]
    return {
        "tools": [tool.model_dump() for tool in await tools.tools()],
        "answers": [answer.model_dump() for answer in answers],
    }


@pytest.mark.parametrize("user", ["1", "3"])
async def test_a_forked_server_answers_as_a_spawned_one_does(
    both: dict[str, Callable[[str], ToolStart]], user: str
) -> None:
    seen = []
    for start in both.values():
        async with ToolSession(start(user), 30) as tools:
            seen.append(await seen_by(tools))
    assert seen[0] == seen[1]
    assert seen[0]["tools"]


async def test_forked_servers_work_for_their_own_user_on_one_database(
    both: dict[str, Callable[[str], ToolStart]],
) -> None:
    start = both["fork"]
    async with ToolSession(start("3"), 30) as henry, ToolSession(start("1"), 30) as joe:
        order = {"restaurant_id": "1", "dish_name": "Cheese Pizza"}
        await asyncio.gather(*(henry.call("order_dish", order, read_only=False) for _ in range(3)))
        listed = (await joe.call("list_orders", {}, read_only=True)).structured_content
    assert listed is not None
    assert [found["user_name"] for found in listed["orders"]] == ["Henry"] * 3


async def test_forked_servers_work_on_postgresql(postgres_server: PostgresServer, tmp_path: Path) -> None:
    settings = family_settings(tmp_path, postgres_server.new_database(), mcp_spawn="fork")
    await give_facts(settings)
    async with food_tools(settings) as start:
        async with ToolSession(start("3"), 30) as henry, ToolSession(start("1"), 30) as joe:
            order = {"restaurant_id": "1", "dish_name": "Cheese Pizza"}
            await asyncio.gather(*(henry.call("order_dish", order, read_only=False) for _ in range(3)))
            listed = (await joe.call("list_orders", {}, read_only=True)).structured_content
        assert fork_servers_of(ME)
    assert listed is not None
    assert [found["user_name"] for found in listed["orders"]] == ["Henry"] * 3


async def test_a_forked_server_has_no_tools_for_somebody_who_is_not_there(
    both: dict[str, Callable[[str], ToolStart]],
) -> None:
    async with ToolSession(both["fork"]("99"), 30) as nobody:
        assert await nobody.tools() == []
        assert (await nobody.call("list_orders", {}, read_only=True)).is_error
    async with ToolSession(both["fork"]("not a key"), 30) as nobody:
        with pytest.raises(ToolsUnavailable):
            await nobody.tools()


def test_the_fork_server_is_given_what_a_server_is_and_no_secret_but_the_database(settings: ChatSettings) -> None:
    server, fork_server = food_server(settings, "3"), food_fork_server(settings)
    assert server.args[-2:] == ["--acting-user", "3"]
    assert fork_server.env == server.env
    for parameters in (server, fork_server):
        assert "s" * 40 not in str(parameters)
        assert "g" * 40 not in str(parameters)


async def test_exec_and_a_server_of_one_s_own_need_no_fork_server(settings: ChatSettings) -> None:
    before = fork_servers_of(ME)
    async with food_tools(settings.model_copy(update={"mcp_spawn": "exec"})):
        assert fork_servers_of(ME) == before
    async with food_tools(settings, lambda _user: tiny_program()) as start, ToolSession(start("3"), 30) as tools:
        assert "process_id" in [tool.name for tool in await tools.tools()]
        assert fork_servers_of(ME) == before


async def test_where_nothing_can_be_forked_auto_spawns_and_fork_is_refused(
    settings: ChatSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(food_server_module, "can_fork", lambda: False)
    before = fork_servers_of(ME)
    async with food_tools(settings):
        assert fork_servers_of(ME) == before
    with pytest.raises(ConfigurationError, match="MCP_SPAWN"):
        async with food_tools(settings.model_copy(update={"mcp_spawn": "fork"})):
            pass


async def test_the_fork_server_is_not_started_by_hand() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "food_ordering_mcp.py", "--fork-server", cwd=PROJECT,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(WAIT_SECONDS):
        out, err = await process.communicate()
    assert process.returncode == 2
    assert out == b""
    assert b"started by the chat server" in err
    assert b"Traceback" not in err


async def test_a_fork_server_that_cannot_prepare_leaves_sessions_to_be_spawned(
    settings: ChatSettings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    broken = tmp_path / "facts.yaml"
    broken.write_text(json.dumps({"tenants": "none"}))
    chosen = settings.model_copy(update={"facts_file": str(broken)})
    async with food_tools(chosen) as start, ToolSession(start("3"), 30) as tools:
        assert await tools.tools()
    assert "did not start" in caplog.text

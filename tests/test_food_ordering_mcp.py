"""The food server as the chat backend runs it: processes of their own over one database."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.abc import ByteReceiveStream
from mcp import Client
from mcp.types import CallToolResult

from family_food.ordering.food import open_food
from permit_core.policy.facts_file import load_facts
from permit_core.ports.request import RequestKind
from permit_mcp.enforcement import ABOUT_ONES_OWN
from tests.support.clock import SteadyClock
from tests.support.core import family_settings
from tests.support.family import DEAR_PIZZA, meet
from tests.support.ordering import ROOT, START_SECONDS, Table, child_environment, food_child
from tests.support.tool_servers import ERAS, refusal_of

DEAR = {"restaurant_id": "1", "dish_name": DEAR_PIZZA.key}


@pytest.fixture
async def table(tmp_path: Path) -> AsyncIterator[Table]:
    """The family's database, opened in this process beside the children; on real time, as they are."""
    food = await open_food(family_settings(tmp_path))
    try:
        await food.core.directory.load(food.core.system, load_facts(food.core.settings.facts_file))
        yield Table(food, await meet(food.core, SteadyClock()))
    finally:
        await food.close()


def url_of(table: Table) -> str:
    return table.food.core.settings.resolved_database_url


def content(result: CallToolResult) -> dict[str, Any]:
    answered = refusal_of(result) if result.is_error else result.structured_content
    assert isinstance(answered, dict), result.content
    return answered


@pytest.mark.parametrize("era", ERAS)
async def test_a_childs_wish_becomes_one_order_once_a_parent_agrees(table: Table, era: str) -> None:
    with anyio.fail_after(START_SECONDS):
        async with food_child(url_of(table), "3", era) as henry, food_child(url_of(table), "1", era) as joe:
            menu = content(await henry.call_tool("list_dishes", {"restaurant_id": "1"}))
            assert {dish["key"]: dish["order"] for dish in menu["dishes"]}[DEAR_PIZZA.key] == "needs_approval"
            refused = content(await henry.call_tool("order_dish", DEAR))
            assert refused["code"] == "approval_needed"
            [remedy] = refused["ask_for"]
            assert remedy.pop("kind") == "operation_approval"
            asked = content(await henry.call_tool("create_operation_approval", {**remedy, "reason": "My birthday"}))
            assert content(await henry.call_tool("order_dish", DEAR))["code"] == "approval_pending"
            hidden = await henry.call_tool("approve_operation_approval", {"operation_approval_id": asked["id"]})
            assert hidden.is_error
            assert hidden.structured_content is None
            await joe.call_tool("approve_operation_approval", {"operation_approval_id": asked["id"]})
            menu = content(await henry.call_tool("list_dishes", {"restaurant_id": "1"}))
            assert {dish["key"]: dish["order"] for dish in menu["dishes"]}[DEAR_PIZZA.key] == "approved"
            order = content(await henry.call_tool("order_dish", DEAR))
            assert order["approval_id"] == asked["id"]
            assert content(await henry.call_tool("order_dish", DEAR))["code"] == "approval_used"
            assert content(await joe.call_tool("list_orders", {}))["orders"] == [order]
    assert len(await table.rows()) == 1


async def test_the_tools_are_the_policys_and_their_annotations_are_true(table: Table) -> None:
    with anyio.fail_after(START_SECONDS):
        async with food_child(url_of(table), "3") as henry:
            tools = {tool.name: tool for tool in (await henry.list_tools()).tools}
    assert tools.keys() == table.food.core.model.tools_for(["child"]) | ABOUT_ONES_OWN
    for name in ("list_dishes", "order_dish", "list_orders"):
        annotations = tools[name].annotations
        assert annotations is not None
        assert annotations.read_only_hint == (name != "order_dish")
        assert tools[name].output_schema
        assert "user_id" not in str(tools[name].input_schema)


async def test_three_children_at_once_place_exactly_one_order_on_one_approval(table: Table) -> None:
    await table.family.core.approvals.approve(
        table.family.joe, RequestKind.OPERATION_APPROVAL, (await table.family.asks_operation()).id
    )
    results: list[CallToolResult] = []

    async def order(client: Client) -> None:
        results.append(await client.call_tool("order_dish", DEAR))

    with anyio.fail_after(2 * START_SECONDS):
        async with AsyncExitStack() as stack:
            clients = [await stack.enter_async_context(food_child(url_of(table), "3")) for _ in range(3)]
            async with anyio.create_task_group() as group:
                for client in clients:
                    group.start_soon(order, client)
    assert [result.is_error for result in results].count(False) == 1
    assert {content(result)["code"] for result in results if result.is_error} == {"approval_used"}
    assert len(await table.rows()) == 1


async def test_after_kill_minus_nine_between_approval_and_order_the_next_child_orders_once(table: Table) -> None:
    approval = await table.family.asks_operation()
    with anyio.fail_after(2 * START_SECONDS):
        process = await anyio.open_process(
            [sys.executable, str(ROOT / "food_ordering_mcp.py"), "--acting-user", "3"],
            env=os.environ | child_environment(url_of(table)),
            cwd=ROOT,
        )
        assert process.stderr is not None
        assert b"is running" in await process.stderr.receive()
        await table.family.core.approvals.approve(table.family.joe, RequestKind.OPERATION_APPROVAL, approval.id)
        process.send_signal(signal.SIGKILL)
        assert await process.wait() == -signal.SIGKILL
        await process.aclose()
        async with food_child(url_of(table), "3") as henry:
            assert content(await henry.call_tool("order_dish", DEAR))["approval_id"] == approval.id
            assert content(await henry.call_tool("order_dish", DEAR))["code"] == "approval_used"
    assert len(await table.rows()) == 1


def run(arguments: list[str], environment: Mapping[str, str], cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Start the server and close its input at once, as a client that has gone does."""
    return subprocess.run(
        [sys.executable, str(ROOT / "food_ordering_mcp.py"), *arguments],
        env={"PATH": os.defpath, **environment},
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=START_SECONDS,
        check=False,
    )


def test_started_by_hand_on_a_new_file_it_brings_the_family_and_says_where_everything_is(tmp_path: Path) -> None:
    environment = child_environment("") | {"DATABASE_URL": ""}
    ended = run(["orders.db", "--acting-user", "3"], environment, tmp_path)
    assert (ended.returncode, ended.stdout) == (0, ""), ended.stderr
    assert "acting for user 3" in ended.stderr
    assert str(tmp_path / "orders.db") in ended.stderr
    assert "family_food.yaml" in ended.stderr
    assert (tmp_path / "orders.db").exists()


@pytest.mark.parametrize("user", ["99", "../../x"])
async def test_nobody_is_not_acted_for(table: Table, user: str) -> None:
    ended = await anyio.to_thread.run_sync(run, ["--acting-user", user], child_environment(url_of(table)))
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "cannot start" in ended.stderr
    assert "Traceback" not in ended.stderr


async def test_a_child_on_a_database_that_is_ready_imports_neither_web_server_nor_migrations(table: Table) -> None:
    program = (
        "import runpy, sys\n"
        f"sys.argv = ['x', '--acting-user', '3']\n"
        "try:\n"
        f"    runpy.run_path({str(ROOT / 'food_ordering_mcp.py')!r}, run_name='__main__')\n"
        "except SystemExit as end:\n"
        "    assert not end.code, end.code\n"
        "heavy = {'google.genai', 'fastapi', 'alembic', 'bcrypt', 'rapidfuzz', 'jsonschema', 'typer', 'fastmcp'}\n"
        "sys.stderr.write('heavy: ' + repr(sorted(heavy & sys.modules.keys())))\n"
    )

    def start() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", program],
            env={"PATH": os.defpath, **child_environment(url_of(table))},
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=START_SECONDS,
            check=False,
        )

    ended = await anyio.to_thread.run_sync(start)
    assert ended.stderr.endswith("heavy: []"), ended.stderr


async def test_only_the_protocol_is_on_standard_output_whatever_is_logged(table: Table) -> None:
    initialize = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": "2025-11-25",
            "capabilities": {},
            "clientInfo": {"name": "test", "version": "1"},
        },
    }
    lines = [
        initialize,
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "list_orders", "arguments": {}}},
    ]
    environment = child_environment(url_of(table)) | {"LOG_LEVEL": "DEBUG"}
    with anyio.fail_after(START_SECONDS):
        async with await anyio.open_process(
            [sys.executable, str(ROOT / "food_ordering_mcp.py"), "--acting-user", "3"], env=environment, cwd=ROOT
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            assert process.stderr is not None
            await process.stdin.send("".join(f"{json.dumps(line)}\n" for line in lines).encode())
            received, said = b"", b""

            async def read_errors(errors: ByteReceiveStream) -> None:
                nonlocal said
                async for chunk in errors:
                    said += chunk

            async with anyio.create_task_group() as group:
                group.start_soon(read_errors, process.stderr)
                while received.count(b"\n") < 2:
                    received += await process.stdout.receive()
                await process.stdin.aclose()
                await process.wait()
    answers = [json.loads(line) for line in received.splitlines()]
    assert [each["id"] for each in answers] == [1, 2]
    assert b"DEBUG" in said

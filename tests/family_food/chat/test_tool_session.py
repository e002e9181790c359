"""One child process for one session: its life, its death, its replacement."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from mcp import StdioServerParameters
from mcp.types import CallToolResult

from family_food.chat.food_server import food_server
from family_food.chat.tool_child import ToolsUnavailable
from family_food.chat.tool_session import ToolSession
from prefork.fork_server import ForkServer
from prefork.tool_start import ToolStart, spawned
from tests.support.chat_server import until
from tests.support.core import family_settings
from tests.support.process_tree import alive
from tests.support.tiny_start import tiny, tiny_fork_server

pytestmark = pytest.mark.slow  # each test starts processes

Start = Callable[..., ToolStart]
"""Starts a tiny server of some mode, in one way or the other."""


@pytest.fixture(scope="module")
async def fork_server() -> AsyncIterator[ForkServer]:
    async with tiny_fork_server(GIVEN="yes") as opened:
        yield opened


@pytest.fixture(params=["spawned", "forked"])
def start(request: pytest.FixtureRequest) -> Start:
    if request.param == "spawned":
        return lambda mode="": tiny(mode, GIVEN="yes")
    fork_server: ForkServer = request.getfixturevalue("fork_server")
    return lambda mode="": fork_server.start(mode or "3")


def value(result: CallToolResult) -> Any:
    assert not result.is_error
    assert result.structured_content is not None
    return result.structured_content.get("result", result.structured_content)


async def pid_of(tools: ToolSession) -> int:
    return int(value(await tools.call("process_id", {}, read_only=True)))


async def test_the_tools_are_listed_and_called_and_the_process_is_gone_afterwards(start: Start) -> None:
    async with ToolSession(start(), 30) as tools:
        assert "process_id" in [tool.name for tool in await tools.tools()]
        pid = await pid_of(tools)
        assert alive(pid)
    assert not alive(pid)
    with pytest.raises(ToolsUnavailable):
        await tools.tools()


async def test_the_child_s_environment_holds_what_it_was_given_and_no_secret_of_ours(
    start: Start,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", "not for children")
    monkeypatch.setenv("SECRET_KEY", "not for children either")
    async with ToolSession(start(), 30) as tools:
        seen = value(await tools.call("environment", {}, read_only=True))
    assert seen["GIVEN"] == "yes"
    assert "not for children" not in str(seen)


def test_the_food_server_is_given_no_secret_but_the_database(tmp_path: Path) -> None:
    settings = family_settings(tmp_path, secret_key="s" * 40, gemini_api_key="g" * 40)
    parameters = food_server(settings, "3")
    assert parameters.args[-2:] == ["--acting-user", "3"]
    assert "s" * 40 not in str(parameters)
    assert "g" * 40 not in str(parameters)


async def test_a_killed_process_is_replaced_at_the_next_call(start: Start) -> None:
    restarts = []

    async def restarted() -> None:
        restarts.append(1)

    async with ToolSession(start(), 30, restarted) as tools:
        first = await pid_of(tools)
        os.kill(first, 9)
        second = await pid_of(tools)
        assert second != first
        assert restarts == [1]
    assert not alive(second)


async def test_a_call_with_effects_is_made_by_the_replacement_of_a_process_that_had_died_before(start: Start) -> None:
    async with ToolSession(start(), 30) as tools:
        pid = await pid_of(tools)
        child = tools._child
        assert child is not None
        os.kill(pid, signal.SIGKILL)
        await until(lambda: child.dead, "word of its death")
        assert value(await tools.call("sleep", {"seconds": 0}, read_only=False)) == "awake"


async def test_a_read_only_call_is_repeated_when_the_process_dies_under_it(start: Start, tmp_path: Path) -> None:
    async with ToolSession(start(), 30) as tools:
        answer = value(await tools.call("die_reading", {"path": str(tmp_path / "died")}, read_only=True))
    assert answer == "alive"


async def test_a_call_that_may_have_had_an_effect_is_not_repeated(start: Start, tmp_path: Path) -> None:
    async with ToolSession(start(), 30) as tools:
        with pytest.raises(ToolsUnavailable) as caught:
            await tools.call("die_writing", {"path": str(tmp_path / "died")}, read_only=False)
        assert caught.value.code == "tools_restarted"
        assert await pid_of(tools)


async def test_a_slow_call_is_given_up_and_the_session_lives_on(start: Start) -> None:
    async with ToolSession(start(), 30) as tools:
        await tools.tools()
        tools._call_seconds = 0.1
        with pytest.raises(ToolsUnavailable) as caught:
            await tools.call("sleep", {"seconds": 60}, read_only=False)
        assert caught.value.code == "tool_timeout"
        tools._call_seconds = 30
        assert await pid_of(tools)


async def test_a_cancelled_call_leaves_the_session_usable(start: Start) -> None:
    async with ToolSession(start(), 30) as tools:
        pid = await pid_of(tools)
        call = asyncio.create_task(tools.call("sleep", {"seconds": 60}, read_only=False))
        await asyncio.sleep(0)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert await pid_of(tools) == pid


async def test_a_call_whose_caller_is_cancelled_is_cancelled_in_the_process_too(start: Start, tmp_path: Path) -> None:
    begun, woken = tmp_path / "begun", tmp_path / "woken"
    async with ToolSession(start(), 30) as tools:
        pid = await pid_of(tools)
        arguments = {"seconds": 600, "begun": str(begun), "woken": str(woken)}
        call = asyncio.create_task(tools.call("sleep", arguments, read_only=False))
        await until(begun.exists, "the call's beginning")
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await until(woken.exists, "the cancellation of the tool")
        assert await pid_of(tools) == pid


@pytest.mark.parametrize("mode", ["dead", "mute"])
async def test_a_server_that_does_not_answer_is_said_to_be_unavailable(start: Start, mode: str) -> None:
    await cannot_be_used(start(mode))


async def test_a_server_that_does_not_exist_is_said_to_be_unavailable() -> None:
    await cannot_be_used(partial(spawned, StdioServerParameters(command="/nowhere/at/all", args=[])))


async def cannot_be_used(start: ToolStart) -> None:
    async with ToolSession(start, 30, start_seconds=3) as tools:
        with pytest.raises(ToolsUnavailable) as caught:
            await tools.tools()
    assert caught.value.code == "tools_unavailable"
    assert "Traceback" not in caught.value.message


async def test_a_session_cancelled_while_its_process_starts_leaves_none(start: Start) -> None:
    entered = asyncio.Event()

    async def session() -> None:
        async with ToolSession(start(), 30):
            entered.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(session())
    await entered.wait()
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not [t for t in asyncio.all_tasks() if t.get_name() == "tool child"]


async def test_what_a_child_says_on_stderr_goes_to_the_log(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with ToolSession(start(), 30) as tools:
        await tools.call("say", {"text": "a word from below"}, read_only=False)
        await until(lambda: "a word from below" in caplog.text, "the line in the log")

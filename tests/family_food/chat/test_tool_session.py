"""One child process for one session: its life, its death, its replacement."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from mcp import StdioServerParameters
from mcp.types import CallToolResult

from family_food.chat.food_server import food_server
from family_food.chat.tool_child import ToolsUnavailable
from family_food.chat.tool_session import ToolSession
from family_food.nursery.tool_start import ToolStart, spawned
from tests.support import tiny_mcp
from tests.support.chat_server import until
from tests.support.core import family_settings


def tiny(mode: str = "", **environment: str) -> ToolStart:
    arguments = [str(Path(tiny_mcp.__file__)), *([mode] if mode else [])]
    return partial(spawned, StdioServerParameters(command=sys.executable, args=arguments, env=environment))


def running(pid: int) -> bool:
    """Whether the process lives; one that is dead and not yet waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def value(result: CallToolResult) -> Any:
    assert not result.is_error
    assert result.structured_content is not None
    return result.structured_content.get("result", result.structured_content)


async def pid_of(tools: ToolSession) -> int:
    return int(value(await tools.call("process_id", {}, read_only=True)))


async def test_the_tools_are_listed_and_called_and_the_process_is_gone_afterwards() -> None:
    async with ToolSession(tiny(), 30) as tools:
        assert "process_id" in [tool.name for tool in await tools.tools()]
        pid = await pid_of(tools)
        assert running(pid)
    assert not running(pid)
    with pytest.raises(ToolsUnavailable):
        await tools.tools()


async def test_the_child_s_environment_holds_what_it_was_given_and_no_secret_of_ours(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", "not for children")
    monkeypatch.setenv("SECRET_KEY", "not for children either")
    async with ToolSession(tiny(GIVEN="yes"), 30) as tools:
        seen = value(await tools.call("environment", {}, read_only=True))
    assert seen["GIVEN"] == "yes"
    assert "not for children" not in str(seen)


def test_the_food_server_is_given_no_secret_but_the_database(tmp_path: Path) -> None:
    settings = family_settings(tmp_path, secret_key="s" * 40, gemini_api_key="g" * 40)
    parameters = food_server(settings, "3")
    assert parameters.args[-2:] == ["--acting-user", "3"]
    assert "s" * 40 not in str(parameters)
    assert "g" * 40 not in str(parameters)


async def test_a_killed_process_is_replaced_at_the_next_call() -> None:
    restarts = []

    async def restarted() -> None:
        restarts.append(1)

    async with ToolSession(tiny(), 30, restarted) as tools:
        first = await pid_of(tools)
        os.kill(first, 9)
        second = await pid_of(tools)
        assert second != first
        assert restarts == [1]
    assert not running(second)


async def test_a_read_only_call_is_repeated_when_the_process_dies_under_it(tmp_path: Path) -> None:
    async with ToolSession(tiny(), 30) as tools:
        answer = value(await tools.call("die_reading", {"path": str(tmp_path / "died")}, read_only=True))
    assert answer == "alive"


async def test_a_call_that_may_have_had_an_effect_is_not_repeated(tmp_path: Path) -> None:
    async with ToolSession(tiny(), 30) as tools:
        with pytest.raises(ToolsUnavailable) as caught:
            await tools.call("die_writing", {"path": str(tmp_path / "died")}, read_only=False)
        assert caught.value.code == "tools_restarted"
        assert await pid_of(tools)


async def test_a_slow_call_is_given_up_and_the_session_lives_on() -> None:
    async with ToolSession(tiny(), 30) as tools:
        await tools.tools()
        tools._call_seconds = 0.1
        with pytest.raises(ToolsUnavailable) as caught:
            await tools.call("sleep", {"seconds": 60}, read_only=False)
        assert caught.value.code == "tool_timeout"
        tools._call_seconds = 30
        assert await pid_of(tools)


async def test_a_cancelled_call_leaves_the_session_usable() -> None:
    async with ToolSession(tiny(), 30) as tools:
        pid = await pid_of(tools)
        call = asyncio.create_task(tools.call("sleep", {"seconds": 60}, read_only=False))
        await asyncio.sleep(0)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert await pid_of(tools) == pid


@pytest.mark.parametrize(
    "start",
    [
        lambda: tiny("dead"),
        lambda: partial(spawned, StdioServerParameters(command="/nowhere/at/all", args=[])),
        lambda: tiny("mute"),
    ],
    ids=["exits at once", "does not exist", "never answers"],
)
async def test_a_server_that_does_not_start_is_said_to_be_unavailable(
    start: Callable[[], ToolStart], caplog: pytest.LogCaptureFixture
) -> None:
    async with ToolSession(start(), 30, start_seconds=3) as tools:
        with pytest.raises(ToolsUnavailable) as caught:
            await tools.tools()
    assert caught.value.code == "tools_unavailable"
    assert "Traceback" not in caught.value.message


async def test_a_session_cancelled_while_its_process_starts_leaves_none() -> None:
    entered = asyncio.Event()

    async def session() -> None:
        async with ToolSession(tiny(), 30):
            entered.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(session())
    await entered.wait()
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not [t for t in asyncio.all_tasks() if t.get_name() == "tool child"]


async def test_what_a_child_says_on_stderr_goes_to_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with ToolSession(tiny(), 30) as tools:
        await tools.call("say", {"text": "a word from below"}, read_only=False)
        await until(lambda: "a word from below" in caplog.text, "the line in the log")

"""Forked tool servers: what they share with nobody, and what is left of them: nothing."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from family_food.chat.tool_session import ToolSession
from prefork import fork_server as fork_server_module
from prefork.fork_server import ForkServer, can_fork
from prefork.parent_process import ForkUnavailable, ParentProcess
from tests.support.chat_server import WAIT_SECONDS, until
from tests.support.environment import PROJECT
from tests.support.process_tree import alive, children_of, descriptors_of, fork_servers_of, zombies_of
from tests.support.tiny_start import tiny, tiny_fork_server, tiny_program

pytestmark = pytest.mark.slow

ME = os.getpid()


@pytest.fixture(scope="module")
async def fork_server() -> AsyncIterator[ForkServer]:
    async with tiny_fork_server() as opened:
        await opened.living()
        yield opened


@pytest.fixture
async def parent(fork_server: ForkServer) -> int:
    return (await fork_server.living()).pid


def descriptors() -> int:
    return len(descriptors_of(ME))


async def state(tools: ToolSession) -> dict[str, Any]:
    answer = (await tools.call("state", {}, read_only=True)).structured_content
    assert isinstance(answer, dict)
    return answer


async def pid_of(tools: ToolSession) -> int:
    answer = (await tools.call("process_id", {}, read_only=True)).structured_content
    assert answer is not None
    return int(answer["result"])


def test_this_system_can_fork() -> None:
    assert can_fork()


async def test_two_children_share_neither_random_numbers_nor_a_process_group(fork_server: ForkServer) -> None:
    async with ToolSession(fork_server.start("3"), 30) as one, ToolSession(fork_server.start("4"), 30) as other:
        first, second = await state(one), await state(other)
        assert first["random"] != second["random"]
        assert first["session"] == await pid_of(one)
        assert second["session"] == await pid_of(other)


async def test_a_child_has_its_own_descriptors_and_signals_and_nothing_else(
    fork_server: ForkServer, parent: int
) -> None:
    async with ToolSession(fork_server.start("3"), 30) as one, ToolSession(fork_server.start("4"), 30) as other:
        first, second = await state(one), await state(other)
    assert first["descriptors"].pop("0") == second["descriptors"].pop("0") == os.devnull
    for found in (first, second):
        # Standard output and error; the session; and whatever the event loop opens for itself: no file, and no network.
        kinds = {number: target.partition(":")[0] for number, target in found["descriptors"].items()}
        assert [kinds.pop(number) for number in "123"] == ["pipe", "pipe", "socket"]
        assert set(kinds.values()) <= {"anon_inode", "pipe", "socket", os.devnull}
        assert found["descriptors"]["1"] == found["descriptors"]["2"]
        assert found["threads"] == 1
        assert found["stdin"] == ""
        assert found["signals"] == [str(signal.SIG_DFL)] * 3
    unlike = {name for name in first["descriptors"].values() if not name.startswith(("anon_inode", os.devnull))}
    assert not unlike & set(second["descriptors"].values())
    assert not unlike & set(descriptors_of(parent).values())


async def test_the_parent_keeps_nothing_of_its_children(fork_server: ForkServer, parent: int) -> None:
    before = len(descriptors_of(parent))
    async with AsyncExitStack() as stack:
        for user in ("1", "2", "3"):
            await (await stack.enter_async_context(ToolSession(fork_server.start(user), 30))).tools()
        assert len(children_of(parent)) == 3
        assert len(descriptors_of(parent)) == before
    assert children_of(parent) == []
    await until(lambda: zombies_of(parent) == [], "the reaping of the dead")


async def test_thirty_sessions_leave_no_descriptor_and_no_process(fork_server: ForkServer, parent: int) -> None:
    async def one() -> None:
        async with ToolSession(fork_server.start("3"), 30) as tools:
            await tools.tools()

    await one()
    await until(lambda: children_of(parent) == [])
    before = descriptors()
    for _ in range(3):
        await asyncio.gather(*(one() for _ in range(10)))
    assert children_of(parent) == []
    await until(lambda: zombies_of(parent) == [], "the reaping of the dead")
    await until(lambda: descriptors() == before, "the closing of every descriptor")


async def test_a_session_cancelled_while_it_is_forked_leaves_nothing(fork_server: ForkServer, parent: int) -> None:
    before = descriptors()
    for steps in range(12):
        session = ToolSession(fork_server.start("3"), 30)
        await session.__aenter__()
        for _ in range(steps):
            await asyncio.sleep(0)
        await session.__aexit__()
    await until(lambda: children_of(parent) == [], "the end of every child")
    await until(lambda: descriptors() == before, "the closing of every descriptor")


async def test_a_child_that_does_not_end_by_itself_is_made_to(fork_server: ForkServer) -> None:
    with Path(os.devnull).open("w") as errors:
        spawned = await fork_server.spawn("deaf", errors.fileno())
    spawned.connected.close()
    await spawned.process.end(grace_seconds=0.2)
    assert not alive(spawned.process.pid)


async def test_children_outlive_their_parent_and_the_next_session_has_a_new_one() -> None:
    async with tiny_fork_server() as fork_server:
        parent = (await fork_server.living()).pid
        async with ToolSession(fork_server.start("3"), 30) as old:
            child = await pid_of(old)
            os.kill(parent, signal.SIGKILL)
            await until(lambda: not alive(parent))
            async with ToolSession(fork_server.start("4"), 30) as new:
                assert await pid_of(new) != child
            assert await pid_of(old) == child
        assert not alive(child)


async def test_without_a_parent_sessions_are_spawned() -> None:
    async with (
        ForkServer(tiny_program("dead"), lambda user: tiny(GIVEN=user)) as fork_server,
        ToolSession(fork_server.start("7"), 30) as tools,
    ):
        answer = (await tools.call("environment", {}, read_only=True)).structured_content
    assert answer is not None
    assert answer["GIVEN"] == "7"


async def test_a_parent_that_takes_too_long_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fork_server_module, "WAIT_SECONDS", 0.01)
    async with (
        ForkServer(tiny_program("--fork-server"), lambda _user: tiny()) as fork_server,
        ToolSession(fork_server.start("3"), 30) as tools,
    ):
        assert await pid_of(tools) in children_of(ME)


async def test_leaving_at_once_ends_a_parent_that_is_not_ready() -> None:
    before, others = descriptors(), set(fork_servers_of(ME))
    async with tiny_fork_server():
        await until(lambda: set(fork_servers_of(ME)) > others, "the parent's start")
    assert set(fork_servers_of(ME)) == others
    await until(lambda: descriptors() == before, "the closing of every descriptor")


async def test_the_parent_has_the_environment_it_was_given_and_no_secret_of_ours(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", "not for children")
    async with tiny_fork_server(GIVEN="yes") as fork_server:
        parent = (await fork_server.living()).pid
        environment = Path(f"/proc/{parent}/environ").read_text()
    assert "GIVEN=yes" in environment
    assert "not for children" not in environment


async def test_a_parent_that_is_gone_forks_no_more() -> None:
    async with ParentProcess(tiny_program("--fork-server")) as life:
        await life.warm()
        os.kill(life.pid, signal.SIGKILL)
        await life.over()
        with pytest.raises(ForkUnavailable):
            await life.fork("3", 2)


SERVER = """
import asyncio, json, os, sys
sys.path.insert(0, {root!r})
from family_food.chat.tool_session import ToolSession
from tests.support.tiny_start import tiny_fork_server
from tests.support.process_tree import tool_servers_of, fork_servers_of

async def main():
    async with tiny_fork_server() as fork_server:
        async with ToolSession(fork_server.start("3"), 30) as one, ToolSession(fork_server.start("deaf"), 30) as deaf:
            await one.tools()
            await deaf.tools()
            print(json.dumps(fork_servers_of(os.getpid()) + tool_servers_of(os.getpid())), flush=True)
            await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_a_killed_server_leaves_no_process_however_stubborn() -> None:
    server = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SERVER.format(root=str(PROJECT)), stdout=asyncio.subprocess.PIPE, cwd=PROJECT
    )
    assert server.stdout is not None
    async with asyncio.timeout(WAIT_SECONDS):
        left = json.loads(await server.stdout.readline())
    assert len(left) == 3
    server.kill()
    await server.wait()
    await until(lambda: not any(alive(pid) for pid in left), "the end of all that the server had started")

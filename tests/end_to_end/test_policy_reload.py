"""Two servers on one database, and a policy file that changes under them; an operator at a terminal; a killed process."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import textwrap
from contextlib import AsyncExitStack, closing
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client

from permit_core.policy.loader import text_hash
from permit_mcp.init_command import FILES
from tests.permit_mcp.test_terminal_yes import SECONDS, agent, at_terminal, environment, run
from tests.support.tool_servers import refusal_of, text_of

pytestmark = pytest.mark.slow

OPEN = FILES["policy.yaml"]
SHUT = OPEN.replace('permissions: ["files:read", "files:delete"]', 'permissions: ["files:read"]', 1)
ASKING = OPEN.replace("operators: [me]", "operators: [me]\nreload: ask")
ASKING_SHUT = SHUT.replace("operators: [me]", "operators: [me]\nreload: ask")

DIES_WITHIN = """
    import asyncio
    from permit_core.bootstrap import open_core
    from permit_core.settings import Settings
    from permit_core.stores.policies import PolicyStore

    accept = PolicyStore.accept

    async def hangs(*arguments, **named):
        await accept(*arguments, **named)
        print("inside", flush=True)
        await asyncio.Event().wait()

    PolicyStore.accept = hangs
    asyncio.run(open_core(Settings.load()))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    run(tmp_path, "init")
    return tmp_path


def write(folder: Path, text: str) -> None:
    beside = folder / "policy.new"
    beside.write_text(text)
    beside.rename(folder / "policy.yaml")


async def outcome(client: Client) -> str:
    """What becomes of a deletion: it waits for a yes, or there is no such tool for this agent any more."""
    result: Any = await client.call_tool("delete_file", {"name": "report.txt"})
    return "unknown tool" if "Unknown tool" in text_of(result) else str(refusal_of(result)["code"])


def on_record(folder: Path, event: str) -> list[str]:
    """Under which policy each record of an event was written."""
    with closing(sqlite3.connect(folder / "permit.db")) as database:
        found = database.execute("SELECT policy FROM audit_records WHERE event = ? ORDER BY seq", [event])
        return [policy for (policy,) in found]


async def test_two_servers_take_up_a_changed_policy_at_their_next_call_and_with_ask_after_a_yes(folder: Path) -> None:
    async with AsyncExitStack() as stack:
        stack.enter_context(anyio.fail_after(SECONDS * 3))
        servers = [await stack.enter_async_context(agent(folder)) for _ in range(2)]
        assert [await outcome(server) for server in servers] == ["approval_pending"] * 2

        write(folder, SHUT)
        assert [await outcome(server) for server in servers] == ["unknown tool"] * 2
        assert on_record(folder, "policy.changed") == [text_hash(SHUT)]

        folder.chmod(0o777)
        write(folder, OPEN)
        assert [await outcome(server) for server in servers] == ["unknown tool"] * 2
        assert on_record(folder, "policy.refused") == [text_hash(SHUT)]
        folder.chmod(0o700)

        write(folder, ASKING)
        for server in servers:
            while await outcome(server) != "approval_pending":
                pass
        write(folder, ASKING_SHUT)
        servers.append(await stack.enter_async_context(agent(folder)))
        assert [await outcome(server) for server in servers] == ["approval_pending"] * 3
        assert on_record(folder, "policy.waiting") == [text_hash(ASKING)]

        named = text_hash(ASKING_SHUT)[:12]
        said, code = await anyio.to_thread.run_sync(at_terminal, folder, "n", "policy", "accept", named)
        assert (code, "Nothing was done." in said) == (1, True)
        said, code = await anyio.to_thread.run_sync(at_terminal, folder, "y", "policy", "accept", named)
        assert code == 0, said
        assert "nothing was found that it loosens" in said
        for server in servers:
            while await outcome(server) != "unknown tool":
                pass
    assert on_record(folder, "policy.changed") == [text_hash(each) for each in (SHUT, ASKING, ASKING_SHUT)]
    assert "holds the policy that is in force" in run(folder, "policy", "accept", named)


async def test_a_process_that_is_killed_while_it_puts_a_policy_in_force_leaves_that_to_the_next(folder: Path) -> None:
    with anyio.fail_after(SECONDS * 3):
        async with agent(folder) as server:
            assert await outcome(server) == "approval_pending"
        write(folder, SHUT)
        with subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(DIES_WITHIN)],
            env=environment(folder),
            cwd=folder,
            stdout=subprocess.PIPE,
            text=True,
        ) as dying:
            assert dying.stdout is not None
            said = dying.stdout.readline()
            dying.kill()
        assert said == "inside\n"
        async with agent(folder) as server:
            assert await outcome(server) == "unknown tool"
    assert on_record(folder, "policy.changed") == [text_hash(SHUT)]

"""From the built library to a guarded tool, a question, a yes at a terminal and one execution, in an empty folder."""

from __future__ import annotations

import json
from typing import Any

import anyio
import pytest
from mcp import Client, StdioServerParameters

from permit_mcp.refusals import refusal_in
from tests.distribution.conftest import Installed, surroundings
from tests.support.terminal import Tty

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

REPORT = {"name": "report.txt"}


async def test_a_guarded_tool_waits_for_a_yes_at_a_terminal_and_runs_once(installed: Installed) -> None:
    for arguments in (["init"], ["policy", "check"], ["policy", "test"]):
        done = installed.permit_mcp(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
    report = installed.folder / "files" / "report.txt"
    server = StdioServerParameters(
        command=str(installed.python), args=["server.py"], env=surroundings(installed.folder), cwd=installed.folder
    )
    with anyio.fail_after(300):
        async with Client(server, mode="legacy", cache=None, read_timeout_seconds=120) as agent:

            async def delete() -> tuple[str, dict[str, Any]]:
                answer = await agent.call_tool("delete_file", REPORT)
                refused = refusal_in(answer.meta)
                return ("refused", refused) if refused else ("done", answer.structured_content or {})

            outcome, refusal = await delete()
            assert (outcome, refusal["code"]) == ("refused", "approval_pending")
            assert report.exists()

            await anyio.to_thread.run_sync(say_yes, installed)
            assert report.exists()  # a yes alone does nothing

            assert await delete() == ("done", {"result": "deleted report.txt"})
            assert not report.exists()

            report.write_text("another one", encoding="utf-8")
            outcome, refusal = await delete()
            assert outcome == "refused", "a yes is for one call"
            assert report.exists()

    verified = installed.permit_mcp("audit", "verify")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    records = [json.loads(line) for line in installed.permit_mcp("audit", "export").stdout.splitlines()]
    assert sum(record["event"] == "request.used" for record in records) == 1


def say_yes(installed: Installed) -> None:
    """Be the person whom the policy names, at a terminal."""
    terminal = Tty(
        [str(installed.environment / "bin" / "permit-mcp"), "requests", "watch"],
        surroundings(installed.folder, TERM="xterm", LANG="C.UTF-8"),
        installed.folder,
    )
    try:
        asked = terminal.see("Type y to approve").flat
        assert "one call of delete_file" in asked
        assert '"report.txt"' in asked
        terminal.enter("y")
        terminal.see("is approved.")
        terminal.control("c")
        terminal.ended()
    finally:
        terminal.close()

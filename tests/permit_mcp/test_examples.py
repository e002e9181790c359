"""The example of a guarded files server, over stdio as an agent would use it."""

from __future__ import annotations

import sys
from pathlib import Path

import anyio
import pytest
from mcp import Client, StdioServerParameters

from permit_core.bootstrap import open_core
from permit_core.ports.approvals import Via
from permit_core.ports.request import RequestKind
from permit_core.settings import Settings
from tests.permit_mcp.test_terminal_yes import environment
from tests.support.environment import PROJECT
from tests.support.tool_servers import refusal_of, text_of

pytestmark = pytest.mark.slow

EXAMPLE = PROJECT / "examples" / "files"
SECONDS = 90


async def test_the_files_example_deletes_once_after_the_bosss_yes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = tmp_path / "files"
    store.mkdir()
    (store / "report.txt").write_text("numbers")
    variables = environment(tmp_path) | {
        "POLICY_FILE": str(EXAMPLE / "policy.yaml"),
        "FACTS_FILE": str(EXAMPLE / "facts.yaml"),
        "FILES": str(store),
    }
    for name in ("DATABASE_URL", "POLICY_FILE", "FACTS_FILE", "STATE_DIR", "ENV_FILE"):
        monkeypatch.setenv(name, variables[name])
    parameters = StdioServerParameters(command=sys.executable, args=[str(EXAMPLE / "server.py")], env=variables)
    with anyio.fail_after(SECONDS):
        async with Client(parameters, cache=None, read_timeout_seconds=SECONDS) as clerk:
            assert text_of(await clerk.call_tool("list_files", {})) == "report.txt"
            read = (await clerk.read_resource("files://report.txt")).contents[0]
            assert getattr(read, "text", "") == "numbers"
            refused = refusal_of(await clerk.call_tool("delete_file", {"name": "report.txt"}))
            assert (store / "report.txt").exists()
            core = await open_core(Settings.load())
            boss = await core.directory.actor(core.environment, core.settings.tenant, "boss")
            assert boss is not None
            await core.approvals.approve(boss, RequestKind.CALL, refused["request_id"], via=Via.PERSON)
            await core.close()
            assert text_of(await clerk.call_tool("delete_file", {"name": "report.txt"})) == "deleted report.txt"
            assert not (store / "report.txt").exists()

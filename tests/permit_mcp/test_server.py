"""The stand-alone server, run as the guide says: ``server.py`` inside ``src/permit_mcp``."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import anyio
import pexpect  # type: ignore[import-untyped]
import pytest
from mcp import Client, StdioServerParameters

from permit_core.bootstrap import Core
from permit_core.permit_io.requests import RemoteRequests
from permit_core.ports.request import RequestKind
from permit_mcp.enforcement import ABOUT_ONES_OWN
from tests.support.ordering import ROOT, START_SECONDS, child_environment
from tests.support.permit_io import SeededPermit
from tests.support.tool_servers import refusal_of

FOLDER = ROOT / "src" / "permit_mcp"
GUIDE = {"TENANT": "default", "RESOURCE_KEY": "restaurants", "ACCESS_ELEMENTS_CONFIG_ID": "restaurant-requests",
         "OPERATION_ELEMENTS_CONFIG_ID": "dish-requests"}  # fmt: skip
"""Those of the guide's eight variables that say the same in every project of the family."""


def client(environment: dict[str, str], *arguments: str) -> Client:
    parameters = StdioServerParameters(
        command=sys.executable, args=["server.py", *arguments], env=environment, cwd=FOLDER
    )
    return Client(parameters, mode="legacy", cache=None, read_timeout_seconds=START_SECONDS)


def run(environment: dict[str, str], *arguments: str, cwd: Path = FOLDER) -> subprocess.CompletedProcess[str]:
    """Start it and close its input at once."""
    return subprocess.run(
        [sys.executable, str(FOLDER / "server.py"), *arguments],
        env={"PATH": os.defpath, **environment},
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=START_SECONDS,
        check=False,
    )


async def test_the_guides_eight_variables_in_a_copy_of_the_example_file_configure_the_server(
    tmp_path: Path, permit_io: SeededPermit
) -> None:
    values = permit_io.environment | GUIDE
    assert len(values.keys() - {"PERMIT_API_URL"}) == 8
    lines = (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()
    names = [line.split("=")[0] for line in lines]
    for name, value in (
        values | {"FACTS_FILE": "", "POLICY_FILE": str(ROOT / "policies" / "family_food.yaml")}
    ).items():
        lines[names.index(name)] = f"{name}={value}"
    (tmp_path / ".env").write_text("\n".join(lines), encoding="utf-8")
    parameters = StdioServerParameters(command=sys.executable, args=[str(FOLDER / "server.py")], cwd=tmp_path)
    with anyio.fail_after(START_SECONDS * 2):
        async with Client(parameters, cache=None, read_timeout_seconds=START_SECONDS) as agent:
            listed = (await agent.call_tool("list_resource_instances", {"user_id": "3"})).structured_content
            assert listed is not None
            assert {each["resource_instance"].split(":")[0] for each in listed["instances"]} == {"restaurants"}
            for tool, wish in (
                ("create_access_request", {"role": "child-can-view", "resource_instance": "4"}),
                ("create_operation_approval", {"operation": "order", "resource_instance": "dishes:1-pepperoni-pizza"}),
            ):
                asked = await agent.call_tool(tool, {"user_id": "3", "reason": "please", **wish})
                assert not asked.is_error, asked
    core = await permit_io.core(tmp_path)
    assert core.permit_io is not None
    there = RemoteRequests(core.permit_io, "restaurant-requests", "dish-requests")
    for kind in (RequestKind.ACCESS_REQUEST, RequestKind.OPERATION_APPROVAL):
        assert [asked.reason for asked in await there.pending(kind, "3")] == ["please"]
    await core.close()


async def test_lists_are_empty_where_the_facts_hold_nothing(tmp_path: Path) -> None:
    environment = child_environment(f"sqlite+aiosqlite:///{tmp_path / 'new.db'}")
    (tmp_path / "facts.yaml").write_text("tenants: [{key: default, name: Nobody}]\n")
    environment["FACTS_FILE"] = str(tmp_path / "facts.yaml")
    with anyio.fail_after(START_SECONDS):
        async with client(environment) as server:
            assert len((await server.list_tools()).tools) == 12
            listed = await server.call_tool("list_resource_instances", {})
            assert listed.structured_content == {"instances": [], "total": 0, "page": 1, "per_page": 100}
            refused = await server.call_tool("list_access_requests", {"user_id": "1"})
            assert refusal_of(refused)["code"] == "no_such_user"


async def test_bound_to_a_user_it_acts_for_that_user(core: Core, request: pytest.FixtureRequest) -> None:
    environment = child_environment(core.settings.resolved_database_url)
    if core.permit_io is not None:
        environment |= request.getfixturevalue("permit_io").environment
    with anyio.fail_after(START_SECONDS):
        async with client(environment, "--acting-user", "3") as server:
            names = {tool.name for tool in (await server.list_tools()).tools}
            assert "create_access_request" in names
            assert names < core.model.tools_for(["child"]) | ABOUT_ONES_OWN
            assert not (await server.call_tool("list_resource_instances", {})).is_error


def test_it_says_on_stderr_that_it_runs_how_and_where_its_data_and_policy_are(tmp_path: Path) -> None:
    database = tmp_path / "new.db"
    environment = child_environment(f"sqlite+aiosqlite:///{database}") | {"LOG_LEVEL": "ERROR"}
    ended = run(environment)
    assert (ended.returncode, ended.stdout) == (0, "")
    assert "is running on stdio" in ended.stderr
    assert "user_id" in ended.stderr
    assert str(database) in ended.stderr
    assert environment["POLICY_FILE"] in ended.stderr


def test_a_dot_env_above_the_working_directory_is_honoured(tmp_path: Path) -> None:
    policy = ROOT / "policies" / "family_food.yaml"
    (tmp_path / ".env").write_text(f"DB_NAME=mine/own.db\nLOG_LEVEL=ERROR\nPOLICY_FILE={policy}\n", encoding="utf-8")
    inside = tmp_path / "src" / "permit_mcp"
    inside.mkdir(parents=True)
    ended = run({}, cwd=inside)
    assert ended.returncode == 0, ended.stderr
    assert str(tmp_path / "mine" / "own.db") in ended.stderr
    assert (tmp_path / "mine" / "own.db").exists()


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"POLICY_FILE": "/nowhere/policy.yaml"}, "/nowhere/policy.yaml"),
        ({"DATABASE_URL": "mysql://x:secret@y/z"}, "DATABASE_URL"),
        ({"LOG_LEVEL": "LOUD"}, "LOG_LEVEL"),
    ],
)
def test_with_settings_that_cannot_be_used_it_says_which_and_ends(
    tmp_path: Path, environment: dict[str, str], said: str
) -> None:
    ended = run(child_environment(f"sqlite+aiosqlite:///{tmp_path / 'new.db'}") | environment)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert said in ended.stderr
    assert "secret" not in ended.stderr
    assert "Traceback" not in ended.stderr


def test_where_no_policy_is_named_it_says_how_to_name_one_and_leaves_nothing_behind(tmp_path: Path) -> None:
    ended = run({"HOME": str(tmp_path / "home")}, cwd=tmp_path)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "POLICY_FILE: no policy is named; write POLICY_FILE=policy.yaml into permit-mcp.env or .env" in ended.stderr
    assert list(tmp_path.iterdir()) == []


def test_nobody_is_not_acted_for(tmp_path: Path) -> None:
    ended = run(child_environment(f"sqlite+aiosqlite:///{tmp_path / 'new.db'}"), "--acting-user", "99")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "no user '99'" in ended.stderr


@pytest.mark.parametrize("key", ["\x03", "\x04"], ids=["ctrl-c", "ctrl-d"])
def test_in_a_terminal_one_key_ends_it_at_once(tmp_path: Path, key: str) -> None:
    environment = child_environment(f"sqlite+aiosqlite:///{tmp_path / 'new.db'}")
    terminal = pexpect.spawn(
        sys.executable, ["server.py"], cwd=str(FOLDER), env=environment | {"PATH": os.defpath}, timeout=START_SECONDS
    )
    try:
        terminal.expect("is running on stdio")
        terminal.send(key)
        terminal.expect(pexpect.EOF)
    finally:
        terminal.close(force=True)
    assert b"Traceback" not in terminal.before


def test_a_script_that_never_closes_its_permit_server_still_ends(tmp_path: Path) -> None:
    program = (
        "import asyncio\n"
        "from mcp import Client\n"
        "from mcp.server.mcpserver import MCPServer\n"
        "from permit_mcp import PermitServer\n"
        "async def main():\n"
        "    mcp = MCPServer('x', log_level='ERROR')\n"
        "    PermitServer(mcp)\n"
        "    async with Client(mcp) as client:\n"
        "        assert not (await client.call_tool('list_resource_instances', {})).is_error\n"
        "asyncio.run(main())\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program],
        env={"PATH": os.defpath, **child_environment(f"sqlite+aiosqlite:///{tmp_path / 'new.db'}")},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=START_SECONDS,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr

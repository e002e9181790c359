"""The wheel is whole, small, and works where there is nothing else."""

from __future__ import annotations

import zipfile
from pathlib import Path

import anyio
import pytest
from mcp import Client, StdioServerParameters

from tests.distribution.conftest import Installed, surroundings

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

POLICY = """\
version: 2
name: Files
resources:
  files:
    actions: [read, delete]
    roles:
      owner: {permissions: [read, delete]}
roles:
  agent: {tools: [list_resource_instances]}
...
"""
SERVER = """\
from mcp.server import MCPServer
from permit_mcp import PermitServer

mcp = MCPServer("my_server")
permit = PermitServer(mcp, exclude_tools=["list_operation_approvals"])
mcp.run()
"""


def with_policy(installed: Installed) -> Path:
    """Write a policy, and what says where it is."""
    policy = installed.folder / "policy.yaml"
    policy.write_text(POLICY, encoding="utf-8")
    (installed.folder / "permit-mcp.env").write_text("POLICY_FILE=policy.yaml\n", encoding="utf-8")
    return policy


async def listed_and_called(installed: Installed, command: str, *arguments: str) -> set[str]:
    """The tools of a server that is started in the folder, one of them called."""
    parameters = StdioServerParameters(
        command=command, args=list(arguments), env=surroundings(installed.folder), cwd=installed.folder
    )
    with anyio.fail_after(60):
        async with Client(parameters, mode="legacy", cache=None, read_timeout_seconds=60) as client:
            answer = await client.call_tool("list_resource_instances", {})
            assert answer.structured_content == {"instances": [], "total": 0, "page": 1, "per_page": 100}
            return {tool.name for tool in (await client.list_tools()).tools}


def test_the_wheel_has_two_packages_with_their_types_and_data_and_names_no_host(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        metadata = archive.read(next(name for name in names if name.endswith("/METADATA"))).decode()
    assert {name.split("/")[0].split("-")[0] for name in names} == {"permit_core", "permit_mcp"}
    assert {"permit_core/py.typed", "permit_mcp/py.typed"} <= set(names)
    assert "permit_core/stores/migrations/versions/0001_first.py" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert "Name: permit-mcp\n" in metadata
    assert "Project-URL" not in metadata


def test_only_what_is_needed_is_installed(installed: Installed) -> None:
    there = {path.name for path in (installed.environment / "lib").glob("python*/site-packages/*")}
    assert {"permit_core", "permit_mcp", "mcp", "sqlalchemy"} <= there
    assert there & {"permit_api", "family_food", "google", "asyncpg", "prompt_toolkit", "fastapi", "permit"} == set()


def test_without_a_policy_it_says_how_to_name_one_and_writes_nothing(installed: Installed) -> None:
    before = installed.files()
    for arguments in (["policy", "check"], ["policy", "test"], ["serve"]):
        done = installed.permit_mcp(*arguments)
        assert done.returncode == 2, done
        assert "POLICY_FILE: no policy is named; write POLICY_FILE=policy.yaml into permit-mcp.env" in done.stderr
    assert list(installed.folder.iterdir()) == []
    assert installed.files() == before


async def test_in_a_folder_with_a_policy_it_checks_serves_and_remembers_beside_it(installed: Installed) -> None:
    before = installed.files()
    policy = with_policy(installed)
    checked = installed.permit_mcp("policy", "check")
    assert (checked.returncode, checked.stderr) == (0, "")
    assert str(policy) in checked.stdout
    tools = await listed_and_called(installed, str(installed.environment / "bin" / "permit-mcp"), "serve")
    assert {"create_access_request", "approve_operation_approval"} <= tools
    assert (installed.folder / "permit.db").exists()
    audited = installed.permit_mcp("audit", "tail")
    assert audited.returncode == 0, audited.stderr
    assert "list_resource_instances" in audited.stdout
    assert installed.files() == before


async def test_a_server_of_ones_own_in_five_lines_works(installed: Installed) -> None:
    with_policy(installed)
    (installed.folder / "my_server.py").write_text(SERVER, encoding="utf-8")
    tools = await listed_and_called(installed, str(installed.python), "my_server.py")
    assert "create_access_request" in tools
    assert "list_operation_approvals" not in tools


def test_what_is_not_installed_is_told_with_what_to_install(installed: Installed) -> None:
    with_policy(installed)
    for setting, needed in (
        ({"DATABASE_URL": "postgresql+asyncpg://joe@127.0.0.1/x"}, "install permit-mcp[postgres]"),
        ({"PDP": "opa"}, "install permit-mcp[opa]"),
        ({"PERMIT_API_KEY": "permit_key_abc"}, "install permit-mcp[permit]"),
    ):
        done = installed.permit_mcp("serve", **setting)
        assert done.returncode == 2, done
        assert needed in done.stderr
        assert "Traceback" not in done.stderr


def test_a_command_of_another_distribution_is_missed_in_words(installed: Installed) -> None:
    done = installed.permit_mcp("local", COLUMNS="200")
    assert done.returncode == 2
    assert "there is no command 'local' here" in done.stderr
    assert "run it in a checkout" in done.stderr
    assert "local" not in installed.permit_mcp("--help").stdout

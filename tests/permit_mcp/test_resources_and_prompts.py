"""The host's resources, resource templates and prompts are declared, judged, recorded and refused like tools."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from mcp.shared.exceptions import MCPError

from permit_mcp import PermitServer
from tests.permit_mcp.test_guard import FACTS, POLICY, asking
from tests.support.tool_servers import connect, make_mcp

IN_POLICY = """\
mcp_resources:
  "files://{name}": {action: read, resource: "files:{name}"}
  "files://all": open
prompts:
  summary: {action: read, resource: "files:{name}"}
"""


def server(folder: Path, kind: str, user: str | None, *, in_code: bool) -> tuple[Any, PermitServer]:
    (folder / "policy.yaml").write_text(f"{POLICY}{'' if in_code else IN_POLICY}...\n")
    (folder / "facts.yaml").write_text(FACTS)
    mcp = make_mcp(kind)
    permit = PermitServer(mcp, acting_user=user, policy=folder / "policy.yaml", facts=folder / "facts.yaml")

    async def read_file(name: str) -> str:
        """The text of a file."""
        return f"text of {name}"

    async def all_files() -> str:
        return "a, b"

    async def summary(name: str) -> str:
        return f"sum up {name}"

    if in_code:
        permit.guard("read", "files:{name}")(mcp.resource("files://{name}")(read_file))
        mcp.resource("files://all")(permit.open(all_files))
        permit.guard("read", "files:{name}")(mcp.prompt()(summary))
    else:
        mcp.resource("files://{name}")(read_file)
        mcp.resource("files://all")(all_files)
        mcp.prompt()(summary)
    return mcp, permit


def refused(error: MCPError) -> str:
    assert error.code == -32010
    return str(error.data["permit/refusal"]["code"])


@pytest.mark.parametrize("in_code", [True, False])
async def test_whom_the_policy_lets_read_reads_and_it_is_on_record(
    files: Path, kind: str, era: str, in_code: bool
) -> None:
    mcp, permit = server(files, kind, "ann", in_code=in_code)
    async with asking(permit) as core:
        async with connect(mcp, era) as client:
            assert [str(it.uri) for it in (await client.list_resources()).resources] == ["files://all"]
            templates = (await client.list_resource_templates()).resource_templates
            assert [it.uri_template for it in templates] == ["files://{name}"]
            assert [it.name for it in (await client.list_prompts()).prompts] == ["summary"]
            assert getattr((await client.read_resource("files://x")).contents[0], "text", "") == "text of x"
            assert getattr((await client.read_resource("files://all")).contents[0], "text", "") == "a, b"
            prompt = await client.get_prompt("summary", {"name": "x"})
            assert "sum up x" in str(prompt.messages[0].content)
        records = [
            record
            for record in await core.audit.records(core.environment)
            if record.event.startswith(("resource.r", "prompt."))
        ]
        assert [(record.event, record.body["outcome"]) for record in records] == [
            ("resource.read", "ok"),
            ("resource.read", "ok"),
            ("prompt.call", "ok"),
        ]
        assert records[0].body["resource"] == "files://x"
        assert records[0].body["decisions"][0]["effect"] == "allow"


@pytest.mark.parametrize("in_code", [True, False])
async def test_for_anybody_else_they_are_not_there(files: Path, kind: str, era: str, in_code: bool) -> None:
    mcp, permit = server(files, kind, "eve", in_code=in_code)
    async with asking(permit) as core:
        async with connect(mcp, era) as client:
            assert (await client.list_resource_templates()).resource_templates == []
            assert (await client.list_prompts()).prompts == []
            said = set()
            for uri in ("files://x", "other://x"):
                with pytest.raises(MCPError, match=r"Unknown resource|Resource not found") as error:
                    await client.read_resource(uri)
                said.add(error.value.message.replace(uri, "..."))
            assert len(said) == 1
            with pytest.raises(MCPError, match=r"Unknown prompt|summary"):
                await client.get_prompt("summary", {"name": "x"})
        events = [record.event for record in await core.audit.records(core.environment)]
        assert events.count("resource.refused") == 2
        assert events.count("prompt.refused") == 1


async def test_what_nobody_declared_is_refused_with_the_line_to_add(files: Path, kind: str, era: str) -> None:
    mcp, permit = server(files, kind, "ann", in_code=True)

    @mcp.resource("logs://{day}")  # type: ignore[untyped-decorator]
    async def log(day: str) -> str:
        return day

    @mcp.prompt()  # type: ignore[untyped-decorator]
    async def greeting() -> str:
        return "hello"

    async with asking(permit), connect(mcp, era) as client:
        assert len((await client.list_resource_templates()).resource_templates) == 1
        with pytest.raises(MCPError) as error:
            await client.read_resource("logs://today")
        assert refused(error.value) == "not_declared"
        assert 'mcp_resources: {"logs://{day}": open}' in str(error.value.data)
        with pytest.raises(MCPError) as error:
            await client.get_prompt("greeting", {})
        assert refused(error.value) == "not_declared"


async def test_unbound_an_open_one_is_read_and_a_guarded_one_needs_somebody(files: Path, kind: str, era: str) -> None:
    mcp, permit = server(files, kind, None, in_code=True)
    async with asking(permit), connect(mcp, era) as client:
        assert getattr((await client.read_resource("files://all")).contents[0], "text", "") == "a, b"
        with pytest.raises(MCPError) as error:
            await client.read_resource("files://x")
        assert refused(error.value) == "no_such_user"

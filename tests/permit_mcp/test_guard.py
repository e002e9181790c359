"""A host's own tools under policy, by one line each."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from permit_core.bootstrap import Core
from permit_core.policy.facts import Facts
from permit_core.policy.strangers import strangers
from permit_core.policy_source import policy_file
from permit_core.ports.approvals import Via
from permit_core.ports.record import RecordFilter
from permit_core.ports.request import RequestFilter, RequestKind, RequestStatus
from permit_mcp import PermitServer
from tests.support.tool_servers import call, make_mcp, refusal, text_of, tools_of

POLICY = """\
version: 2
name: Files
resources:
  files:
    name: Files
    actions: [read, delete, review]
    roles:
      owner: {name: Owner, permissions: [read, delete, review]}
roles:
  clerk: {name: Clerk, permissions: ["files:read"], tools: [list_resource_instances, get_request]}
  boss: {name: Boss, permissions: ["files:read", "files:delete", "files:review"]}
"""
FACTS = """\
tenants: [{key: default, name: Default}]
users:
  - {key: ann, first_name: Ann}
  - {key: bob, first_name: Bob}
  - {key: eve, first_name: Eve}
role_assignments:
  - {user: ann, role: clerk}
  - {user: bob, role: boss}
"""


def write(folder: Path, more: str = "") -> dict[str, Any]:
    (folder / "policy.yaml").write_text(POLICY + more + "...\n")
    (folder / "facts.yaml").write_text(FACTS)
    return {"policy": folder / "policy.yaml", "facts": folder / "facts.yaml"}


@asynccontextmanager
async def asking(permit: PermitServer) -> AsyncIterator[Core]:
    """The server's own core, as long as the block lasts."""
    try:
        yield await permit.core()
    finally:
        await permit.close()


def guarded(kind: str, options: dict[str, Any], *, above: bool, ran: list[str]) -> tuple[Any, PermitServer]:
    mcp = make_mcp(kind)
    permit = PermitServer(mcp, **options)

    async def delete_file(name: str) -> str:
        """Delete a file."""
        ran.append(name)
        return f"deleted {name}"

    if above:
        permit.guard("delete", "files:{name}")(mcp.tool()(delete_file))
    else:
        mcp.tool()(permit.guard("delete", "files:{name}")(delete_file))
    return mcp, permit


@pytest.mark.parametrize("above", [True, False])
@pytest.mark.parametrize("name", ["report.txt", "a b/c.md", "../x"])
async def test_a_guarded_tool_runs_for_whom_the_policy_allows_and_for_nobody_else(
    files: Path, kind: str, era: str, above: bool, name: str
) -> None:
    ran: list[str] = []
    for user, allowed in (("bob", True), ("ann", False), ("eve", False)):
        mcp, permit = guarded(kind, {**write(files), "acting_user": user}, above=above, ran=ran)
        assert ("delete_file" in await tools_of(mcp, era)) == allowed
        if allowed:
            assert text_of(await call(mcp, "delete_file", {"name": name}, era)) == f"deleted {name}"
        else:
            assert "Unknown tool" in text_of(await call(mcp, "delete_file", {"name": name}, era))
        await permit.close()
    assert ran == [name]


HELD = """\
tools:
  delete_file:
    action: delete
    resource: "files:{name}"
    confirm: {when: always, by: reviewer}
"""


async def test_a_held_call_waits_for_a_humans_yes_and_then_runs_once(files: Path, kind: str, era: str) -> None:
    ran: list[str] = []
    policy = POLICY.replace(
        'clerk: {name: Clerk, permissions: ["files:read"]',
        'clerk: {name: Clerk, permissions: ["files:read", "files:delete"]',
    )
    (files / "policy.yaml").write_text(policy + HELD + "...\n")
    (files / "facts.yaml").write_text(FACTS)
    mcp = make_mcp(kind)
    permit = PermitServer(mcp, acting_user="ann", policy=files / "policy.yaml", facts=files / "facts.yaml")

    async def delete_file(name: str, *, force: bool = False) -> str:
        ran.append(name)
        return f"deleted {name}"

    mcp.tool()(delete_file)
    async with asking(permit) as core:
        first = await refusal(mcp, "delete_file", {"name": "a b/c.md"}, era)
        again = await refusal(mcp, "delete_file", {"name": "a b/c.md", "force": False}, era)
        assert (first["code"], again["code"]) == ("approval_pending", "approval_pending")
        assert first["request_id"] == again["request_id"]
        other = await refusal(mcp, "delete_file", {"name": "a b/c.md", "force": True}, era)
        assert other["request_id"] != first["request_id"]
        bob = await core.directory.actor(core.environment, core.settings.tenant, "bob")
        assert bob is not None
        await core.approvals.approve(bob, RequestKind.CALL, first["request_id"], via=Via.PERSON)
        assert (await refusal(mcp, "delete_file", {"name": "../x"}, era))["code"] == "approval_pending"
        assert ran == []
        assert text_of(await call(mcp, "delete_file", {"name": "a b/c.md"}, era)) == "deleted a b/c.md"
        anew = await refusal(mcp, "delete_file", {"name": "a b/c.md"}, era)
        assert anew["request_id"] != first["request_id"]
        assert (await core.approvals.get(bob, None, first["request_id"])).status is RequestStatus.USED
        undecided = await core.approvals.list(bob, RequestKind.CALL, RequestFilter(status=RequestStatus.PENDING))
        assert undecided.items
        assert strangers(core.model, Facts.of([], [], [], [], []), undecided.items) == []
    assert ran == ["a b/c.md"]


async def test_a_changed_policy_that_contradicts_what_code_declares_is_not_taken_up_and_another_one_is(
    files: Path, kind: str, era: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policy_file, "SETTLED_SECONDS", 0.0)
    ran: list[str] = []
    mcp, permit = guarded(kind, {**write(files), "acting_user": "bob"}, above=True, ran=ran)
    async with asking(permit) as core:
        assert text_of(await call(mcp, "delete_file", {"name": "a"}, era)) == "deleted a"
        first = core.policies.current("default").hash
        write(files, "tools: {delete_file: open}\n")
        assert text_of(await call(mcp, "delete_file", {"name": "b"}, era)) == "deleted b"
        (refused,) = await core.audit.records("default", RecordFilter(event="policy.refused"))
        assert "tools.delete_file" in refused.body["reason"]
        (files / "policy.yaml").write_text(POLICY.replace('"files:delete", ', "") + "...\n")
        assert "Unknown tool" in text_of(await call(mcp, "delete_file", {"name": "c"}, era))
        calls = await core.audit.records("default", RecordFilter(event="tool.call"))
        assert [record.policy for record in calls] == [first, first]
    assert ran == ["a", "b"]

"""Records go to the program that a server was given for them."""

from __future__ import annotations

from permit_core.bootstrap import Core
from permit_core.ports.record import AuditRecord
from permit_mcp import PermitServer
from tests.support.tool_servers import call, make_mcp


async def test_a_server_shows_each_record_of_a_core_that_it_was_given(core: Core) -> None:
    seen: list[AuditRecord] = []
    mcp = make_mcp("mcp")
    PermitServer(mcp, core=core, acting_user="3", on_record=seen.append)
    await call(mcp, "list_resource_instances", {})
    await core.audit.close()
    assert [(record.event, record.user, record.body["outcome"]) for record in seen] == [("tool.call", "3", "ok")]


async def test_a_server_shows_each_record_of_a_core_that_it_opens(core: Core) -> None:
    seen: list[AuditRecord] = []
    mcp = make_mcp("mcp")
    permit = PermitServer(mcp, settings=core.settings, acting_user="3", on_record=seen.append)
    await call(mcp, "list_resource_instances", {})
    await permit.close()
    assert [record.event for record in seen] == ["tool.call"]


async def test_a_hook_named_by_a_setting_is_shown_records_too(core: Core) -> None:
    settings = core.settings.model_copy(update={"audit_hook": "tests.permit_mcp.test_record_hook:keep"})
    mcp = make_mcp("mcp")
    permit = PermitServer(mcp, settings=settings, acting_user="3")
    await call(mcp, "list_resource_instances", {})
    await permit.close()
    from tests.permit_mcp.test_record_hook import KEPT  # the module as the setting names it

    assert [record.event for record in KEPT] == ["tool.call"]
    KEPT.clear()


KEPT: list[AuditRecord] = []


def keep(record: AuditRecord) -> None:
    """What AUDIT_HOOK names."""
    KEPT.append(record)

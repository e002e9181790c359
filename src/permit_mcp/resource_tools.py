"""The tool that lists what there is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from permit_core.access import Check, Decision
from permit_core.entries import ResourceInstance
from permit_core.errors import InvalidInput
from permit_core.identity import Actor
from permit_core.views import plain
from permit_mcp.core_source import CoreSource
from permit_mcp.parameters import PageNumber, PerPage
from permit_mcp.permit_tool import LOOKS, PermitTool
from permit_mcp.results import InstancePage, InstanceView

if TYPE_CHECKING:
    from permit_core.bootstrap import Core

READ = "read"
"""The action that says whether somebody may look into an instance."""


class ResourceTools:
    """``list_resource_instances``."""

    def __init__(self, cores: CoreSource) -> None:
        self._cores = cores

    def tools(self) -> list[PermitTool]:
        """The tools of this group."""
        return [PermitTool(self.list_resource_instances, "List resources", LOOKS)]

    async def list_resource_instances(
        self,
        viewer: Actor | None,
        page: PageNumber = 1,
        per_page: PerPage = 100,
        resource_type: Annotated[
            str | None, Field(description="The type to list; leave out for the server's main type.", max_length=100)
        ] = None,
    ) -> InstancePage:
        """List what there is to use, for example every restaurant, with the keys that other tools take.

        Call this first: other tools want a `resource_instance` exactly as it stands here. Each entry says in
        `your_access` whether it may be used now: `allowed`; `can_be_requested` (offer to ask with
        create_access_request for the role in `requestable_role`); or `denied` (asking does not help).
        """
        core = await self._cores.get()
        kind = resource_type or core.main_type
        if kind not in core.model.resources:
            raise InvalidInput(
                "There is no such resource type.",
                code="no_such_resource_type",
                hint=f"Use one of: {', '.join(sorted(core.model.resources))}.",
            )
        found = await core.directory.instances(core.environment, core.settings.tenant, kind, page, per_page)
        decisions = await _readable(core, viewer, found.items)
        return InstancePage(
            instances=[_view(*pair) for pair in zip(found.items, decisions, strict=True)],
            total=found.total,
            page=found.page,
            per_page=found.per_page,
        )


async def _readable(core: Core, viewer: Actor | None, instances: list[ResourceInstance]) -> list[Decision] | list[None]:
    if viewer is None or not instances or not core.model.has_action(instances[0].ref.type, READ):
        return [None] * len(instances)
    return await core.pdp.decide_many([Check(viewer, READ, each.ref) for each in instances])


def _view(instance: ResourceInstance, decision: Decision | None) -> InstanceView:
    access: Literal["allowed", "can_be_requested", "denied"] | None = None
    role = None
    if decision is not None:
        roles = [
            remedy.role
            for remedy in decision.remedies
            if remedy.kind == "access_request" and remedy.resource_instance == str(instance.ref)
        ]
        role = roles[0] if roles and not decision.allowed else None
        access = "allowed" if decision.allowed else "can_be_requested" if role else "denied"
    attributes = {
        name: plain(value) if isinstance(value, str) else value for name, value in instance.attributes.items()
    }
    return InstanceView(
        resource_instance=str(instance.ref),
        key=instance.ref.key or "",
        name=plain(instance.name),
        attributes=attributes,
        your_access=access,
        requestable_role=role,
    )

"""Resource instances, by id or as ``type:key``."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from permit_api.nouns import instances
from permit_api.routes.gate import ByAttributes, Scope
from permit_api.routes.parameters import Filter, Filters
from permit_api.shapes.facts import InstanceCreate, InstanceUpdate

router = APIRouter(prefix="/resource_instances", tags=["Resource instances"])


@router.get("")
async def list_instances(
    scope: Scope,
    pages: ByAttributes,
    search: Filters,
    tenant: Filter = None,
    resource: Filter = None,
    detailed: bool = False,
    include_total_count: bool = False,
) -> Response:
    """The instances."""
    return await scope.read(
        lambda session: instances.list_instances(session, pages, tenant, resource, search, detailed=detailed),
        envelope=include_total_count,
    )


@router.get("/detailed")
async def list_detailed(
    scope: Scope, pages: ByAttributes, search: Filters, tenant: Filter = None, resource: Filter = None
) -> Response:
    """The instances, with the relationships they stand in."""
    return await scope.read(
        lambda session: instances.list_instances(session, pages, tenant, resource, search, detailed=True),
        envelope=True,
    )


@router.post("")
async def create_instance(scope: Scope, body: InstanceCreate) -> Response:
    """A new instance."""
    return await scope.write(lambda session: instances.create_instance(session, body))


@router.get("/{instance_id}")
async def get_instance(scope: Scope, instance_id: str, detailed: bool = False) -> Response:
    """One instance."""
    return await scope.read(lambda session: instances.get_instance(session, instance_id, detailed=detailed))


@router.patch("/{instance_id}")
async def change_instance(scope: Scope, instance_id: str, body: InstanceUpdate) -> Response:
    """Change its attributes."""
    return await scope.write(lambda session: instances.change_instance(session, instance_id, body))


@router.delete("/{instance_id}", status_code=204)
async def delete_instance(scope: Scope, instance_id: str) -> Response:
    """Take an instance away, with the roles on it and its relationships."""
    return await scope.write(lambda session: instances.delete_instance(session, instance_id), 204)

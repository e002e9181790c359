"""Resources."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from permit_api.nouns import resources
from permit_api.routes.gate import InPages, Scope
from permit_api.routes.parameters import Search
from permit_api.shapes.schema import ResourceCreate, ResourceReplace, ResourceUpdate

router = APIRouter(prefix="/resources", tags=["Resources"])


@router.get("")
async def list_resources(
    scope: Scope,
    pages: InPages,
    include_built_in: bool = False,
    include_total_count: bool = False,
    search: Search = None,
) -> Response:
    """The resources of the environment."""
    return await scope.read(
        lambda session: resources.list_resources(session, pages, search, include_built_in), envelope=include_total_count
    )


@router.post("")
async def create_resource(scope: Scope, body: ResourceCreate) -> Response:
    """A new resource."""
    return await scope.write(lambda session: resources.create_resource(session, body))


@router.get("/{resource_id}")
async def get_resource(scope: Scope, resource_id: str) -> Response:
    """One resource."""
    return await scope.read(lambda session: resources.get_resource(session, resource_id))


@router.put("/{resource_id}")
async def replace_resource(scope: Scope, resource_id: str, body: ResourceReplace) -> Response:
    """Make a resource what the body says."""
    return await scope.write(lambda session: resources.replace_resource(session, resource_id, body))


@router.patch("/{resource_id}")
async def change_resource(scope: Scope, resource_id: str, body: ResourceUpdate) -> Response:
    """Change what is given."""
    return await scope.write(lambda session: resources.change_resource(session, resource_id, body))


@router.delete("/{resource_id}", status_code=204)
async def delete_resource(scope: Scope, resource_id: str) -> Response:
    """Take a resource away."""
    return await scope.write(lambda session: resources.delete_resource(session, resource_id), 204)

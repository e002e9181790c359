"""Groups of actions of a resource."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from permit_api.nouns import parts
from permit_api.routes.gate import InPages, Scope
from permit_api.shapes.schema import ActionGroupCreate, ActionGroupUpdate
from permit_api.store.tables import action_groups

router = APIRouter(prefix="/resources/{resource_id}/action_groups", tags=["Groups of actions"])


@router.get("")
async def list_action_groups(scope: Scope, resource_id: str, pages: InPages) -> Response:
    """The groups of actions of a resource."""
    return await scope.read(lambda session: parts.list_parts(session, action_groups, resource_id, pages))


@router.post("")
async def create_action_group(scope: Scope, resource_id: str, body: ActionGroupCreate) -> Response:
    """A new group of actions."""
    return await scope.write(lambda session: parts.create_part(session, action_groups, resource_id, body.given()))


@router.get("/{action_group_id}")
async def get_action_group(scope: Scope, resource_id: str, action_group_id: str) -> Response:
    """One group of actions."""
    return await scope.read(lambda session: parts.get_part(session, action_groups, resource_id, action_group_id))


@router.patch("/{action_group_id}")
async def change_action_group(
    scope: Scope, resource_id: str, action_group_id: str, body: ActionGroupUpdate
) -> Response:
    """Change what is given."""
    return await scope.write(
        lambda session: parts.change_part(session, action_groups, resource_id, action_group_id, body.given())
    )


@router.delete("/{action_group_id}", status_code=204)
async def delete_action_group(scope: Scope, resource_id: str, action_group_id: str) -> Response:
    """Take a group of actions away."""
    return await scope.write(
        lambda session: parts.delete_part(session, action_groups, resource_id, action_group_id), 204
    )

"""Actions of a resource."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from permit_api.nouns import parts
from permit_api.routes.gate import InPages, Scope
from permit_api.shapes.schema import ActionCreate, ActionUpdate
from permit_api.store.tables import actions

router = APIRouter(prefix="/resources/{resource_id}/actions", tags=["Actions"])


@router.get("")
async def list_actions(scope: Scope, resource_id: str, pages: InPages) -> Response:
    """The actions of a resource."""
    return await scope.read(lambda session: parts.list_parts(session, actions, resource_id, pages))


@router.post("")
async def create_action(scope: Scope, resource_id: str, body: ActionCreate) -> Response:
    """A new action."""
    return await scope.write(lambda session: parts.create_part(session, actions, resource_id, body.given()))


@router.get("/{action_id}")
async def get_action(scope: Scope, resource_id: str, action_id: str) -> Response:
    """One action."""
    return await scope.read(lambda session: parts.get_part(session, actions, resource_id, action_id))


@router.patch("/{action_id}")
async def change_action(scope: Scope, resource_id: str, action_id: str, body: ActionUpdate) -> Response:
    """Change what is given."""
    return await scope.write(lambda session: parts.change_part(session, actions, resource_id, action_id, body.given()))


@router.delete("/{action_id}", status_code=204)
async def delete_action(scope: Scope, resource_id: str, action_id: str) -> Response:
    """Take an action away."""
    return await scope.write(lambda session: parts.delete_part(session, actions, resource_id, action_id), 204)

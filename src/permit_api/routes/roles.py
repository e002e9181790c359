"""Roles that are held in a whole tenant."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from permit_api.nouns import roles
from permit_api.routes.gate import ByAttributes, Scope
from permit_api.routes.parameters import Search
from permit_api.shapes.schema import Permissions, RoleCreate, RolesBulk, RoleUpdate

router = APIRouter(prefix="/roles", tags=["Roles"])


@router.get("")
async def list_roles(
    scope: Scope, pages: ByAttributes, include_total_count: bool = False, search: Search = None
) -> Response:
    """The roles."""
    return await scope.read(
        lambda session: roles.list_roles(session, None, pages, search), envelope=include_total_count
    )


@router.post("")
async def create_role(scope: Scope, body: RoleCreate) -> Response:
    """A new role."""
    return await scope.write(lambda session: roles.create_role(session, None, body.key, body))


@router.get("/{role_id}")
async def get_role(scope: Scope, role_id: str) -> Response:
    """One role."""
    return await scope.read(lambda session: roles.get_role(session, None, role_id))


@router.patch("/{role_id}")
async def change_role(scope: Scope, role_id: str, body: RoleUpdate) -> Response:
    """Change what is given."""
    return await scope.write(lambda session: roles.change_role(session, None, role_id, body))


@router.delete("/{role_id}", status_code=204)
async def delete_role(scope: Scope, role_id: str) -> Response:
    """Take a role away, and with it its assignments."""
    return await scope.write(lambda session: roles.delete_role(session, None, role_id), 204)


@router.post("/{role_id}/permissions")
async def add_permissions(scope: Scope, role_id: str, body: Permissions) -> Response:
    """Add permissions; the role."""
    return await scope.write(lambda session: roles.add_permissions(session, None, role_id, body.permissions))


@router.delete("/{role_id}/permissions")
async def remove_permissions(scope: Scope, role_id: str, body: Permissions) -> Response:
    """Take permissions away; the role."""
    return await scope.write(lambda session: roles.remove_permissions(session, None, role_id, body.permissions))


@router.put("/{role_id}/parents/{parent_id}")
async def add_parent(scope: Scope, role_id: str, parent_id: str) -> Response:
    """Let the role extend another one as well; the role."""
    return await scope.write(lambda session: roles.add_parent(session, None, role_id, parent_id))


@router.delete("/{role_id}/parents/{parent_id}")
async def remove_parent(scope: Scope, role_id: str, parent_id: str) -> Response:
    """Let the role extend another one no more; the role."""
    return await scope.write(lambda session: roles.remove_parent(session, None, role_id, parent_id))


@router.get("/{role_id}/ancestors")
async def ancestors(scope: Scope, role_id: str) -> Response:
    """All that the role extends."""
    return await scope.read(lambda session: roles.relatives(session, None, role_id, above=True))


@router.get("/{role_id}/descendants")
async def descendants(scope: Scope, role_id: str) -> Response:
    """All that extend the role."""
    return await scope.read(lambda session: roles.relatives(session, None, role_id, above=False))


bulk = APIRouter(prefix="/bulk/roles", tags=["Roles"])


@bulk.put("")
async def put_roles(scope: Scope, body: RolesBulk) -> Response:
    """Make or change many roles, those of tenants and those of resources; their keys."""
    return await scope.write(lambda session: roles.put_roles(session, body.operations))

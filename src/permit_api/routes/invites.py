"""User invites."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter
from starlette.responses import Response

from permit_api.nouns import invites
from permit_api.routes.gate import InPages, Scope
from permit_api.routes.parameters import Filter, Search
from permit_api.shapes.facts import InviteApprove, InviteCreate

router = APIRouter(prefix="/user_invites", tags=["User invites"])


@router.get("")
async def list_invites(
    scope: Scope, pages: InPages, role: Filter = None, tenant: Filter = None, search: Search = None
) -> Response:
    """The invites."""
    return await scope.read(lambda session: invites.list_invites(session, pages, role, tenant, search), envelope=True)


@router.post("")
async def create_invite(scope: Scope, body: InviteCreate) -> Response:
    """A new invite."""
    return await scope.write(lambda session: invites.create_invite(session, body))


@router.get("/{user_invite_id}")
async def get_invite(scope: Scope, user_invite_id: UUID) -> Response:
    """One invite."""
    return await scope.read(lambda session: invites.get_invite(session, user_invite_id))


@router.patch("/{user_invite_id}")
async def change_invite(scope: Scope, user_invite_id: UUID, body: InviteCreate) -> Response:
    """Make an invite what the body says."""
    return await scope.write(lambda session: invites.change_invite(session, user_invite_id, body))


@router.delete("/{user_invite_id}", status_code=204)
async def delete_invite(scope: Scope, user_invite_id: UUID) -> Response:
    """Take an invite away."""
    return await scope.write(lambda session: invites.delete_invite(session, user_invite_id), 204)


@router.post("/{user_invite_id}/approve")
async def approve_invite(scope: Scope, user_invite_id: UUID, body: InviteApprove) -> Response:
    """Let the invited become a user who holds the role."""
    return await scope.write(lambda session: invites.approve_invite(session, user_invite_id, body))

"""Users and their roles."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter
from starlette.responses import JSONResponse, Response

from permit_api.nouns import assignments, users
from permit_api.routes.gate import ByAttributes, Scope
from permit_api.routes.parameters import Filter, Search
from permit_api.shapes.facts import AssignmentCreate, AssignmentRemove, UserCreate, UserRole, UserRoleRemove, UserUpdate
from permit_api.store.session import Session

router = APIRouter(prefix="/users", tags=["Users"])


@router.get("")
async def list_users(
    scope: Scope,
    pages: ByAttributes,
    search: Search = None,
    search_operator: Literal["contains", "startswith", "endswith"] = "contains",
    role: Filter = None,
    include_resource_instance_roles: bool = False,
) -> Response:
    """The users."""
    return await scope.read(
        lambda session: users.list_users(
            session,
            pages,
            search=search,
            search_operator=search_operator,
            role=role,
            on_instances=include_resource_instance_roles,
        ),
        envelope=True,
    )


@router.post("")
async def create_user(scope: Scope, body: UserCreate) -> Response:
    """A new user."""
    return await scope.write(lambda session: users.create_user(session, body))


@router.get("/{user_id}")
async def get_user(scope: Scope, user_id: str) -> Response:
    """One user."""
    return await scope.read(lambda session: users.read_user(session, users.user_of(session, user_id)))


@router.put("/{user_id}", responses={201: {"description": "The user is a new one."}})
async def replace_user(scope: Scope, user_id: str, body: UserCreate) -> Response:
    """Make a user what the body says; 201 when it is a new one."""

    def replaced(session: Session) -> Response:
        user, is_new = users.replace_user(session, user_id, body)
        return JSONResponse(user, 201 if is_new else 200)

    return await scope.write(replaced)


@router.patch("/{user_id}")
async def change_user(scope: Scope, user_id: str, body: UserUpdate) -> Response:
    """Change what is given."""
    return await scope.write(lambda session: users.change_user(session, user_id, body))


@router.delete("/{user_id}", status_code=204)
async def delete_user(scope: Scope, user_id: str) -> Response:
    """Take a user away."""
    return await scope.write(lambda session: users.delete_user(session, user_id), 204)


@router.post("/{user_id}/roles")
async def assign_role(scope: Scope, user_id: str, body: UserRole) -> Response:
    """Give the user a role."""
    wanted = AssignmentCreate(user=user_id, **body.given())
    return await scope.write(
        lambda session: assignments.read_assignments(session, [assignments.assign(session, wanted)])[0]
    )


@router.delete("/{user_id}/roles", responses={204: {"description": "The role is taken away."}})
async def unassign_role(scope: Scope, user_id: str, body: UserRoleRemove, return_deleted: bool = False) -> Response:
    """Take a role from the user; what was taken when it is asked for."""
    wanted = AssignmentRemove(user=user_id, **body.given())
    return await scope.write(lambda session: assignments.unassign(session, wanted), 200 if return_deleted else 204)

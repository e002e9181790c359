"""Role assignments."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Body, Query
from starlette.responses import Response

from permit_api.nouns import assignments, many
from permit_api.routes.gate import InPages, Scope
from permit_api.routes.parameters import Filter, Filters
from permit_api.shapes.facts import MANY, AssignmentCreate, AssignmentRemove
from permit_api.store.session import Paging

router = APIRouter(prefix="/role_assignments", tags=["Role assignments"])


@router.get("")
async def list_assignments(
    scope: Scope,
    user: Filters,
    role: Filters,
    tenant: Filters,
    resource: Filter = None,
    resource_instance: Filter = None,
    detailed: bool = False,
    include_total_count: bool = False,
    page: Annotated[int, Query(ge=1, le=1_000_000)] = 1,
    per_page: Annotated[int, Query(ge=1, le=1000)] = 30,
) -> Response:
    """The assignments; ``user``, ``role`` and ``tenant`` can be repeated."""
    return await scope.read(
        lambda session: assignments.list_assignments(
            session,
            Paging(page, per_page),
            user=user,
            role=role,
            tenant=tenant,
            resource=resource,
            resource_instance=resource_instance,
            detailed=detailed,
        ),
        envelope=include_total_count,
    )


@router.get("/detailed")
async def list_detailed(
    scope: Scope,
    pages: InPages,
    user: Filters,
    role: Filters,
    tenant: Filters,
    resource: Filter = None,
    resource_instance: Filter = None,
) -> Response:
    """The assignments, with user, role, tenant and instance in full."""
    return await scope.read(
        lambda session: assignments.list_assignments(
            session,
            pages,
            user=user,
            role=role,
            tenant=tenant,
            resource=resource,
            resource_instance=resource_instance,
            detailed=True,
        ),
        envelope=True,
    )


@router.post("")
async def assign(scope: Scope, body: AssignmentCreate) -> Response:
    """Give a role."""
    return await scope.write(
        lambda session: assignments.read_assignments(session, [assignments.assign(session, body)])[0]
    )


@router.delete("", responses={204: {"description": "The role is taken away."}})
async def unassign(scope: Scope, body: AssignmentRemove, return_deleted: bool = False) -> Response:
    """Take a role away; what was taken when it is asked for."""
    return await scope.write(lambda session: assignments.unassign(session, body), 200 if return_deleted else 204)


@router.post("/bulk")
async def assign_many(
    scope: Scope,
    body: Annotated[list[AssignmentCreate], Body(max_length=MANY)],
    missing_user_policy: Literal["fail", "ignore", "create"] = "fail",
) -> Response:
    """Give many roles."""
    return await scope.write(lambda session: many.assign_many(session, body, missing_user_policy))


@router.delete("/bulk")
async def unassign_many(scope: Scope, body: Annotated[list[AssignmentRemove], Body(max_length=MANY)]) -> Response:
    """Take many roles away."""
    return await scope.write(lambda session: assignments.unassign_many(session, body))

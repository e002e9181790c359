"""Many users, tenants or instances in one call: all of them or none."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from fastapi import APIRouter
from starlette.responses import Response

from permit_api.nouns import instances, many, tenants, users
from permit_api.routes.gate import Scope
from permit_api.shapes.facts import Idents, InstancesBulk, TenantsBulk, UsersBulk
from permit_api.store.session import Session

router = APIRouter(prefix="/bulk", tags=["Bulk operations"])
T = TypeVar("T")


async def _each(scope: Scope, items: Iterable[T], work: Callable[[Session, T], Any]) -> Response:
    def done(session: Session) -> dict[str, str]:
        for item in items:
            work(session, item)
        return {}

    return await scope.write(done)


@router.post("/users")
async def create_users(scope: Scope, body: UsersBulk) -> Response:
    """Make users; one that is there already fails the call."""
    return await scope.write(lambda session: many.create_users(session, body.operations))


@router.put("/users")
async def replace_users(scope: Scope, body: UsersBulk) -> Response:
    """Make users, or make those that are there what the body says."""
    return await _each(scope, body.operations, lambda session, user: users.replace_user(session, user.key, user))


@router.delete("/users")
async def delete_users(scope: Scope, body: Idents) -> Response:
    """Take users away."""
    return await _each(scope, body.idents, users.delete_user)


@router.post("/tenants")
async def create_tenants(scope: Scope, body: TenantsBulk) -> Response:
    """Make tenants; one that is there already fails the call."""
    return await _each(scope, body.operations, tenants.create_tenant)


@router.delete("/tenants")
async def delete_tenants(scope: Scope, body: Idents) -> Response:
    """Take tenants away."""
    return await _each(scope, body.idents, tenants.delete_tenant)


@router.put("/resource_instances")
async def replace_instances(scope: Scope, body: InstancesBulk) -> Response:
    """Make instances, or give those that are there other attributes."""
    return await scope.write(lambda session: many.replace_instances(session, body.operations))


@router.delete("/resource_instances")
async def delete_instances(scope: Scope, body: Idents) -> Response:
    """Take instances away."""
    return await _each(scope, body.idents, instances.delete_instance)

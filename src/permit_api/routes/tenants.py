"""Tenants and who belongs to them."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from permit_api.nouns import tenants, users
from permit_api.routes.gate import ByAttributes, Scope
from permit_api.routes.parameters import Filter, Search
from permit_api.shapes.facts import TenantCreate, TenantUpdate, UserCreate

router = APIRouter(prefix="/tenants", tags=["Tenants"])


@router.get("")
async def list_tenants(
    scope: Scope, pages: ByAttributes, search: Search = None, include_total_count: bool = False
) -> Response:
    """The tenants."""
    return await scope.read(lambda session: tenants.list_tenants(session, pages, search), envelope=include_total_count)


@router.post("")
async def create_tenant(scope: Scope, body: TenantCreate) -> Response:
    """A new tenant."""
    return await scope.write(lambda session: tenants.create_tenant(session, body))


@router.get("/{tenant_id}")
async def get_tenant(scope: Scope, tenant_id: str) -> Response:
    """One tenant."""
    return await scope.read(lambda session: tenants.read_tenant(session, tenants.tenant_of(session, tenant_id)))


@router.patch("/{tenant_id}")
async def change_tenant(scope: Scope, tenant_id: str, body: TenantUpdate) -> Response:
    """Change what is given."""
    return await scope.write(lambda session: tenants.change_tenant(session, tenant_id, body))


@router.delete("/{tenant_id}", status_code=204)
async def delete_tenant(scope: Scope, tenant_id: str) -> Response:
    """Take a tenant away, with its instances and everybody's roles in it."""
    return await scope.write(lambda session: tenants.delete_tenant(session, tenant_id), 204)


@router.get("/{tenant_id}/users")
async def list_members(
    scope: Scope,
    tenant_id: str,
    pages: ByAttributes,
    search: Search = None,
    role: Filter = None,
    include_resource_instance_roles: bool = False,
) -> Response:
    """Who belongs to the tenant."""
    return await scope.read(
        lambda session: users.list_users(
            session,
            pages,
            search=search,
            role=role,
            tenant_ident=tenant_id,
            on_instances=include_resource_instance_roles,
        ),
        envelope=True,
    )


@router.post("/{tenant_id}/users")
async def add_member(scope: Scope, tenant_id: str, body: UserCreate) -> Response:
    """Let a user belong to the tenant; one that is not there is made."""
    return await scope.write(lambda session: users.add_member(session, tenant_id, body))


@router.delete("/{tenant_id}/users/{user_id}", status_code=204)
async def remove_member(scope: Scope, tenant_id: str, user_id: str) -> Response:
    """Let a user belong to the tenant no more."""
    return await scope.write(
        lambda session: tenants.remove_member(
            session, tenants.tenant_of(session, tenant_id), users.user_of(session, user_id)
        ),
        204,
    )

"""Tenants, and who belongs to them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import and_

from permit_api.shapes.facts import TenantCreate, TenantUpdate
from permit_api.store.session import Listed, Paging, Row, Session, containing, some
from permit_api.store.tables import assignments, members, tenants

DEFAULT_TENANT = "default"
"""The tenant that every environment begins with, and that a check means when it names none."""


def tenant_of(session: Session, ident: str) -> Row:
    """One tenant's row.

    Raises:
        ApiFault: 404.
    """
    return session.get(tenants, ident, "Tenant")


def read_tenant(session: Session, row: Row) -> dict[str, Any]:
    """A tenant as it is answered."""
    return {
        "key": row["key"],
        "name": row["name"],
        **some(description=row["description"]),
        "attributes": row["attributes"],
        "last_action_at": row["last_action_at"].isoformat(),
        **session.audit(row),
    }


def list_tenants(session: Session, paging: Paging, search: str | None) -> Listed:
    """The tenants whose key or name contains ``search``."""
    where = [containing(search, tenants.c.key, tenants.c.name)] if search else []
    rows, total = session.page(session.query(tenants, *where), paging)
    return Listed([read_tenant(session, row) for row in rows], total, paging.per_page)


def create_tenant(session: Session, body: TenantCreate) -> dict[str, Any]:
    """A new tenant.

    Raises:
        ApiFault: 409, there is one with this key.
    """
    row = session.insert(
        tenants,
        "tenant",
        key=body.key,
        name=body.name,
        description=body.description,
        attributes=body.attributes,
        last_action_at=session.now,
    )
    return read_tenant(session, row)


def change_tenant(session: Session, ident: str, body: TenantUpdate) -> dict[str, Any]:
    """Change what is given; null clears, but a tenant always has a name."""
    row = tenant_of(session, ident)
    given = body.given()
    given["name"] = given.get("name") or row["name"]
    return read_tenant(session, session.update(tenants, row["id"], last_action_at=session.now, **given))


def delete_tenant(session: Session, ident: str) -> None:
    """Take a tenant away, and with it its instances and everybody's roles in it."""
    session.delete(tenants, tenants.c.id == tenant_of(session, ident)["id"])


def remove_member(session: Session, tenant: Row, user: Row) -> None:
    """Let a user belong to a tenant no more: no role in it stays."""
    for table in (members, assignments):
        session.delete(table, and_(table.c.user_id == user["id"], table.c.tenant_id == tenant["id"]))

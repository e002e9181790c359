"""User invites: somebody who is to become a user, with a role on an instance."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement

from permit_api.faults import invalid
from permit_api.nouns.assignments import assign
from permit_api.nouns.users import add_user, read_user
from permit_api.shapes.facts import AssignmentCreate, InviteApprove, InviteCreate, UserCreate
from permit_api.store.session import Listed, Paging, Row, Session, containing
from permit_api.store.tables import instances, invites, roles, tenants, users

_WORDS = ("key", "status", "email", "first_name", "last_name")
_ENDS = ("role_id", "tenant_id", "resource_instance_id")


def read_invite(session: Session, row: Row) -> dict[str, Any]:
    """An invite as it is answered."""
    return {**{name: row[name] for name in (*_WORDS, *_ENDS)}, **session.audit(row)}


def list_invites(session: Session, paging: Paging, role: str | None, tenant: str | None, search: str | None) -> Listed:
    """The invites; for one role, to one tenant, with a text in key, e-mail or name."""
    where: list[ColumnElement[bool]] = []
    for column, table, ident in ((invites.c.role_id, roles, role), (invites.c.tenant_id, tenants, tenant)):
        if ident is not None:
            found = session.all_of(table, (table.c.key == ident) | (table.c.id == ident))
            where.append(column.in_([each["id"] for each in found]))
    if search:
        where.append(containing(search, *(invites.c[name] for name in ("key", "email", "first_name", "last_name"))))
    rows, total = session.page(session.query(invites, *where), paging)
    return Listed([read_invite(session, row) for row in rows], total, paging.per_page)


def invite_of(session: Session, invite_id: UUID) -> Row:
    """One invite's row.

    Raises:
        ApiFault: 404.
    """
    return session.get(invites, str(invite_id), "UserInvite", invites.c.id == str(invite_id))


def get_invite(session: Session, invite_id: UUID) -> dict[str, Any]:
    """One invite."""
    return read_invite(session, invite_of(session, invite_id))


def create_invite(session: Session, body: InviteCreate) -> dict[str, Any]:
    """A new invite.

    Raises:
        ApiFault: 409, there is one with this key; 404, role, tenant or instance is not there.
    """
    return read_invite(session, session.insert(invites, "user invite", **_columns(session, body)))


def change_invite(session: Session, invite_id: UUID, body: InviteCreate) -> dict[str, Any]:
    """Make an invite what the body says."""
    row = invite_of(session, invite_id)
    other = session.find(invites, body.key, invites.c.id != row["id"], invites.c.key == body.key)
    if other is not None:
        raise invalid(f"there is another invite with the key {body.key!r}")
    return read_invite(session, session.update(invites, row["id"], **_columns(session, body)))


def delete_invite(session: Session, invite_id: UUID) -> None:
    """Take an invite away."""
    session.delete(invites, invites.c.id == invite_of(session, invite_id)["id"])


def approve_invite(session: Session, invite_id: UUID, body: InviteApprove) -> dict[str, Any]:
    """Let the invited become a user who holds the role; the user.

    Raises:
        ApiFault: 400, the invite is approved already, or is another person's.
    """
    row = invite_of(session, invite_id)
    if row["status"] != "pending":
        raise invalid("this invite is approved already")
    if (row["key"], row["email"].lower()) != (body.key, body.email.lower()):
        raise invalid("key and e-mail are not those of the invite")
    names = {name: row[name] for name in ("first_name", "last_name")}
    user = session.find(users, body.key) or add_user(
        session, UserCreate(key=body.key, email=body.email, attributes=body.attributes, **names)
    )
    role = session.by_id(roles, row["role_id"])
    on = row["resource_instance_id"]
    wanted = AssignmentCreate(
        user=user["key"],
        role=role["key"],
        tenant=session.by_id(tenants, row["tenant_id"])["key"],
        resource_instance=on if role["resource_id"] else None,
    )
    assign(session, wanted, again=True)
    session.update(invites, row["id"], status="approved")
    return read_user(session, user)


def _columns(session: Session, body: InviteCreate) -> dict[str, Any]:
    """What an invite's row holds; role, tenant and instance must be there, and belong together."""
    role = session.get(roles, str(body.role_id), "Role")
    tenant = session.get(tenants, str(body.tenant_id), "Tenant")
    instance = session.get(instances, str(body.resource_instance_id), "ResourceInstance")
    if instance["tenant_id"] != tenant["id"]:
        raise invalid("the instance belongs to another tenant", "MISMATCH_RESOURCE_INSTANCES_TENANTS")
    if role["resource_id"] not in {None, instance["resource_id"]}:
        raise invalid("the role is one of another resource")
    ends = {"role_id": role["id"], "tenant_id": tenant["id"], "resource_instance_id": instance["id"]}
    return {**{name: getattr(body, name) for name in _WORDS}, **ends}

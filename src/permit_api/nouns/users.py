"""Users, with the tenants they belong to and the roles they hold."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_, select

from permit_api.nouns.assignments import assign
from permit_api.nouns.tenants import tenant_of
from permit_api.shapes.facts import AssignmentCreate, UserCreate, UserUpdate
from permit_api.store.session import Listed, Paging, Row, Session, in_order_of, some
from permit_api.store.tables import assignments, members, roles, tenants, users

_NAMES = ("email", "first_name", "last_name")


def user_of(session: Session, ident: str) -> Row:
    """One user's row.

    Raises:
        ApiFault: 404.
    """
    return session.get(users, ident, "User")


def read_users(session: Session, rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Users as they are answered, in two statements however many they are."""
    belongs = _associations(session, [row["id"] for row in rows])
    answers = []
    for row in rows:
        associated = list(belongs[row["id"]].values())
        answers.append(
            {
                "key": row["key"],
                **session.audit(row),
                **some(**{name: row[name] for name in _NAMES}),
                "attributes": row["attributes"],
                "associated_tenants": associated,
                "roles": [{"role": role, "tenant": each["tenant"]} for each in associated for role in each["roles"]],
            }
        )
    return answers


def read_user(session: Session, row: Row) -> dict[str, Any]:
    """One user as it is answered."""
    return read_users(session, [row])[0]


def list_users(
    session: Session,
    paging: Paging,
    *,
    search: str | None = None,
    search_operator: str = "contains",
    role: str | None = None,
    tenant_ident: str | None = None,
    on_instances: bool = False,
) -> Listed:
    """Users, or those of one tenant.

    Args:
        session: the environment.
        paging: which of them.
        search: text in key, e-mail or name.
        search_operator: where in it: ``contains``, ``startswith`` or ``endswith``.
        role: only who holds the role with this key.
        tenant_ident: only who belongs to this tenant.
        on_instances: let roles on instances count for ``role``.
    """
    where: list[ColumnElement[bool]] = []
    if search:
        where.append(_matching(search, search_operator))
    held = select(assignments.c.user_id).join(roles, roles.c.id == assignments.c.role_id)
    if not on_instances:
        held = held.where(assignments.c.instance_id.is_(None))
    if tenant_ident is not None:
        tenant = tenant_of(session, tenant_ident)
        held = held.where(assignments.c.tenant_id == tenant["id"])
        where.append(
            or_(
                users.c.id.in_(select(assignments.c.user_id).where(assignments.c.tenant_id == tenant["id"])),
                users.c.id.in_(select(members.c.user_id).where(members.c.tenant_id == tenant["id"])),
            )
        )
    if role is not None:
        where.append(users.c.id.in_(held.where(or_(roles.c.key == role, roles.c.id == role))))
    rows, total = session.page(session.query(users, *where), paging)
    return Listed(read_users(session, rows), total, paging.per_page)


def create_user(session: Session, body: UserCreate) -> dict[str, Any]:
    """A new user, with roles.

    Raises:
        ApiFault: 409, there is one with this key; 404, a role or a tenant is not there.
    """
    return read_user(session, add_user(session, body))


def add_user(session: Session, body: UserCreate) -> Row:
    """A new user's row."""
    names = {name: getattr(body, name) for name in _NAMES}
    row = session.insert(users, "user", key=body.key, **names, attributes=body.attributes or {})
    _add_roles(session, body)
    return row


def replace_user(session: Session, ident: str, body: UserCreate) -> tuple[dict[str, Any], bool]:
    """Make a user what the body says, and whether it is a new one. Roles are added, never taken away.

    What the body leaves out stays: this is what every log-in of an application sends.
    """
    row = session.find(users, ident)
    if row is None:
        return create_user(session, body), True
    changed = body.given(*_NAMES, "attributes")
    if "attributes" in changed:
        changed["attributes"] = changed["attributes"] or {}
    row = session.update(users, row["id"], **changed)
    _add_roles(session, body, again=True)
    return read_user(session, row), False


def change_user(session: Session, ident: str, body: UserUpdate) -> dict[str, Any]:
    """Change what is given; null clears."""
    changed = body.given()
    if "attributes" in changed:
        changed["attributes"] = changed["attributes"] or {}
    return read_user(session, session.update(users, user_of(session, ident)["id"], **changed))


def delete_user(session: Session, ident: str) -> None:
    """Take a user away, and with it all its roles."""
    session.delete(users, users.c.id == user_of(session, ident)["id"])


def add_member(session: Session, tenant_ident: str, body: UserCreate) -> dict[str, Any]:
    """Let a user, made if it is not there, belong to a tenant."""
    tenant = tenant_of(session, tenant_ident)
    row = session.find(users, body.key) or add_user(session, body)
    known = and_(members.c.user_id == row["id"], members.c.tenant_id == tenant["id"])
    if not session.all_of(members, known):
        session.insert(members, "member", user_id=row["id"], tenant_id=tenant["id"])
    return read_user(session, row)


def belongs_to(session: Session, user: Row, tenant: Row) -> bool:
    """Whether the user belongs to the tenant, by membership or by any role in it."""
    return any(
        session.all_of(table, and_(table.c.user_id == user["id"], table.c.tenant_id == tenant["id"]))
        for table in (members, assignments)
    )


def _add_roles(session: Session, body: UserCreate, *, again: bool = False) -> None:
    for each in body.role_assignments or []:
        wanted = AssignmentCreate(user=body.key, **each.given())
        assign(session, wanted, again=again)


def _matching(search: str, operator: str) -> ColumnElement[bool]:
    if search.endswith("*") and operator == "contains":
        search, operator = search[:-1], "startswith"
    columns = [func.lower(users.c[name]) for name in ("key", *_NAMES)]
    full = func.lower(func.coalesce(users.c.first_name, "") + " " + func.coalesce(users.c.last_name, ""))
    return or_(*(getattr(column, operator)(search.lower(), autoescape=True) for column in (*columns, full)))


def _associations(session: Session, ids: list[str]) -> dict[str, dict[str, dict[str, Any]]]:
    """User id -> tenant key -> what the answer says of the two."""
    found: dict[str, dict[str, dict[str, Any]]] = defaultdict(dict)

    def entry(user_id: str, tenant: str) -> dict[str, Any]:
        empty = {"tenant": tenant, "roles": [], "status": "active", "resource_instance_roles": []}
        return found[user_id].setdefault(tenant, empty)

    joined = members.join(tenants, tenants.c.id == members.c.tenant_id)
    belonging = select(members.c.user_id, tenants.c.key).select_from(joined).where(members.c.user_id.in_(ids))
    for row in session.connection.execute(belonging):
        entry(row.user_id, row.key)
    held = select(assignments).where(assignments.c.user_id.in_(ids)).order_by(*in_order_of(assignments))
    for each in session.rows(held):
        there = entry(each["user_id"], each["tenant"])
        if each["instance_id"] is None:
            there["roles"].append(each["role"])
        else:
            on = {"resource_instance": each["resource_key"], "resource": each["resource_type"]}
            there["resource_instance_roles"].append({**on, "role": each["role"]})
    return found

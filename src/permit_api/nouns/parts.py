"""What belongs to a resource: its actions, groups of actions, attributes and relations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Table, select

from permit_api.faults import not_found
from permit_api.store.session import Listed, Paging, Row, Session
from permit_api.store.tables import action_groups, actions, attributes, relations, resources

NOUNS: Mapping[Table, str] = {
    actions: "action",
    action_groups: "action group",
    attributes: "attribute",
    relations: "relation",
}
USER_TYPE = "__user"
"""The type that the attributes of users are declared on."""


def resource_of(session: Session, ident: str) -> Row:
    """The resource with this id or key; ``__user`` is one of them.

    Raises:
        ApiFault: 404.
    """
    return session.get(resources, ident, "Resource")


def read_part(session: Session, table: Table, resource: Row, row: Row) -> dict[str, Any]:
    """One action, action group, attribute or relation."""
    full = {**row["body"], "key": row["key"], "resource_id": resource["id"], **session.audit(row)}
    if table is actions:
        return {**full, "name": full.get("name") or row["key"], "permission_name": f"{resource['key']}:{row['key']}"}
    if table is attributes:
        return {**full, "resource_key": resource["key"], "built_in": row["built_in"]}
    if table is relations:
        del full["resource_id"]
        return {
            **full,
            "name": full.get("name") or row["key"],
            "subject_resource": session.by_id(resources, row["subject_resource_id"])["key"],
            "subject_resource_id": row["subject_resource_id"],
            "object_resource": resource["key"],
            "object_resource_id": resource["id"],
        }
    return {**full, "name": full.get("name") or row["key"], "actions": full.get("actions", [])}


def list_parts(session: Session, table: Table, resource_ident: str, paging: Paging) -> Listed:
    """The parts of one kind that a resource has."""
    resource = resource_of(session, resource_ident)
    rows, total = session.page(session.query(table, table.c.resource_id == resource["id"]), paging)
    return Listed([read_part(session, table, resource, row) for row in rows], total, paging.per_page)


def get_part(session: Session, table: Table, resource_ident: str, ident: str) -> dict[str, Any]:
    """One part.

    Raises:
        ApiFault: 404.
    """
    resource, row = _part(session, table, resource_ident, ident)
    return read_part(session, table, resource, row)


def add_part(session: Session, table: Table, resource: Row, key: str, body: Mapping[str, Any]) -> Row:
    """A new part of a resource. A relation's ``subject_resource`` becomes a reference.

    Raises:
        ApiFault: 409, the resource has it already; 404, what it refers to is not there.
    """
    kept = {name: value for name, value in body.items() if name != "key" and value is not None}
    more = {}
    if table is relations:
        more["subject_resource_id"] = resource_of(session, kept.pop("subject_resource"))["id"]
    if table is action_groups:
        kept["actions"] = _action_keys(session, resource, kept.get("actions", []))
    return session.insert(table, NOUNS[table], resource_id=resource["id"], key=key, body=kept, **more)


def create_part(session: Session, table: Table, resource_ident: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """A new part, as it is read."""
    resource = resource_of(session, resource_ident)
    return read_part(session, table, resource, add_part(session, table, resource, body["key"], body))


def change_part(session: Session, table: Table, resource_ident: str, ident: str, given: Row) -> dict[str, Any]:
    """Change what is given; null clears."""
    resource, row = _part(session, table, resource_ident, ident)
    changed = {name: value for name, value in {**row["body"], **given}.items() if value is not None}
    if table is action_groups and "actions" in given:
        changed["actions"] = _action_keys(session, resource, given["actions"] or [])
    return read_part(session, table, resource, session.update(table, row["id"], body=changed))


def delete_part(session: Session, table: Table, resource_ident: str, ident: str) -> None:
    """Take a part away, and with it the permissions, derivations and rules that name it."""
    _, row = _part(session, table, resource_ident, ident)
    session.delete(table, table.c.id == row["id"])


def replace_parts(session: Session, table: Table, resource: Row, wanted: Mapping[str, Mapping[str, Any]]) -> None:
    """Make the parts of a resource those that are wanted. What stays keeps its id, and whatever refers to it."""
    there = {row["key"]: row for row in session.all_of(table, table.c.resource_id == resource["id"])}
    for key in there.keys() - wanted.keys():
        session.delete(table, table.c.id == there[key]["id"])
    for key, body in wanted.items():
        known = there.get(key)
        if known is None:
            add_part(session, table, resource, key, body)
        elif (
            table is relations and known["subject_resource_id"] != resource_of(session, body["subject_resource"])["id"]
        ):
            session.delete(table, table.c.id == known["id"])
            add_part(session, table, resource, key, body)
        elif table is not relations:
            session.update(table, known["id"], body={name: v for name, v in body.items() if v is not None})


def _part(session: Session, table: Table, resource_ident: str, ident: str) -> tuple[Row, Row]:
    resource = resource_of(session, resource_ident)
    return resource, session.get(table, ident, NOUNS[table].capitalize(), table.c.resource_id == resource["id"])


def _action_keys(session: Session, resource: Row, idents: Iterable[str]) -> list[str]:
    known = {row.key: row.key for row in session.connection.execute(_actions_of(resource))}
    known.update({row.id: row.key for row in session.connection.execute(_actions_of(resource))})
    for ident in idents:
        if ident not in known:
            raise not_found("Action", ident)
    return [known[ident] for ident in idents]


def _actions_of(resource: Row) -> Any:
    return select(actions.c.id, actions.c.key).where(actions.c.resource_id == resource["id"])

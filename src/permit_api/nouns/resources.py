"""Resources: the kinds of things that are protected, with everything that belongs to them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement

from permit_api.faults import forbidden
from permit_api.nouns.parts import add_part, replace_parts, resource_of
from permit_api.nouns.roles import add_role, connect_role, read_roles, update_role
from permit_api.shapes.schema import ResourceCreate, ResourceReplace, ResourceUpdate, RoleUpdate
from permit_api.store.session import Listed, Paging, Row, Session, containing
from permit_api.store.tables import action_groups, actions, attributes, noun_of, relations, resources, roles

_WORDS = ("name", "urn", "description", "type_attributes")


def read_resources(session: Session, rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Resources as they are answered, in a handful of statements however many they are."""
    ids = [row["id"] for row in rows]
    parts = {
        table: _by_resource(session.all_of(table, table.c.resource_id.in_(ids)))
        for table in (actions, action_groups, attributes, relations, roles)
    }
    subjects = {each["subject_resource_id"] for found in parts[relations].values() for each in found}
    keys = session.keys(resources, subjects)
    answers = []
    for row in rows:
        mine = {table: found[row["id"]] for table, found in parts.items()}
        answers.append(
            {
                **row["body"],
                "name": row["body"].get("name") or row["key"],
                "key": row["key"],
                **session.audit(row),
                "actions": {each["key"]: _block(each) for each in mine[actions]},
                "attributes": {each["key"]: _block(each) for each in mine[attributes]},
                "roles": {each["key"]: each for each in read_roles(session, mine[roles])},
                "relations": {each["key"]: _relation(each, keys) for each in mine[relations]},
                "action_groups": {each["key"]: each["body"].get("actions", []) for each in mine[action_groups]},
            }
        )
    return answers


def list_resources(session: Session, paging: Paging, search: str | None, include_built_in: bool) -> Listed:
    """The resources of the environment; ``__user`` and ``__tenant`` only when they are asked for."""
    where: list[ColumnElement[bool]] = [] if include_built_in else [resources.c.built_in.is_(False)]
    if search:
        where.append(containing(search, resources.c.key))
    rows, total = session.page(session.query(resources, *where), paging)
    return Listed(read_resources(session, rows), total, paging.per_page)


def get_resource(session: Session, ident: str) -> dict[str, Any]:
    """One resource."""
    return read_resources(session, [resource_of(session, ident)])[0]


def create_resource(session: Session, body: ResourceCreate) -> dict[str, Any]:
    """A new resource.

    Raises:
        ApiFault: 409, there is one with this key; 404, what it names is not there.
    """
    words = {name: value for name, value in body.given(*_WORDS).items() if value is not None}
    row = session.insert(resources, "resource", key=body.key, body=words, built_in=False)
    for table, wanted in _parts(body).items():
        for key, part in wanted.items():
            add_part(session, table, row, key, part)
    _set_roles(session, row, body.roles or {})
    return read_resources(session, [row])[0]


def replace_resource(session: Session, ident: str, body: ResourceReplace) -> dict[str, Any]:
    """Make a resource what the body says; what it does not name is taken away."""
    row = _own(session, ident)
    words = {name: value for name, value in body.given(*_WORDS).items() if value is not None}
    row = session.update(resources, row["id"], body=words)
    for table, wanted in _parts(body).items():
        replace_parts(session, table, row, wanted)
    _set_roles(session, row, body.roles or {})
    return read_resources(session, [row])[0]


def change_resource(session: Session, ident: str, body: ResourceUpdate) -> dict[str, Any]:
    """Change what is given: actions, attributes, roles and relations are replaced as a whole, null clears."""
    row = _own(session, ident)
    given = body.given()
    words = {name: value for name, value in {**row["body"], **body.given(*_WORDS)}.items() if value is not None}
    row = session.update(resources, row["id"], body=words)
    for table, wanted in _parts(body).items():
        if noun_of(table) in given:
            replace_parts(session, table, row, wanted)
    if "roles" in given:
        _set_roles(session, row, body.roles or {})
    return read_resources(session, [row])[0]


def delete_resource(session: Session, ident: str) -> None:
    """Take a resource away, and with it its instances, their roles and relationships, and rules that name it."""
    session.delete(resources, resources.c.id == _own(session, ident)["id"])


def _own(session: Session, ident: str) -> Row:
    """A resource that is not built in."""
    row = resource_of(session, ident)
    if row["built_in"]:
        raise forbidden(f"{row['key']} is built in")
    return row


def _parts(body: ResourceReplace | ResourceUpdate) -> dict[Any, Mapping[str, Mapping[str, Any]]]:
    return {
        actions: {key: part.given() for key, part in (body.actions or {}).items()},
        attributes: {key: part.given() for key, part in (body.attributes or {}).items()},
        relations: {key: {"subject_resource": subject} for key, subject in (body.relations or {}).items()},
    }


def _set_roles(session: Session, resource: Row, wanted: Mapping[str, Any]) -> None:
    """Make the roles of a resource those that are wanted; first all of them, then what connects them."""
    there = {row["key"]: row for row in session.all_of(roles, roles.c.owner_id == resource["id"])}
    for key in there.keys() - wanted.keys():
        session.delete(roles, roles.c.id == there[key]["id"])
    bodies = {key: RoleUpdate.model_validate(block.given()) for key, block in wanted.items()}
    fresh = {key: add_role(session, resource, key, body) for key, body in bodies.items() if key not in there}
    for key, body in bodies.items():
        if key in fresh:
            connect_role(session, resource, fresh[key], body)
        else:
            update_role(session, resource, there[key], body)


def _by_resource(rows: Sequence[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        found[row["resource_id"]].append(row)
    return found


def _block(row: Row) -> dict[str, Any]:
    return {**row["body"], "id": row["id"], "key": row["key"]}


def _relation(row: Row, keys: Mapping[str, str]) -> dict[str, Any]:
    described = {name: row["body"][name] for name in ("description",) if name in row["body"]}
    resource_id = row["subject_resource_id"]
    return {**described, "resource_id": resource_id, "resource": keys[resource_id]} | (
        {"relation_name": row["body"]["name"]} if "name" in row["body"] else {}
    )

"""Roles: held in a whole tenant, or on instances of one resource; what they grant, extend and are derived from."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Table, and_, select

from permit_api.faults import ApiFault, Unprocessable, invalid, not_found
from permit_api.nouns.parts import resource_of
from permit_api.shapes.schema import Derivation, DerivationRule, RoleBulkCreate, RoleUpdate
from permit_api.store.session import Listed, Paging, Row, Session, containing
from permit_api.store.tables import (
    actions,
    derivations,
    relations,
    resources,
    role_extends,
    role_permissions,
    roles,
)

_WORDS = ("name", "description", "attributes")


def owner_of(session: Session, resource_ident: str | None) -> Row | None:
    """The resource whose roles are meant; None for the roles of tenants."""
    return None if resource_ident is None else resource_of(session, resource_ident)


def role_of(session: Session, resource: Row | None, ident: str) -> Row:
    """One role.

    Raises:
        ApiFault: 404.
    """
    return session.get(roles, ident, "Role", roles.c.owner_id == _owner_id(session, resource))


def read_roles(session: Session, rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Roles as they are answered, in a handful of statements however many they are."""
    ids = [row["id"] for row in rows]
    granted: dict[str, list[str]] = defaultdict(list)
    found = select(role_permissions).where(role_permissions.c.role_id.in_(ids)).order_by(role_permissions.c.place)
    for each in session.rows(found):
        granted[each["role_id"]].append(each["written"])
    bases: dict[str, list[str]] = defaultdict(list)
    link = role_extends.join(roles, roles.c.id == role_extends.c.base_id)
    extended = select(role_extends.c.role_id, roles.c.key).select_from(link).where(role_extends.c.role_id.in_(ids))
    for each in session.rows(extended.order_by(role_extends.c.place)):
        bases[each["role_id"]].append(each["key"])
    rules = _derivation_rules(session, ids)
    keys = session.keys(resources, {row["resource_id"] for row in rows if row["resource_id"]})
    answers = []
    for row in rows:
        answer = {
            **row["body"],
            "key": row["key"],
            **session.audit(row),
            "permissions": granted[row["id"]],
            "extends": bases[row["id"]],
        }
        if row["resource_id"]:
            answer |= {"resource_id": row["resource_id"], "resource": keys[row["resource_id"]]}
        if rules[row["id"]] or row["no_direct_roles"]:
            answer["granted_to"] = {
                "id": str(uuid.uuid5(uuid.UUID(row["id"]), "granted_to")),
                "when": {"no_direct_roles_on_object": row["no_direct_roles"]},
                "users_with_role": rules[row["id"]],
            }
        answers.append(answer)
    return answers


def read_role(session: Session, row: Row) -> dict[str, Any]:
    """One role as it is answered."""
    return read_roles(session, [row])[0]


def list_roles(session: Session, resource_ident: str | None, paging: Paging, search: str | None = None) -> Listed:
    """The roles of tenants, or of one resource."""
    resource = owner_of(session, resource_ident)
    where = [roles.c.owner_id == _owner_id(session, resource)]
    if search:
        where.append(containing(search, roles.c.key))
    rows, total = session.page(session.query(roles, *where), paging)
    return Listed(read_roles(session, rows), total, paging.per_page)


def get_role(session: Session, resource_ident: str | None, ident: str) -> dict[str, Any]:
    """One role as it is answered."""
    return read_role(session, role_of(session, owner_of(session, resource_ident), ident))


def create_role(session: Session, resource_ident: str | None, key: str, body: RoleUpdate) -> dict[str, Any]:
    """A new role.

    Raises:
        ApiFault: 409, there is one with this key; 404, what it names is not there.
    """
    resource = owner_of(session, resource_ident)
    row = add_role(session, resource, key, body)
    connect_role(session, resource, row, body)
    return read_role(session, row)


def add_role(session: Session, resource: Row | None, key: str, body: RoleUpdate) -> Row:
    """A role with its permissions; what it extends and is derived from comes after, by :func:`connect_role`."""
    row = session.insert(
        roles,
        "role",
        resource_id=None if resource is None else resource["id"],
        owner_id=_owner_id(session, resource),
        key=key,
        body={name: value for name, value in body.given(*_WORDS).items() if value is not None},
        no_direct_roles=False,
    )
    grant(session, resource, row, body.permissions or [])
    return row


def connect_role(session: Session, resource: Row | None, row: Row, body: RoleUpdate) -> None:
    """Let a role extend what it extends, and be derived from what it is derived from."""
    for place, base in enumerate(dict.fromkeys(body.extends or [])):
        found = role_of(session, resource, base)
        session.link(role_extends, "extended role", {"role_id": row["id"], "base_id": found["id"], "place": place})
    if body.granted_to is not None:
        _derive(session, resource, row, body.granted_to)


def change_role(session: Session, resource_ident: str | None, ident: str, body: RoleUpdate) -> dict[str, Any]:
    """Change what is given: lists are replaced as a whole, null clears."""
    resource = owner_of(session, resource_ident)
    row = role_of(session, resource, ident)
    return read_role(session, update_role(session, resource, row, body))


def update_role(session: Session, resource: Row | None, row: Row, body: RoleUpdate) -> Row:
    """Change what is given of a role; the row as it is then."""
    given = body.given()
    words = {name: value for name, value in {**row["body"], **body.given(*_WORDS)}.items() if value is not None}
    row = session.update(roles, row["id"], body=words)
    if "permissions" in given:
        session.delete(role_permissions, role_permissions.c.role_id == row["id"])
        grant(session, resource, row, body.permissions or [])
    if "extends" in given:
        session.delete(role_extends, role_extends.c.role_id == row["id"])
    if "granted_to" in given:
        session.delete(derivations, derivations.c.role_id == row["id"])
        row = session.update(roles, row["id"], no_direct_roles=False)
    connect_role(session, resource, row, body)
    return session.by_id(roles, row["id"])


def add_parent(session: Session, resource_ident: str | None, ident: str, parent: str) -> dict[str, Any]:
    """Let a role extend one more; the role. One that it extends already stays.

    Raises:
        ApiFault: 404, one of them is not there; 400, they would extend each other.
    """
    resource = owner_of(session, resource_ident)
    row, base = role_of(session, resource, ident), role_of(session, resource, parent)
    mine = session.rows(select(role_extends).where(role_extends.c.role_id == row["id"]))
    if base["id"] not in {each["base_id"] for each in mine}:
        place = max((each["place"] for each in mine), default=-1) + 1
        session.link(role_extends, "extended role", {"role_id": row["id"], "base_id": base["id"], "place": place})
    return read_role(session, session.update(roles, row["id"]))


def remove_parent(session: Session, resource_ident: str | None, ident: str, parent: str) -> dict[str, Any]:
    """Let a role not extend another any more; the role.

    Raises:
        ApiFault: 404, one of them is not there, or it does not extend it.
    """
    resource = owner_of(session, resource_ident)
    row, base = role_of(session, resource, ident), role_of(session, resource, parent)
    link = and_(role_extends.c.role_id == row["id"], role_extends.c.base_id == base["id"])
    if not session.delete(role_extends, link):
        raise not_found("parent Role", parent)
    return read_role(session, session.update(roles, row["id"]))


def delete_role(session: Session, resource_ident: str | None, ident: str) -> None:
    """Take a role away, and with it its assignments."""
    row = role_of(session, owner_of(session, resource_ident), ident)
    session.delete(roles, roles.c.id == row["id"])


def grant(session: Session, resource: Row | None, row: Row, permissions: Iterable[str]) -> None:
    """Add permissions; one that the role has already stays where it is.

    Raises:
        ApiFault: 404, there is no such action; 400, it is not ``resource:action``.
    """
    held = {each["action_id"]: each["place"] for each in session.rows(_permissions_of(row))}
    place = max(held.values(), default=-1)
    for written in permissions:
        action = action_of(session, written, resource)
        if action["id"] not in held:
            place += 1
            held[action["id"]] = place
            kind = session.by_id(resources, action["resource_id"])["key"] if ":" in written else ""
            named = f"{kind}:{action['key']}" if kind else action["key"]
            link = {"role_id": row["id"], "action_id": action["id"], "place": place, "written": named}
            session.link(role_permissions, "permission", link)


def add_permissions(session: Session, resource_ident: str | None, ident: str, permissions: list[str]) -> dict[str, Any]:
    """Add permissions to a role; the role."""
    resource = owner_of(session, resource_ident)
    row = role_of(session, resource, ident)
    grant(session, resource, row, permissions)
    return read_role(session, session.update(roles, row["id"]))


def remove_permissions(
    session: Session, resource_ident: str | None, ident: str, permissions: list[str]
) -> dict[str, Any]:
    """Take permissions from a role; the role."""
    resource = owner_of(session, resource_ident)
    row = role_of(session, resource, ident)
    for written in permissions:
        action = action_of(session, written, resource)
        table = role_permissions.c
        session.delete(role_permissions, and_(table.role_id == row["id"], table.action_id == action["id"]))
    return read_role(session, session.update(roles, row["id"]))


def relatives(session: Session, resource_ident: str | None, ident: str, *, above: bool) -> dict[str, Any]:
    """``{roles: [...]}``: all that the role extends, or all that extend it, near and far."""
    row = role_of(session, owner_of(session, resource_ident), ident)
    mine, other = (role_extends.c.role_id, role_extends.c.base_id)
    if not above:
        mine, other = other, mine
    found: dict[str, None] = {}
    todo = [row["id"]]
    while todo:
        step = session.connection.execute(select(other).where(mine.in_(todo))).scalars()
        todo = [each for each in step if each not in found and each != row["id"]]
        found.update(dict.fromkeys(todo))
    return {"roles": read_roles(session, session.all_of(roles, roles.c.id.in_(found)))}


def action_of(session: Session, written: str, resource: Row | None = None) -> Row:
    """The action that a permission names: ``resource:action``, or bare within the resource.

    Raises:
        ApiFault: 404, there is none; 400, the permission is bare and no resource is meant.
    """
    kind, colon, action = written.partition(":") if ":" in written else ("", "", written)
    owner = resource
    if colon:
        owner = session.find(resources, kind)
        if resource is not None and (owner is None or owner["id"] != resource["id"]):
            raise not_found("Permission", written)
    elif resource is None:
        raise invalid(f"expected resource:action, found {written!r}", "INVALID_PERMISSION_FORMAT")
    found = None if owner is None else session.find(actions, action, actions.c.resource_id == owner["id"])
    if found is None:
        raise not_found("Permission", written)
    return found


def add_rule(session: Session, resource_ident: str, ident: str, rule: DerivationRule) -> dict[str, Any]:
    """Derive a resource role by one more rule; the rule as it is answered."""
    resource = resource_of(session, resource_ident)
    row = role_of(session, resource, ident)
    ids = _add_rule(session, resource, row, rule)
    return next(
        each for each in _derivation_rules(session, [row["id"]])[row["id"]]
        if (each["role_id"], each["relation_id"]) == ids
    )  # fmt: skip


def remove_rule(session: Session, resource_ident: str, ident: str, rule: DerivationRule) -> None:
    """Take a derivation rule away.

    Raises:
        ApiFault: 404, there is none.
    """
    resource = resource_of(session, resource_ident)
    row = role_of(session, resource, ident)
    source, relation = _rule_ends(session, resource, rule)
    table = derivations.c
    fitting = and_(
        table.role_id == row["id"], table.source_role_id == source["id"], table.relation_id == relation["id"]
    )
    if not session.delete(derivations, fitting):
        raise not_found("Derivation rule", f"{rule.on_resource}#{rule.role} by {rule.linked_by_relation}")


def withhold(session: Session, resource_ident: str, ident: str, no_direct_roles: bool) -> dict[str, bool]:
    """Say whether the derived role is withheld from whoever has a direct role on the object."""
    row = role_of(session, resource_of(session, resource_ident), ident)
    session.update(roles, row["id"], no_direct_roles=no_direct_roles)
    return {"no_direct_roles_on_object": no_direct_roles}


def _owner_id(session: Session, resource: Row | None) -> str:
    return session.environment_id if resource is None else str(resource["id"])


def _permissions_of(row: Row) -> Any:
    return select(role_permissions).where(role_permissions.c.role_id == row["id"])


def _derive(session: Session, resource: Row | None, row: Row, wanted: Derivation) -> None:
    rules = wanted.users_with_role or []
    if resource is None:
        if rules:
            raise Unprocessable(("granted_to",), "a role of tenants cannot be derived; only a resource's roles can")
        return
    if wanted.when is not None:
        session.update(roles, row["id"], no_direct_roles=wanted.when.no_direct_roles_on_object)
    for rule in rules:
        _add_rule(session, resource, row, rule)


def _add_rule(session: Session, resource: Row, row: Row, rule: DerivationRule) -> tuple[str, str]:
    source, relation = _rule_ends(session, resource, rule)
    withheld = rule.when is not None and rule.when.no_direct_roles_on_object
    session.insert(
        derivations,
        "derivation rule",
        role_id=row["id"],
        source_role_id=source["id"],
        relation_id=relation["id"],
        no_direct_roles=withheld,
    )
    return source["id"], relation["id"]


def _rule_ends(session: Session, resource: Row, rule: DerivationRule) -> tuple[Row, Row]:
    """The role that gives, and the relation it gives along."""
    above = resource_of(session, rule.on_resource)
    source = role_of(session, above, rule.role)
    relation = session.get(relations, rule.linked_by_relation, "Relation", relations.c.resource_id == resource["id"])
    if relation["subject_resource_id"] != above["id"]:
        raise ApiFault(
            400,
            "MISMATCH_RELATION_TYPE",
            "The relation does not fit",
            f"the subjects of relation {relation['key']!r} are not of type {above['key']!r}",
        )
    return source, relation


def _derivation_rules(session: Session, ids: list[str]) -> dict[str, list[dict[str, Any]]]:
    source: Table = roles.alias("source")  # type: ignore[assignment]
    joined = (
        derivations.join(source, source.c.id == derivations.c.source_role_id)
        .join(resources, resources.c.id == source.c.resource_id)
        .join(relations, relations.c.id == derivations.c.relation_id)
    )
    statement = (
        select(
            derivations.c.role_id.label("derived"),
            source.c.id.label("role_id"),
            source.c.key.label("role"),
            resources.c.id.label("resource_id"),
            resources.c.key.label("on_resource"),
            relations.c.id.label("relation_id"),
            relations.c.key.label("linked_by_relation"),
            derivations.c.no_direct_roles,
        )
        .select_from(joined)
        .where(derivations.c.role_id.in_(ids))
        .order_by(derivations.c.created_at, derivations.c.id)
    )
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in session.rows(statement):
        rule = {name: value for name, value in row.items() if name not in {"derived", "no_direct_roles"}}
        found[row["derived"]].append({**rule, "when": {"no_direct_roles_on_object": row["no_direct_roles"]}})
    return found


def put_roles(session: Session, operations: Sequence[RoleBulkCreate]) -> dict[str, list[str]]:
    """Make or change many roles; the keys of those made and those changed, a resource's as ``resource#role``."""
    made: list[tuple[Row | None, Row, RoleBulkCreate]] = []
    done: dict[str, list[str]] = {"created": [], "updated": []}
    for body in operations:
        resource = owner_of(session, body.resource)
        name = body.key if resource is None else f"{resource['key']}#{body.key}"
        known = session.find(roles, body.key, roles.c.owner_id == _owner_id(session, resource))
        if known is None:
            made.append((resource, add_role(session, resource, body.key, body), body))
            done["created"].append(name)
        else:
            update_role(session, resource, known, body)
            done["updated"].append(name)
    for resource, row, body in made:  # they may extend each other
        connect_role(session, resource, row, body)
    return done

"""Set rules: users of a set may do one thing with resources of a set."""

from __future__ import annotations

from typing import Any

from sqlalchemy import and_

from permit_api.faults import not_found
from permit_api.nouns.condition_sets import set_of
from permit_api.nouns.parts import resource_of
from permit_api.nouns.roles import action_of, role_of
from permit_api.shapes.schema import SetRule
from permit_api.store.session import Listed, Paging, Row, Session
from permit_api.store.tables import actions, condition_sets, resources, set_rules


def read_rule(session: Session, row: Row) -> dict[str, Any]:
    """A rule as it is answered."""
    names = {name: row[name] for name in ("user_set", "permission", "resource_set")}
    return {**names, "key": "_".join(names.values()), **session.audit(row)}


def list_rules(
    session: Session, paging: Paging, user_set: str | None, permission: str | None, resource_set: str | None
) -> Listed:
    """The rules; ``permission`` is an action's key, or ``resource:action``."""
    where = []
    if user_set is not None:
        found = session.find(condition_sets, user_set)
        where.append(set_rules.c.user_set == (found["key"] if found else user_set))
    if resource_set is not None:
        found = session.find(condition_sets, resource_set) or session.find(resources, resource_set)
        where.append(set_rules.c.resource_set == (found["key"] if found else resource_set))
    if permission is not None and ":" in permission:
        where.append(set_rules.c.permission == permission)
    elif permission is not None:
        named = [row["id"] for row in session.all_of(actions, actions.c.key == permission)]
        where.append(set_rules.c.action_id.in_(named))
    rows, total = session.page(session.query(set_rules, *where), paging)
    return Listed([read_rule(session, row) for row in rows], total, paging.per_page)


def create_rule(session: Session, body: SetRule) -> list[dict[str, Any]]:
    """A new rule, as a list of one.

    Raises:
        ApiFault: 409, it is there already; 404, what it names is not there.
    """
    row = session.insert(set_rules, "set rule", **_columns(session, body))
    return [read_rule(session, row)]


def delete_rule(session: Session, body: SetRule) -> None:
    """Take a rule away.

    Raises:
        ApiFault: 404, there is none.
    """
    columns = _columns(session, body)
    same = [set_rules.c[name] == columns[name] for name in ("user_set", "permission", "resource_set")]
    if not session.delete(set_rules, and_(set_rules.c.environment_id == session.environment_id, *same)):
        raise not_found("ConditionSetRule", f"{body.user_set} {body.permission} {body.resource_set}")


def _columns(session: Session, body: SetRule) -> dict[str, Any]:
    action = action_of(session, body.permission)
    kind = session.by_id(resources, action["resource_id"])["key"]
    columns: dict[str, Any] = {
        "permission": f"{kind}:{action['key']}",
        "action_id": action["id"],
        "is_role": body.is_role,
        "is_resource": body.is_resource,
    }
    if body.is_role:
        on, hash_sign, key = body.user_set.rpartition("#")
        role = role_of(session, resource_of(session, on) if hash_sign else None, key)
        columns |= {"role_id": role["id"], "user_set": f"{on}#{role['key']}" if hash_sign else role["key"]}
    else:
        users = _set(session, body.user_set, "userset")
        columns |= {"user_set_id": users["id"], "user_set": users["key"]}
    if body.is_resource:
        resource = resource_of(session, body.resource_set)
        columns |= {"resource_id": resource["id"], "resource_set": resource["key"]}
    else:
        things = _set(session, body.resource_set, "resourceset")
        columns |= {"resource_set_id": things["id"], "resource_set": things["key"]}
    return columns


def _set(session: Session, ident: str, kind: str) -> Row:
    row = set_of(session, ident)
    if row["type"] != kind:
        raise not_found(kind, ident)
    return row

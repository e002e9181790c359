"""The schema of an environment, compiled into what the policy engine decides by."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Select, Table, select

from permit_api.faults import invalid
from permit_api.store.session import Row, Session
from permit_api.store.tables import (
    actions,
    attributes,
    condition_sets,
    derivations,
    relations,
    resources,
    role_extends,
    role_permissions,
    roles,
    set_rules,
)
from permit_core.policy.model import PolicyModel
from permit_core.policy.references import BUILT_IN_RESOURCE, BUILT_IN_USER, PolicyFaults

NO_ACTION = "__none__"
"""What a type without actions has in a model, which wants one. No role is granted it, so no check of it is allowed."""

_ALL = ("allOf", "and")
_LISTS = (*_ALL, "anyOf", "or")
_ROOTS = {"user": "user", "subject": "user", "resource": "resource"}


def compile_model(session: Session) -> PolicyModel:
    """The policy of an environment.

    Attributes count as ``json`` whatever their declared type, but for times: Permit.io lets a condition name any
    attribute, and compares values as they are. Texts compared as they are would let "2026-9-1" be after "2026-12-01".

    Raises:
        ApiFault: 400, the schema contradicts itself: a condition with an unknown operator, roles that extend each other.
    """
    kinds = {row["id"]: row["key"] for row in session.all_of(resources)}
    parts: dict[str, dict[str, Any]] = {
        key: {"actions": [NO_ACTION], "relations": {}, "roles": {}, "attributes": {}} for key in kinds.values()
    }
    for row in session.all_of(actions):
        parts[kinds[row["resource_id"]]]["actions"].append(row["key"])
    for row in session.all_of(relations):
        parts[kinds[row["resource_id"]]]["relations"][row["key"]] = kinds[row["subject_resource_id"]]
    tenant_roles = _roles(session, kinds, parts)
    user_sets, resource_sets = _sets(session, kinds)
    about_users: dict[str, Any] = {}
    times = {
        (kinds[row["resource_id"]], row["key"]) for row in session.all_of(attributes) if row["body"]["type"] == "time"
    }
    for named in (*user_sets.values(), *resource_sets.values()):
        for root, attribute in _attributes(named["conditions"]):
            known = (
                about_users if root == "user" else parts[named["resource"]]["attributes"] if "resource" in named else {}
            )
            if attribute not in (BUILT_IN_USER if root == "user" else BUILT_IN_RESOURCE):
                owner = "__user" if root == "user" else named.get("resource")
                known[attribute] = {"type": "time" if (owner, attribute) in times else "json"}
    document = {
        "version": 1,
        "name": session.environment["key"],
        "resources": parts,
        "roles": tenant_roles,
        "user_attributes": about_users,
        "user_sets": user_sets,
        "resource_sets": resource_sets,
        "set_rules": _rules(session, user_sets, resource_sets),
    }
    try:
        return PolicyModel.model_validate(document)
    except ValidationError as error:
        raise invalid(f"the schema would not be valid: {_faults(error)}") from error


def _within(session: Session, table: Table, *columns: Any) -> Select[Any]:
    return select(*columns).select_from(table).where(table.c.environment_id == session.environment_id)


def _roles(session: Session, kinds: Mapping[str, str], parts: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The roles of tenants; those of resources are put into ``parts``."""
    rows = {row["id"]: row for row in session.all_of(roles)}
    bodies: dict[str, dict[str, Any]] = {each: {"permissions": [], "extends": []} for each in rows}
    granted = _within(session, actions, role_permissions.c.role_id, actions.c.resource_id, actions.c.key).join(
        role_permissions, role_permissions.c.action_id == actions.c.id
    )
    for row in session.connection.execute(granted.order_by(role_permissions.c.place)):
        bodies[row.role_id]["permissions"].append(f"{kinds[row.resource_id]}:{row.key}")
    extended = _within(session, roles, role_extends).join(role_extends, role_extends.c.role_id == roles.c.id)
    for row in session.connection.execute(extended.order_by(role_extends.c.place)):
        bodies[row.role_id]["extends"].append(rows[row.base_id]["key"])
    along = {row["id"]: row["key"] for row in session.all_of(relations)}
    for rule in session.all_of(derivations):
        source = rows[rule["source_role_id"]]
        always = {"no_direct_roles_on_object": rows[rule["role_id"]]["no_direct_roles"]}
        block = bodies[rule["role_id"]].setdefault("granted_to", {"users_with_role": [], "when": always})
        block["users_with_role"].append(
            {
                "role": source["key"],
                "on_resource": kinds[source["resource_id"]],
                "linked_by_relation": along[rule["relation_id"]],
                "when": {"no_direct_roles_on_object": rule["no_direct_roles"]},
            }
        )
    of_tenants: dict[str, Any] = {}
    for role_id, role in rows.items():
        into = of_tenants if role["resource_id"] is None else parts[kinds[role["resource_id"]]]["roles"]
        into[role["key"]] = bodies[role_id]
    return of_tenants


def _sets(session: Session, kinds: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """User sets and resource sets with conditions, their own and those of the sets they are within."""
    rows = {row["id"]: row for row in session.all_of(condition_sets)}
    of_users: dict[str, Any] = {}
    of_resources: dict[str, Any] = {}
    for row in rows.values():
        found: list[Any] = []
        above: Row | None = row
        while above is not None:
            conditions = said(above["body"].get("conditions"))
            if conditions:
                found.append(conditions)
            above = rows.get(above["parent_id"])
        if not found:
            continue  # it says nothing, so nobody is in it
        together = found[0] if len(found) == 1 else {"allOf": found}
        if row["resource_id"] is None:
            of_users[row["key"]] = {"conditions": together}
        else:
            of_resources[row["key"]] = {"conditions": together, "resource": kinds[row["resource_id"]]}
    return of_users, of_resources


def said(conditions: Any) -> Any:
    """Conditions without the empty ones among them: None when nothing is said, in whatever shape.

    ``{}``, ``{"allOf": []}`` and ``{"allOf": [{}]}`` are the same: clients write each of them for no condition. Beside others
    one that says nothing is left out only where all must hold; of several alternatives it would change what is meant.
    """
    if not isinstance(conditions, Mapping):
        return conditions
    kept: dict[Any, Any] = {}
    for key, value in conditions.items():
        if key in _LISTS and isinstance(value, list):
            parts = [part for part in map(said, value) if part is not None]
            if not parts:
                continue
            kept[key] = parts if key in _ALL else value
        else:
            kept[key] = value
    return kept or None


def _rules(session: Session, user_sets: Mapping[str, Any], resource_sets: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The rules whose sets say something."""
    names = ("user_set", "permission", "resource_set", "is_role", "is_resource")
    return [
        {name: row[name] for name in names}
        for row in session.all_of(set_rules)
        if (row["is_role"] or row["user_set"] in user_sets)
        and (row["is_resource"] or row["resource_set"] in resource_sets)
    ]


def _attributes(conditions: Any) -> Iterator[tuple[str, str]]:
    """The attributes that conditions name anywhere: ("user", "age")."""
    if isinstance(conditions, Mapping):
        for key, value in conditions.items():
            yield from _attribute(key)
            if key == "ref":
                yield from _attribute(value)
            if key != "match":
                yield from _attributes(value)
    elif isinstance(conditions, list):
        for each in conditions:
            yield from _attributes(each)


def _attribute(text: Any) -> Iterator[tuple[str, str]]:
    root, dot, name = text.partition(".") if isinstance(text, str) else ("", "", "")
    if dot and root in _ROOTS:
        yield _ROOTS[root], name.partition(".")[0]


def _faults(error: ValidationError) -> str:
    """What is wrong, in words; where the shape is right but a name is not, what should have stood there."""
    lines = []
    for each in error.errors(include_url=False, include_input=False):
        cause = each.get("ctx", {}).get("error")
        if isinstance(cause, PolicyFaults):
            lines += [f"{'.'.join(map(str, fault.path))}: {fault.expected}" for fault in cause.faults]
        else:
            lines.append(f"{'.'.join(map(str, each['loc']))}: {each['msg']}")
    return "; ".join(lines[:10])

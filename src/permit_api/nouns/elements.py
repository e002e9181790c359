"""Elements: who may ask for what, and who decides it."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from sqlalchemy import select

from permit_api.faults import Unprocessable, not_found
from permit_api.nouns.parts import resource_of
from permit_api.nouns.roles import grant
from permit_api.shapes.elements import ElementsConfigCreate, ElementsConfigUpdate
from permit_api.store.session import Listed, Paging, Row, Session
from permit_api.store.tables import actions, element_levels, elements, roles

REVIEWER, APPROVED, OPERATE = "_Reviewer_", "_Approved_", "operate"
"""The roles that an operation approval makes on its resource, and the action that ``_Approved_`` grants."""
REVIEWING = frozenset({"LEVEL_1", "LEVEL_2"})
"""The levels whose roles decide access requests."""
ASSIGNABLE = "LEVEL_4"
"""The level whose roles can be asked for."""
_WORDS = ("name", "settings", "email_notifications", "webhook")
_RESOURCE_SETTINGS = ("resource", "resource_id", "resource_key", "resource_type")


def element_of(session: Session, ident: str) -> Row:
    """One element's row.

    Raises:
        ApiFault: 404.
    """
    return session.get(elements, ident, "ElementsConfig")


def read_element(session: Session, row: Row) -> dict[str, Any]:
    """An element as it is answered; a webhook's token is not."""
    body = dict(row["body"])
    webhook = body.pop("webhook", None)
    answer = {
        "settings": {},
        "email_notifications": False,
        **body,
        "key": row["key"],
        "elements_type": row["elements_type"],
        "is_active": True,
        "roles_to_levels": _levels(session, row),
        **session.audit(row),
    }
    if webhook is not None:
        answer["webhook"] = {**session.audit(row), "type": "elements", "url": webhook["url"]}
    return answer


def list_elements(session: Session, paging: Paging) -> Listed:
    """The elements of the environment."""
    rows, total = session.page(session.query(elements), paging)
    return Listed([read_element(session, row) for row in rows], total, paging.per_page)


def create_element(session: Session, body: ElementsConfigCreate) -> dict[str, Any]:
    """A new element. An operation approval makes its two roles, and ``operate``, on the resource of its settings.

    Raises:
        ApiFault: 409, there is one with this key; 404, a role or the resource is not there.
        Unprocessable: an operation approval that names no resource in its settings.
    """
    resource = _resource(session, body.settings)
    if body.elements_type == "operation_approval":
        if resource is None:
            raise Unprocessable(("settings", "resource"), "an operation approval names its resource here")
        prepare_approvals(session, resource)
    row = session.insert(
        elements,
        "elements config",
        key=body.key,
        elements_type=body.elements_type,
        resource_id=None if resource is None else resource["id"],
        body={name: value for name, value in body.given(*_WORDS).items() if value is not None},
    )
    _set_levels(session, row, body.roles_to_levels)
    return read_element(session, row)


def change_element(session: Session, ident: str, body: ElementsConfigUpdate) -> dict[str, Any]:
    """Change what is given; its type stays."""
    row = element_of(session, ident)
    if body.elements_type not in {None, row["elements_type"]}:
        raise Unprocessable(("elements_type",), f"expected {row['elements_type']}: the type of an element stays")
    words = {name: value for name, value in {**row["body"], **body.given(*_WORDS)}.items() if value is not None}
    changed: dict[str, Any] = {"body": words}
    if body.settings is not None:
        resource = _resource(session, body.settings)
        changed["resource_id"] = None if resource is None else resource["id"]
    row = session.update(elements, row["id"], **changed)
    if body.roles_to_levels is not None:
        session.delete(element_levels, element_levels.c.element_id == row["id"])
        _set_levels(session, row, body.roles_to_levels)
    return read_element(session, row)


def delete_element(session: Session, ident: str) -> None:
    """Take an element away, and with it the requests made through it."""
    session.delete(elements, elements.c.id == element_of(session, ident)["id"])


def prepare_approvals(session: Session, resource: Row) -> None:
    """Make what an operation approval needs on a resource, as far as it is not there."""
    if session.find(actions, OPERATE, actions.c.resource_id == resource["id"]) is None:
        session.insert(actions, "action", resource_id=resource["id"], key=OPERATE, body={"name": "Operate"})
    for key, name in ((REVIEWER, "Reviewer"), (APPROVED, "Approved")):
        row = session.find(roles, key, roles.c.owner_id == resource["id"])
        if row is None:
            ids = {"resource_id": resource["id"], "owner_id": resource["id"]}
            row = session.insert(roles, "role", **ids, key=key, body={"name": name}, no_direct_roles=False)
        grant(session, resource, row, [OPERATE])


def roles_at(session: Session, element: Row, levels: frozenset[str]) -> set[str]:
    """The ids of the roles that an element has at one of the levels."""
    table = element_levels.c
    found = select(table.role_id).where(table.element_id == element["id"], table.level.in_(levels))
    return set(session.connection.execute(found).scalars())


def _levels(session: Session, row: Row) -> dict[str, list[dict[str, Any]]]:
    joined = element_levels.join(roles, roles.c.id == element_levels.c.role_id)
    wanted = select(element_levels.c.level, roles).select_from(joined)
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for each in session.rows(wanted.where(element_levels.c.element_id == row["id"]).order_by(roles.c.key)):
        # The API description wants a resource for each; a role of tenants names itself.
        owner = each["resource_id"] or each["id"]
        name = each["body"].get("name") or each["key"]
        found[each["level"]].append({"id": each["id"], "key": each["key"], "name": name, "resource_id": owner})
    return found


def _set_levels(session: Session, row: Row, wanted: dict[Any, list[str]]) -> None:
    for level, idents in wanted.items():
        for ident in idents:
            role = _role(session, row, ident)
            link = {"element_id": row["id"], "role_id": role["id"], "level": level}
            session.link(element_levels, f"level for the role {role['key']}", link)


def _role(session: Session, element: Row, ident: str) -> Row:
    """A role by id, as ``type#role``, or by key: of the element's resource, else of tenants, else the only one."""
    kind, hash_sign, key = ident.rpartition("#")
    if hash_sign:
        return session.get(roles, key, "Role", roles.c.owner_id == resource_of(session, kind)["id"])
    for owner in (element["resource_id"], session.environment_id):
        found = session.find(roles, key, roles.c.owner_id == owner) if owner else None
        if found is not None:
            return found
    known = session.find(roles, key)
    named = session.all_of(roles, roles.c.key == key)
    if known is None or len(named) > 1:
        raise not_found("Role", ident)
    return known


def _resource(session: Session, settings: Any) -> Row | None:
    named = next((settings[name] for name in _RESOURCE_SETTINGS if isinstance(settings.get(name), str)), None)
    return None if named is None else resource_of(session, named)

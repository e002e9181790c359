"""Resource instances."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import or_

from permit_api.faults import Unprocessable, invalid, not_found
from permit_api.nouns.parts import resource_of
from permit_api.nouns.tenants import tenant_of
from permit_api.shapes.facts import InstanceCreate, InstanceUpdate
from permit_api.store.session import Listed, Paging, Row, Session, as_uuid, containing
from permit_api.store.tables import instances, tuples
from permit_core.access import OBJECT_KEY


def find_instance(session: Session, ident: str) -> Row | None:
    """An instance by its id or as ``type:key``; None when there is none.

    Raises:
        ApiFault: 400, the text is neither: a bare key would be ambiguous.
    """
    known = as_uuid(ident)
    if known:
        return session.row(session.query(instances, instances.c.id == known))
    kind, colon, key = ident.partition(":")
    if not colon:
        raise invalid(f"a resource instance is named by its id or as resource:key; found {ident!r}")
    resource = as_uuid(kind)
    of_kind = instances.c.type == kind if resource is None else instances.c.resource_id == resource
    return session.row(session.query(instances, of_kind, instances.c.key == key))


def instance_of(session: Session, ident: str) -> Row:
    """An instance by its id or as ``type:key``.

    Raises:
        ApiFault: 404, there is none; 400, the text is neither.
    """
    found = find_instance(session, ident)
    if found is None:
        raise not_found("ResourceInstance", ident)
    return found


def ensure_instance(session: Session, ident: str, tenant: Row | None) -> Row:
    """The instance; where a tenant is given and the ident is ``type:key``, it is made when it is not there."""
    found = find_instance(session, ident)
    if found is not None:
        return found
    if tenant is None or as_uuid(ident):
        raise not_found("ResourceInstance", ident)
    kind, _, key = ident.partition(":")
    return add_instance(session, resource_of(session, kind), tenant, key, {})


def add_instance(session: Session, resource: Row, tenant: Row, key: str, attributes: dict[str, Any]) -> Row:
    """A new instance's row.

    Raises:
        Unprocessable: the key is not one of letters, digits, ``-`` and ``_``.
        ApiFault: 409, there is one with this key.
    """
    if not OBJECT_KEY.match(key):
        raise Unprocessable(("resource_instance",), "expected a key of letters, digits, '-' and '_'")
    ends = {"resource_id": resource["id"], "tenant_id": tenant["id"]}
    return session.insert(instances, "resource instance", **ends, key=key, attributes=attributes)


def read_instances(session: Session, rows: Sequence[Row], *, detailed: bool = False) -> list[dict[str, Any]]:
    """Instances as they are answered; with the relationships they stand in when ``detailed``."""
    standing = _relationships(session, [row["id"] for row in rows]) if detailed else None
    answers = []
    for row in rows:
        answer = {
            "key": row["key"],
            "tenant": row["tenant"],
            "resource": row["type"],
            "resource_id": row["resource_id"],
            "tenant_id": row["tenant_id"],
            "attributes": row["attributes"],
            **session.audit(row),
        }
        answers.append(answer if standing is None else {**answer, "relationships": standing[row["id"]]})
    return answers


def list_instances(
    session: Session, paging: Paging, tenant: str | None, resource: str | None, search: list[str], *, detailed: bool
) -> Listed:
    """The instances; of one tenant, of one type, with one of the texts in their keys."""
    where = []
    if tenant is not None:
        where.append(instances.c.tenant_id == tenant_of(session, tenant)["id"])
    if resource is not None:
        where.append(instances.c.resource_id == resource_of(session, resource)["id"])
    if search:
        where.append(or_(*(containing(each, instances.c.key) for each in search)))
    rows, total = session.page(session.query(instances, *where), paging)
    return Listed(read_instances(session, rows, detailed=detailed), total, paging.per_page)


def get_instance(session: Session, ident: str, *, detailed: bool = False) -> dict[str, Any]:
    """One instance."""
    return read_instances(session, [instance_of(session, ident)], detailed=detailed)[0]


def create_instance(session: Session, body: InstanceCreate) -> dict[str, Any]:
    """A new instance.

    Raises:
        ApiFault: 409, there is one with this key; 404, no such tenant or type.
    """
    resource, tenant = resource_of(session, body.resource), tenant_of(session, body.tenant)
    return read_instances(session, [add_instance(session, resource, tenant, body.key, body.attributes or {})])[0]


def change_instance(session: Session, ident: str, body: InstanceUpdate) -> dict[str, Any]:
    """Change the attributes, if they are given; null clears them."""
    row = instance_of(session, ident)
    if "attributes" in body.given():
        row = session.update(instances, row["id"], attributes=body.attributes or {})
    return read_instances(session, [row])[0]


def delete_instance(session: Session, ident: str) -> None:
    """Take an instance away, and with it the roles on it and its relationships."""
    session.delete(instances, instances.c.id == instance_of(session, ident)["id"])


def ends_of(row: Row) -> dict[str, str]:
    """What a relationship is, by keys."""
    return {
        "subject": f"{row['subject_type']}:{row['subject_key']}",
        "relation": row["relation"],
        "object": f"{row['object_type']}:{row['object_key']}",
    }


def _relationships(session: Session, ids: list[str]) -> dict[str, list[dict[str, str]]]:
    rows = session.all_of(tuples, or_(tuples.c.subject_id.in_(ids), tuples.c.object_id.in_(ids)))
    found: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in rows:
        said = ends_of(row)
        for end in {row["subject_id"], row["object_id"]}:
            found[end].append(said)
    return found

"""Relationship tuples: a subject stands in a relation to an object."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import and_, select

from permit_api.faults import invalid, not_found
from permit_api.nouns.instances import ends_of, ensure_instance, find_instance, instance_of
from permit_api.nouns.parts import resource_of
from permit_api.nouns.tenants import tenant_of
from permit_api.shapes.facts import TupleCreate, TupleDelete
from permit_api.store.session import Listed, Paging, Row, Session, some
from permit_api.store.tables import instances, relations, tenants, tuples


def create_tuple(session: Session, body: TupleCreate) -> Row:
    """A new relationship. Instances that are not there are made, when the tenant is named.

    Raises:
        ApiFault: 404, something it names is not there; 409, it is there already; 400, the ends are in different
            tenants, or the relation is not between their types.
    """
    tenant = None if body.tenant is None else tenant_of(session, body.tenant)
    subject, thing = ensure_instance(session, body.subject, tenant), ensure_instance(session, body.object, tenant)
    if subject["tenant_id"] != thing["tenant_id"]:
        raise invalid("subject and object belong to different tenants", "MISMATCH_RESOURCE_INSTANCES_TENANTS")
    relation = session.get(relations, body.relation, "Relation", relations.c.resource_id == thing["resource_id"])
    if relation["subject_resource_id"] != subject["resource_id"]:
        raise invalid(f"relation {relation['key']!r} has subjects of another type", "MISMATCH_RELATION_TYPE")
    return session.insert(
        tuples,
        "relationship tuple",
        subject_id=subject["id"],
        relation_id=relation["id"],
        object_id=thing["id"],
        tenant_id=thing["tenant_id"],
    )


def delete_tuple(session: Session, body: TupleDelete) -> None:
    """Take a relationship away.

    Raises:
        ApiFault: 404, there is none.
    """
    subject, thing = find_instance(session, body.subject), find_instance(session, body.object)
    if subject is not None and thing is not None:
        relation = session.find(relations, body.relation, relations.c.resource_id == thing["resource_id"])
        if relation is not None:
            ends = and_(tuples.c.subject_id == subject["id"], tuples.c.object_id == thing["id"])
            if session.delete(tuples, and_(ends, tuples.c.relation_id == relation["id"])):
                return
    raise not_found("RelationshipTuple", f"{body.subject} {body.relation} {body.object}")


def list_tuples(
    session: Session,
    paging: Paging,
    *,
    tenant: str | None = None,
    subject: str | None = None,
    relation: str | None = None,
    object_: str | None = None,
    object_type: str | None = None,
    subject_type: str | None = None,
    detailed: bool = False,
) -> Listed:
    """The relationships, of one tenant, of one subject or object, along one relation, between types."""
    where = []
    if tenant is not None:
        where.append(tuples.c.tenant_id == tenant_of(session, tenant)["id"])
    for column, ident in ((tuples.c.subject_id, subject), (tuples.c.object_id, object_)):
        if ident is not None:
            where.append(column == instance_of(session, ident)["id"])
    if relation is not None:
        named = session.all_of(relations, (relations.c.key == relation) | (relations.c.id == relation))
        where.append(tuples.c.relation_id.in_([each["id"] for each in named]))
    for column, kind in ((tuples.c.subject_id, subject_type), (tuples.c.object_id, object_type)):
        if kind is not None:
            of_type = select(instances.c.id).where(instances.c.resource_id == resource_of(session, kind)["id"])
            where.append(column.in_(of_type))
    rows, total = session.page(session.query(tuples, *where), paging)
    return Listed(read_tuples(session, rows, detailed=detailed), total, paging.per_page)


def read_tuples(session: Session, rows: Sequence[Row], *, detailed: bool = False) -> list[dict[str, Any]]:
    """Relationships as they are answered."""
    more = _details(session, rows) if detailed else {}
    return [
        {
            **ends_of(row),
            "tenant": row["tenant"],
            **{name: row[name] for name in ("subject_id", "relation_id", "object_id", "tenant_id")},
            **session.audit(row),
            **more.get(row["id"], {}),
        }
        for row in rows
    ]


def _details(session: Session, rows: Sequence[Row]) -> dict[str, dict[str, Any]]:
    def by_id(table: Any, *columns: str) -> dict[str, Row]:
        ids = {row[column] for row in rows for column in columns}
        return {each["id"]: each for each in session.all_of(table, table.c.id.in_(ids))}

    ends = by_id(instances, "subject_id", "object_id")
    along, owners = by_id(relations, "relation_id"), by_id(tenants, "tenant_id")

    def end(row: Row) -> dict[str, Any]:
        return {**{name: row[name] for name in ("key", "tenant", "attributes")}, "resource": row["type"]}

    found = {}
    for row in rows:
        tenant, relation = owners[row["tenant_id"]], along[row["relation_id"]]
        described = {"description": relation["body"].get("description")}
        found[row["id"]] = {
            "subject_details": end(ends[row["subject_id"]]),
            "object_details": end(ends[row["object_id"]]),
            "relation_details": {
                "key": relation["key"],
                "name": relation["body"].get("name") or relation["key"],
                **some(**described),
            },
            "tenant_details": {
                **{name: tenant[name] for name in ("key", "name", "attributes")},
                **some(description=tenant["description"]),
            },
        }
    return found

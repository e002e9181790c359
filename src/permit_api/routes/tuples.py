"""Relationship tuples."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from permit_api.nouns import tuples
from permit_api.routes.gate import InPages, Scope
from permit_api.routes.parameters import Filter
from permit_api.shapes.facts import TupleCreate, TupleDelete, TupleIdents, TuplesBulk
from permit_api.store.session import Session

router = APIRouter(prefix="/relationship_tuples", tags=["Relationship tuples"])
Object = Annotated[str | None, Query(alias="object", max_length=210)]


@router.get("")
async def list_tuples(
    scope: Scope,
    pages: InPages,
    detailed: bool = False,
    include_total_count: bool = False,
    tenant: Filter = None,
    subject: Filter = None,
    relation: Filter = None,
    object_: Object = None,
    object_type: Filter = None,
    subject_type: Filter = None,
) -> Response:
    """The relationships."""
    return await scope.read(
        lambda session: tuples.list_tuples(
            session,
            pages,
            tenant=tenant,
            subject=subject,
            relation=relation,
            object_=object_,
            object_type=object_type,
            subject_type=subject_type,
            detailed=detailed,
        ),
        envelope=include_total_count,
    )


@router.get("/detailed")
async def list_detailed(
    scope: Scope,
    pages: InPages,
    tenant: Filter = None,
    subject: Filter = None,
    relation: Filter = None,
    object_: Object = None,
    object_type: Filter = None,
    subject_type: Filter = None,
) -> Response:
    """The relationships, with their ends in full."""
    return await scope.read(
        lambda session: tuples.list_tuples(
            session,
            pages,
            tenant=tenant,
            subject=subject,
            relation=relation,
            object_=object_,
            object_type=object_type,
            subject_type=subject_type,
            detailed=True,
        ),
        envelope=True,
    )


@router.post("")
async def create_tuple(scope: Scope, body: TupleCreate) -> Response:
    """A new relationship."""
    return await scope.write(lambda session: tuples.read_tuples(session, [tuples.create_tuple(session, body)])[0])


@router.delete("", status_code=204)
async def delete_tuple(scope: Scope, body: TupleDelete) -> Response:
    """Take a relationship away."""
    return await scope.write(lambda session: tuples.delete_tuple(session, body), 204)


@router.post("/bulk")
async def create_many(scope: Scope, body: TuplesBulk) -> Response:
    """Many relationships, all or none."""

    def created(session: Session) -> dict[str, str]:
        for each in body.operations:
            tuples.create_tuple(session, each)
        return {}

    return await scope.write(created)


@router.delete("/bulk")
async def delete_many(scope: Scope, body: TupleIdents) -> Response:
    """Take many relationships away, all or none."""

    def deleted(session: Session) -> dict[str, str]:
        for each in body.idents:
            tuples.delete_tuple(session, each)
        return {}

    return await scope.write(deleted)

"""Relations of a resource."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from permit_api.nouns import parts
from permit_api.routes.gate import InPages, Scope
from permit_api.shapes.schema import RelationCreate
from permit_api.store.tables import relations

router = APIRouter(prefix="/resources/{resource_id}/relations", tags=["Relations"])


@router.get("")
async def list_relations(scope: Scope, resource_id: str, pages: InPages) -> Response:
    """The relations of a resource."""
    return await scope.read(lambda session: parts.list_parts(session, relations, resource_id, pages), envelope=True)


@router.post("")
async def create_relation(scope: Scope, resource_id: str, body: RelationCreate) -> Response:
    """A new relation."""
    return await scope.write(lambda session: parts.create_part(session, relations, resource_id, body.given()))


@router.get("/{relation_id}")
async def get_relation(scope: Scope, resource_id: str, relation_id: str) -> Response:
    """One relation."""
    return await scope.read(lambda session: parts.get_part(session, relations, resource_id, relation_id))


@router.delete("/{relation_id}", status_code=204)
async def delete_relation(scope: Scope, resource_id: str, relation_id: str) -> Response:
    """Take a relation away."""
    return await scope.write(lambda session: parts.delete_part(session, relations, resource_id, relation_id), 204)

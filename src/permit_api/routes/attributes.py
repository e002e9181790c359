"""Attributes of a resource."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from permit_api.nouns import parts
from permit_api.routes.gate import InPages, Scope
from permit_api.shapes.schema import AttributeCreate, AttributeUpdate
from permit_api.store.tables import attributes

router = APIRouter(prefix="/resources/{resource_id}/attributes", tags=["Attributes"])


@router.get("")
async def list_attributes(scope: Scope, resource_id: str, pages: InPages) -> Response:
    """The attributes of a resource."""
    return await scope.read(lambda session: parts.list_parts(session, attributes, resource_id, pages))


@router.post("")
async def create_attribute(scope: Scope, resource_id: str, body: AttributeCreate) -> Response:
    """A new attribute."""
    return await scope.write(lambda session: parts.create_part(session, attributes, resource_id, body.given()))


@router.get("/{attribute_id}")
async def get_attribute(scope: Scope, resource_id: str, attribute_id: str) -> Response:
    """One attribute."""
    return await scope.read(lambda session: parts.get_part(session, attributes, resource_id, attribute_id))


@router.patch("/{attribute_id}")
async def change_attribute(scope: Scope, resource_id: str, attribute_id: str, body: AttributeUpdate) -> Response:
    """Change what is given."""
    return await scope.write(
        lambda session: parts.change_part(session, attributes, resource_id, attribute_id, body.given())
    )


@router.delete("/{attribute_id}", status_code=204)
async def delete_attribute(scope: Scope, resource_id: str, attribute_id: str) -> Response:
    """Take an attribute away."""
    return await scope.write(lambda session: parts.delete_part(session, attributes, resource_id, attribute_id), 204)

"""Attributes of users: those of the built-in resource ``__user`` under another address."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from permit_api.nouns import parts
from permit_api.nouns.parts import USER_TYPE
from permit_api.routes.gate import InPages, Scope
from permit_api.shapes.schema import AttributeCreate, AttributeUpdate
from permit_api.store.tables import attributes

router = APIRouter(prefix="/users/attributes", tags=["User attributes"])


@router.get("")
async def list_user_attributes(scope: Scope, pages: InPages) -> Response:
    """The attributes of users."""
    return await scope.read(lambda session: parts.list_parts(session, attributes, USER_TYPE, pages))


@router.post("")
async def create_user_attribute(scope: Scope, body: AttributeCreate) -> Response:
    """A new attribute."""
    return await scope.write(lambda session: parts.create_part(session, attributes, USER_TYPE, body.given()))


@router.get("/{attribute_id}")
async def get_user_attribute(scope: Scope, attribute_id: str) -> Response:
    """One attribute."""
    return await scope.read(lambda session: parts.get_part(session, attributes, USER_TYPE, attribute_id))


@router.patch("/{attribute_id}")
async def change_user_attribute(scope: Scope, attribute_id: str, body: AttributeUpdate) -> Response:
    """Change what is given."""
    given = body.given()
    return await scope.write(lambda session: parts.change_part(session, attributes, USER_TYPE, attribute_id, given))


@router.delete("/{attribute_id}", status_code=204)
async def delete_user_attribute(scope: Scope, attribute_id: str) -> Response:
    """Take an attribute away."""
    return await scope.write(lambda session: parts.delete_part(session, attributes, USER_TYPE, attribute_id), 204)

"""Condition sets."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter
from starlette.responses import Response

from permit_api.nouns import condition_sets
from permit_api.routes.gate import InPages, Scope
from permit_api.routes.parameters import Search
from permit_api.shapes.schema import ConditionSetCreate, ConditionSetUpdate

router = APIRouter(prefix="/condition_sets", tags=["Condition sets"])


@router.get("")
async def list_sets(
    scope: Scope,
    pages: InPages,
    search: Search = None,
    type: Literal["userset", "resourceset"] | None = None,  # noqa: A002
    include_total_count: bool = False,
) -> Response:
    """The condition sets."""
    return await scope.read(
        lambda session: condition_sets.list_sets(session, pages, search, type), envelope=include_total_count
    )


@router.post("")
async def create_set(scope: Scope, body: ConditionSetCreate) -> Response:
    """A new condition set."""
    return await scope.write(lambda session: condition_sets.create_set(session, body))


@router.get("/{condition_set_id}")
async def get_set(scope: Scope, condition_set_id: str) -> Response:
    """One condition set."""
    return await scope.read(lambda session: condition_sets.get_set(session, condition_set_id))


@router.patch("/{condition_set_id}")
async def change_set(scope: Scope, condition_set_id: str, body: ConditionSetUpdate) -> Response:
    """Change what is given."""
    return await scope.write(lambda session: condition_sets.change_set(session, condition_set_id, body))


@router.delete("/{condition_set_id}", status_code=204)
async def delete_set(scope: Scope, condition_set_id: str) -> Response:
    """Take a condition set away."""
    return await scope.write(lambda session: condition_sets.delete_set(session, condition_set_id), 204)


@router.get("/{condition_set_id}/ancestors")
async def ancestors(scope: Scope, condition_set_id: str) -> Response:
    """The sets that this one is within."""
    return await scope.read(lambda session: condition_sets.relatives(session, condition_set_id, above=True))


@router.get("/{condition_set_id}/descendants")
async def descendants(scope: Scope, condition_set_id: str) -> Response:
    """The sets that are within this one."""
    return await scope.read(lambda session: condition_sets.relatives(session, condition_set_id, above=False))

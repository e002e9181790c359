"""Set rules."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from permit_api.nouns import set_rules
from permit_api.routes.gate import InPages, Scope
from permit_api.routes.parameters import Filter
from permit_api.shapes.schema import SetRule

router = APIRouter(prefix="/set_rules", tags=["Set rules"])


@router.get("")
async def list_rules(
    scope: Scope, pages: InPages, user_set: Filter = None, permission: Filter = None, resource_set: Filter = None
) -> Response:
    """The rules."""
    return await scope.read(lambda session: set_rules.list_rules(session, pages, user_set, permission, resource_set))


@router.post("")
async def create_rule(scope: Scope, body: SetRule) -> Response:
    """A new rule, as a list of one."""
    return await scope.write(lambda session: set_rules.create_rule(session, body))


@router.delete("", status_code=204)
async def delete_rule(scope: Scope, body: SetRule) -> Response:
    """Take a rule away."""
    return await scope.write(lambda session: set_rules.delete_rule(session, body), 204)

"""Implicit grants: the rules by which a resource role is derived from roles on related instances."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from permit_api.nouns import roles
from permit_api.routes.gate import Scope
from permit_api.shapes.schema import DerivationRule, DerivationSettings

router = APIRouter(prefix="/resources/{resource_id}/roles/{role_id}/implicit_grants", tags=["Implicit grants"])


@router.post("")
async def create_rule(scope: Scope, resource_id: str, role_id: str, body: DerivationRule) -> Response:
    """Derive the role by one more rule."""
    return await scope.write(lambda session: roles.add_rule(session, resource_id, role_id, body))


@router.delete("", status_code=204)
async def delete_rule(scope: Scope, resource_id: str, role_id: str, body: DerivationRule) -> Response:
    """Take a rule away."""
    return await scope.write(lambda session: roles.remove_rule(session, resource_id, role_id, body), 204)


@router.put("/conditions")
async def set_conditions(scope: Scope, resource_id: str, role_id: str, body: DerivationSettings) -> Response:
    """Say whether the derived role is withheld from whoever has a direct role on the object."""
    withheld = body.no_direct_roles_on_object
    return await scope.write(lambda session: roles.withhold(session, resource_id, role_id, withheld))

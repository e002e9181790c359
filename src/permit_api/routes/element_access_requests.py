"""Access requests of users who are logged in to an element."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter
from starlette.responses import Response

from permit_api.nouns import requests
from permit_api.nouns.requests import ACCESS
from permit_api.routes.gate import InPages, UserScope
from permit_api.routes.parameters import Filter
from permit_api.shapes.elements import AccessRequestCreate, AccessReview, Review

router = APIRouter(prefix="/config/{elements_config_id}/access_requests", tags=["Access requests of elements"])
Status = Literal["pending", "approved", "denied", "canceled"]


@router.get("")
async def list_requests(
    scope: UserScope,
    pages: InPages,
    status: Status | None = None,
    role: Filter = None,
    resource: Filter = None,
    resource_instance_id: Filter = None,
    tenant: Filter = None,
) -> Response:
    """The requests that the user may see: the own ones, and those the user may decide."""
    return await scope.read(
        lambda session, user: requests.list_requests(
            session,
            user,
            ACCESS,
            pages,
            status=status,
            role=role,
            resource=resource,
            instance=resource_instance_id,
            tenant=tenant,
        )
    )


@router.post("")
async def create_request(scope: UserScope, body: AccessRequestCreate) -> Response:
    """Ask for a role."""
    return await scope.write(lambda session, user: requests.ask_access(session, user, body))


@router.get("/{access_request_id}")
async def get_request(scope: UserScope, access_request_id: str) -> Response:
    """One request."""
    return await scope.read(lambda session, user: requests.get_request(session, user, ACCESS, access_request_id))


@router.patch("/{access_request_id}/reviewer")
async def edit_review(scope: UserScope, access_request_id: str, body: AccessReview) -> Response:
    """Comment on an open request."""
    given = body.given()
    return await scope.write(
        lambda session, user: requests.edit_review(session, user, ACCESS, access_request_id, given)
    )


@router.put("/{access_request_id}/approve")
async def approve(scope: UserScope, access_request_id: str, body: AccessReview) -> Response:
    """Give the role, or another one."""
    given = body.given()
    return await scope.write(
        lambda session, user: requests.decide_request(
            session, user, ACCESS, access_request_id, verdict="approved", given=given
        )
    )


@router.put("/{access_request_id}/deny")
async def deny(scope: UserScope, access_request_id: str, body: Review) -> Response:
    """Deny the request."""
    given = body.given()
    return await scope.write(
        lambda session, user: requests.decide_request(
            session, user, ACCESS, access_request_id, verdict="denied", given=given
        )
    )


@router.put("/{access_request_id}/cancel")
async def cancel(scope: UserScope, access_request_id: str) -> Response:
    """Take back one's own request."""
    return await scope.write(lambda session, user: requests.cancel_request(session, user, ACCESS, access_request_id))

"""Operation approvals: asked for and decided by users who are logged in to an element."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter
from starlette.responses import Response

from permit_api.nouns import requests
from permit_api.nouns.requests import OPERATION
from permit_api.routes.gate import InPages, UserScope
from permit_api.routes.parameters import Filter
from permit_api.shapes.elements import OperationApprovalCreate, Review

router = APIRouter(prefix="/config/{elements_config_id}/operation_approval", tags=["Operation approvals"])
Status = Literal["pending", "approved", "denied", "canceled"]


@router.get("")
async def list_requests(
    scope: UserScope,
    pages: InPages,
    status: Status | None = None,
    resource: Filter = None,
    resource_instance: Filter = None,
) -> Response:
    """The requests that the user may see: the own ones, and those the user may decide."""
    return await scope.read(
        lambda session, user: requests.list_requests(
            session, user, OPERATION, pages, status=status, resource=resource, instance=resource_instance
        )
    )


@router.post("")
async def create_request(scope: UserScope, body: OperationApprovalCreate) -> Response:
    """Ask to do something once."""
    return await scope.write(lambda session, user: requests.ask_operation(session, user, body))


@router.get("/{operation_approval_id}")
async def get_request(scope: UserScope, operation_approval_id: str) -> Response:
    """One request."""
    return await scope.read(lambda session, user: requests.get_request(session, user, OPERATION, operation_approval_id))


@router.patch("/{operation_approval_id}/reviewer")
async def edit_review(scope: UserScope, operation_approval_id: str, body: Review) -> Response:
    """Comment on an open request."""
    given = body.given()
    return await scope.write(
        lambda session, user: requests.edit_review(session, user, OPERATION, operation_approval_id, given)
    )


@router.put("/{operation_approval_id}/approve")
async def approve(scope: UserScope, operation_approval_id: str, body: Review) -> Response:
    """Give the role `_Approved_` on the instance."""
    given = body.given()
    return await scope.write(
        lambda session, user: requests.decide_request(
            session, user, OPERATION, operation_approval_id, verdict="approved", given=given
        )
    )


@router.put("/{operation_approval_id}/deny")
async def deny(scope: UserScope, operation_approval_id: str, body: Review) -> Response:
    """Deny the request."""
    given = body.given()
    return await scope.write(
        lambda session, user: requests.decide_request(
            session, user, OPERATION, operation_approval_id, verdict="denied", given=given
        )
    )


@router.put("/{operation_approval_id}/cancel")
async def cancel(scope: UserScope, operation_approval_id: str) -> Response:
    """Take back one's own request."""
    return await scope.write(
        lambda session, user: requests.cancel_request(session, user, OPERATION, operation_approval_id)
    )

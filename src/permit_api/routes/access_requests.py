"""Access requests with an API key: the acting user and tenant are in the path, so whoever has the key acts for all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path
from starlette.responses import Response

from permit_api.nouns import requests
from permit_api.nouns.requests import ACCESS, Acting, acting
from permit_api.routes.gate import InPages, Scope
from permit_api.routes.parameters import Filter
from permit_api.shapes.elements import AccessRequestCreate, AccessReview, Review
from permit_api.store.session import Session

router = APIRouter(
    prefix="/access_requests/{elements_config_id}/user/{user_id}/tenant/{tenant_id}", tags=["Access requests"]
)
Status = Literal["pending", "approved", "denied", "canceled"]
Named = Annotated[str, Path()]


class InTheNameOf:
    """The element, the user and the tenant of the path."""

    def __init__(self, elements_config_id: Named, user_id: Named, tenant_id: Named) -> None:
        self._idents = elements_config_id, user_id, tenant_id

    def __call__(self, work: Callable[[Session, Acting], Any]) -> Callable[[Session], Any]:
        """``work``, done by this user."""
        return lambda session: work(session, acting(session, *self._idents))


Who = Annotated[InTheNameOf, Depends()]


@router.get("")
async def list_requests(
    scope: Scope,
    who: Who,
    pages: InPages,
    status: Status | None = None,
    role: Filter = None,
    resource: Filter = None,
    resource_instance_id: Filter = None,
) -> Response:
    """The requests that this user may see: the own ones, and those the user may decide."""
    return await scope.read(
        who(
            lambda session, user: requests.list_requests(
                session,
                user,
                ACCESS,
                pages,
                status=status,
                role=role,
                resource=resource,
                instance=resource_instance_id,
            )
        ),
        envelope=True,
    )


@router.post("")
async def create_request(scope: Scope, who: Who, body: AccessRequestCreate) -> Response:
    """Ask for a role."""
    return await scope.write(who(lambda session, user: requests.ask_access(session, user, body)))


@router.get("/{access_request_id}")
async def get_request(scope: Scope, who: Who, access_request_id: str) -> Response:
    """One request."""
    return await scope.read(who(lambda session, user: requests.get_request(session, user, ACCESS, access_request_id)))


@router.patch("/{access_request_id}/reviewer")
async def edit_review(scope: Scope, who: Who, access_request_id: str, body: AccessReview) -> Response:
    """Comment on an open request, or change the role that is asked for."""
    given = body.given()
    return await scope.write(
        who(lambda session, user: requests.edit_review(session, user, ACCESS, access_request_id, given))
    )


@router.put("/{access_request_id}/approve")
async def approve(scope: Scope, who: Who, access_request_id: str, body: AccessReview) -> Response:
    """Give the role, or another one."""
    given = body.given()
    return await scope.write(
        who(
            lambda session, user: requests.decide_request(
                session, user, ACCESS, access_request_id, verdict="approved", given=given
            )
        )
    )


@router.put("/{access_request_id}/deny")
async def deny(scope: Scope, who: Who, access_request_id: str, body: Review) -> Response:
    """Deny the request."""
    given = body.given()
    return await scope.write(
        who(
            lambda session, user: requests.decide_request(
                session, user, ACCESS, access_request_id, verdict="denied", given=given
            )
        )
    )


@router.put("/{access_request_id}/cancel")
async def cancel(scope: Scope, who: Who, access_request_id: str) -> Response:
    """Take back one's own request."""
    return await scope.write(
        who(lambda session, user: requests.cancel_request(session, user, ACCESS, access_request_id))
    )

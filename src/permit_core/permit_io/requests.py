"""Permit.io's access requests and operation approvals: REST only, the SDK has no method for them.

Access requests are called with the API key, and who acts stands in the address. Operation approvals are called as the
user who acts, logged in to the element.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeVar
from uuid import UUID

from pydantic import AwareDatetime, BaseModel

from permit_core.access import ResourceRef
from permit_core.errors import InvalidInput
from permit_core.permit_io.client import PermitClient, parsed
from permit_core.permit_io.faults import PermitFault, nonsense
from permit_core.permit_io.reader import PER_PAGE, all_pages, is_user
from permit_core.ports.request import Request, RequestKind

T = TypeVar("T")
Status = Literal["pending", "approved", "denied", "canceled"]
Verb = Literal["approve", "deny"]

TOKEN_SECONDS = 300.0
"""How long a log-in to the elements is used before there is another."""


class _Details(BaseModel):
    tenant: str
    resource: str | None = None
    resource_instance: str | None = None
    role: str | None = None


class _Read(BaseModel):
    id: UUID
    status: Status
    created_at: AwareDatetime
    access_request_details: _Details
    requesting_user_id: UUID | None = None
    reason: str | None = None
    reviewer_user_id: UUID | None = None
    reviewed_at: AwareDatetime | None = None
    reviewer_comment: str | None = None


class _Page(BaseModel):
    data: list[_Read]


@dataclass(frozen=True, slots=True)
class RemoteRequest:
    """A request as Permit.io has it. Users are named by Permit.io's ids, not by keys."""

    id: str
    status: Status
    created_at: datetime
    resource: ResourceRef | None
    role: str | None
    reason: str
    user_id: str
    reviewer_id: str
    reviewed_at: datetime | None
    comment: str


class RemoteRequests:
    """Asks, reads and decides in Permit.io.

    Args:
        client: the connection.
        access_element: key of the user-management element.
        operation_element: key of the approval-management element.
    """

    def __init__(self, client: PermitClient, access_element: str, operation_element: str) -> None:
        self._client = client
        self._elements = {RequestKind.ACCESS_REQUEST: access_element, RequestKind.OPERATION_APPROVAL: operation_element}
        self._tokens: dict[str, tuple[str, float]] = {}

    async def create(self, request: Request) -> str:
        """Ask in Permit.io what was asked here; Permit.io's id of it."""
        details = {
            "tenant": request.tenant,
            "resource": request.resource.type,
            "resource_instance": str(request.resource),
            **({} if request.role is None else {"role": request.role}),
        }
        body = {"access_request_details": details, "reason": request.reason}
        answer = await self._call(request.kind, request.user, "POST", (), body=body)
        return _remote(parsed(_Read, answer, "a new request")).id

    async def get(self, kind: RequestKind, user: str, remote_id: str) -> RemoteRequest:
        """One request, seen by this user."""
        answer = await self._call(kind, user, "GET", (remote_id,))
        return _remote(parsed(_Read, answer, "a request"))

    async def pending(self, kind: RequestKind, user: str) -> list[RemoteRequest]:
        """The undecided requests that this user made or may decide, by Permit.io's rules."""

        async def page(number: int) -> list[_Read]:
            query = {"status": "pending", "page": number, "per_page": PER_PAGE}
            answer = await self._call(kind, user, "GET", (), query=query)
            return parsed(_Page, answer, "a page of requests").data

        return [_remote(each) for each in await all_pages(page)]

    async def decide(self, kind: RequestKind, reviewer: str, remote_id: str, verb: Verb, comment: str) -> None:
        """Approve, by which Permit.io gives the role, or deny."""
        body = {"reviewer_comment": comment} if comment else {}
        await self._call(kind, reviewer, "PUT", (remote_id, verb), body=body)

    async def cancel(self, kind: RequestKind, user: str, remote_id: str) -> None:
        """Withdraw a request of one's own."""
        await self._call(kind, user, "PUT", (remote_id, "cancel"))

    async def _call(
        self,
        kind: RequestKind,
        user: str,
        method: str,
        rest: tuple[str, ...],
        *,
        body: Any = None,
        query: dict[str, Any] | None = None,
    ) -> Any:
        if not is_user(user):
            raise ValueError("that cannot be a user")
        element = self._elements[kind]
        if kind is RequestKind.ACCESS_REQUEST:
            path = await self._client.facts(
                "access_requests", element, "user", user, "tenant", self._client.tenant, *rest
            )
            return await self._client.api(method, path, body=body, query=query)
        path = await self._client.elements("config", element, "operation_approval", *rest)
        return await self._logged_in(
            user, lambda token: self._client.api(method, path, body=body, query=query, bearer=token)
        )

    async def _logged_in(self, user: str, call: Callable[[str], Awaitable[T]]) -> T:
        """Call as a user; once more with a new log-in when the one that was kept does not count any more."""
        kept = self._tokens.get(user)
        if kept is not None and kept[1] > time.monotonic():
            try:
                return await call(kept[0])
            except PermitFault as fault:
                if fault.status != 401:
                    raise
        found = await self._client.sdk(
            "a log-in to the elements", lambda sdk: sdk.elements.login_as(user, self._client.tenant)
        )
        # The SDK has no name for it, but keeps what it does not know.
        token = getattr(found, "element_bearer_token", None) or found.token
        if not isinstance(token, str) or not token:
            raise nonsense("a log-in to the elements without a token")
        self._tokens = {user: (token, time.monotonic() + TOKEN_SECONDS)} | {
            who: entry for who, entry in self._tokens.items() if who != user and entry[1] > time.monotonic()
        }
        return await call(token)


def _remote(read: _Read) -> RemoteRequest:
    details = read.access_request_details
    resource = None
    if details.resource_instance is not None:
        named = details.resource_instance
        try:
            resource = ResourceRef.parse(named, details.resource if ":" not in named else None)
        except InvalidInput:
            resource = None
    return RemoteRequest(
        id=str(read.id),
        status=read.status,
        created_at=read.created_at,
        resource=resource,
        role=details.role,
        reason=read.reason or "",
        user_id=str(read.requesting_user_id or ""),
        reviewer_id=str(read.reviewer_user_id or ""),
        reviewed_at=read.reviewed_at,
        comment=read.reviewer_comment or "",
    )

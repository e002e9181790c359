"""Requests: access requests with an API key, and those and operation approvals of users who are logged in to an element."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, make_dataclass
from typing import Annotated, Any, Literal

from fastapi import Depends, Path
from starlette.responses import Response

from permit_api.nouns import requests
from permit_api.nouns.requests import ACCESS, OPERATION, Acting, acting
from permit_api.routes.crud import Calls, Filter, Writing
from permit_api.routes.gate import AsUser, InPages, Scope
from permit_api.shapes.elements import AccessRequestCreate, AccessReview, OperationApprovalCreate, Review
from permit_api.store.session import Listed, Paging, Session

Named = Annotated[str, Path()]
Status = Literal["pending", "approved", "denied", "canceled"]


class InTheNameOf:
    """The gate of calls with an API key, which acts for the user whom the path names."""

    def __init__(self, scope: Scope, elements_config_id: Named, user_id: Named, tenant_id: Named) -> None:
        self._scope, self._idents = scope, (elements_config_id, user_id, tenant_id)

    async def read(self, work: Callable[[Session, Acting], Any]) -> Response:
        """Answer with what ``work`` returns."""
        return await self._scope.read(self._acting(work), envelope=True)

    async def write(self, work: Callable[[Session, Acting], Any]) -> Response:
        """Answer with what ``work`` returns, once it is stored."""
        return await self._scope.write(self._acting(work))

    def _acting(self, work: Callable[[Session, Acting], Any]) -> Callable[[Session], Any]:
        return lambda session: work(session, acting(session, *self._idents))


def _requests(
    prefix: str,
    tag: str,
    gate: type,
    kind: str,
    *,
    ask: Writing,
    review: type[Review],
    given: str,
    narrowed: dict[str, str],
) -> Calls:
    """The calls about requests of one kind.

    Args:
        prefix: where they are.
        tag: under which they are described.
        gate: says who acts.
        kind: of the requests.
        ask: makes one.
        review: what a reviewer may say.
        given: what an approval does.
        narrowed: the parameters that narrow a list beside ``status``, each with what it is in ``list_requests``.
    """
    calls = Calls(prefix, tag, gate)
    one = f"/{{{kind}_id}}"
    which = make_dataclass("Which", [("status", Status | None, None), *((each, Filter, None) for each in narrowed)])

    def list_requests(session: Session, who: Acting, pages: Paging, by: Any) -> Listed:
        named = {narrowed.get(name, name): value for name, value in asdict(by).items()}
        return requests.list_requests(session, who, kind, pages, **named)

    def get_request(session: Session, who: Acting, ident: str) -> dict[str, Any]:
        return requests.get_request(session, who, kind, ident)

    def edit_review(session: Session, who: Acting, ident: str, body: Review) -> dict[str, Any]:
        return requests.edit_review(session, who, kind, ident, body.given())

    def approve(session: Session, who: Acting, ident: str, body: Review) -> dict[str, Any]:
        return requests.decide_request(session, who, kind, ident, verdict="approved", given=body.given())

    def deny(session: Session, who: Acting, ident: str, body: Review) -> dict[str, Any]:
        return requests.decide_request(session, who, kind, ident, verdict="denied", given=body.given())

    def cancel(session: Session, who: Acting, ident: str) -> dict[str, Any]:
        return requests.cancel_request(session, who, kind, ident)

    seen = "The requests that the user may see: the own ones, and those the user may decide."
    calls.call("GET", "", "list_requests", seen, list_requests, pages=InPages, by=Annotated[which, Depends()])
    calls.call("POST", "", "create_request", "A new request.", ask[0], body=ask[1])
    calls.call("GET", one, "get_request", "One request.", get_request)
    calls.call("PATCH", f"{one}/reviewer", "edit_review", "Comment on an open request.", edit_review, body=review)
    calls.call("PUT", f"{one}/approve", "approve", given, approve, body=review)
    calls.call("PUT", f"{one}/deny", "deny", "Deny the request.", deny, body=Review)
    calls.call("PUT", f"{one}/cancel", "cancel", "Take back one's own request.", cancel)
    return calls


_ROLE: dict[str, Any] = {
    "ask": (requests.ask_access, AccessRequestCreate),
    "review": AccessReview,
    "given": "Give the role, or another one.",
}
_BY = {"role": "role", "resource": "resource", "resource_instance_id": "instance"}
of_keys = _requests(
    "/access_requests/{elements_config_id}/user/{user_id}/tenant/{tenant_id}",
    "Access requests",
    InTheNameOf,
    ACCESS,
    narrowed=_BY,
    **_ROLE,
)
of_elements = (
    _requests(
        "/config/{elements_config_id}/operation_approval",
        "Operation approvals",
        AsUser,
        OPERATION,
        ask=(requests.ask_operation, OperationApprovalCreate),
        review=Review,
        given="Give the role `_Approved_` on the instance.",
        narrowed={"resource": "resource", "resource_instance": "instance"},
    ),
    _requests(
        "/config/{elements_config_id}/access_requests",
        "Access requests of elements",
        AsUser,
        ACCESS,
        narrowed={**_BY, "tenant": "tenant"},
        **_ROLE,
    ),
)

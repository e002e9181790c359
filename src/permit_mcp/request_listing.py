"""Listing requests and deciding them: the same for both kinds."""

from __future__ import annotations

from typing import Any

from permit_core.access import ResourceRef
from permit_core.bootstrap import Core
from permit_core.identity import Actor
from permit_core.ports.request import RequestFilter, RequestKind, RequestStatus
from permit_core.views import RequestView
from permit_mcp.results import RequestPage

ME = "me"


async def list_requests(
    core: Core, viewer: Actor, kind: RequestKind, wanted: RequestFilter, *, page: int, per_page: int
) -> RequestPage:
    """A page of what the viewer may see."""
    found = await core.approvals.list(viewer, kind, wanted, page, per_page)
    return RequestPage(
        requests=[RequestView.of(request) for request in found.items],
        total=found.total,
        page=found.page,
        per_page=found.per_page,
    )


def request_filter(
    viewer: Actor,
    *,
    status: str | None,
    resource: ResourceRef | None,
    user: str | None,
    approver: str | None,
    role: str | None = None,
) -> RequestFilter:
    """The filter that a tool's arguments describe; ``me`` is the viewer."""
    return RequestFilter(
        status=RequestStatus(status) if status else None,
        role=role or None,
        resource=resource,
        user=_key(user, viewer),
        approver=_key(approver, viewer),
    )


def decides(kind: RequestKind, verb: str) -> dict[str, Any]:
    """Metadata of a tool that decides a request: what a client shows its person before it calls the tool."""
    return {
        "permit/decides": {
            "kind": kind.value,
            "verb": verb,
            "id_argument": f"{kind.value}_id",
            "comment_argument": "reviewer_comment",
        }
    }


def _key(user: str | None, viewer: Actor) -> str | None:
    return viewer.user if user == ME else user or None

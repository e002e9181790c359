"""The states of a request and the only ways between them. Pure: no I/O, no clock; see ``README.md``."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

from permit_core.errors import Conflict
from permit_core.ports.request import Request, RequestStatus
from permit_core.views import plain


class Event(StrEnum):
    """What can happen to a request. Making it is no event: a request begins as pending."""

    APPROVE = "approve"
    DENY = "deny"
    CANCEL = "cancel"
    EXPIRE = "expire"
    USE = "use"


TRANSITIONS: Mapping[tuple[RequestStatus, Event], RequestStatus] = MappingProxyType(
    {
        (RequestStatus.PENDING, Event.APPROVE): RequestStatus.APPROVED,
        (RequestStatus.PENDING, Event.DENY): RequestStatus.DENIED,
        (RequestStatus.PENDING, Event.CANCEL): RequestStatus.CANCELLED,
        (RequestStatus.PENDING, Event.EXPIRE): RequestStatus.EXPIRED,
        (RequestStatus.APPROVED, Event.USE): RequestStatus.USED,
        (RequestStatus.APPROVED, Event.EXPIRE): RequestStatus.EXPIRED,
    }
)
"""Everything that may happen. What is not here may not."""

LIVE = frozenset(status for status, _ in TRANSITIONS)
"""The states that something can still happen in."""


def advance(status: RequestStatus, event: Event) -> RequestStatus:
    """The state after ``event``.

    Raises:
        Conflict: ``expired`` when the time of the request is over, else ``already_decided``; both carry ``status``.
    """
    try:
        return TRANSITIONS[status, event]
    except KeyError:
        raise Conflict(
            f"This request is {status.value}; it cannot be changed any more.",
            code="expired" if status is RequestStatus.EXPIRED else "already_decided",
            status=status.value,
        ) from None


def lapsed(request: Request, now: datetime) -> bool:
    """Whether the request's time is over although nobody has moved it to expired yet. The last moment is over."""
    return request.status in LIVE and request.expires_at is not None and request.expires_at <= now


def verdict(request: Request) -> Event | None:
    """What a reviewer decided, whatever became of the request afterwards; None when no reviewer decided."""
    if request.decided_at is None:
        return None
    return Event.DENY if request.status is RequestStatus.DENIED else Event.APPROVE


def closed(request: Request) -> Conflict:
    """Why a request that is not pending cannot be decided: what was decided, and by whom, if anybody decided.

    Returns:
        A Conflict, ``expired`` when it lapsed before anybody decided, else ``already_decided``; with ``status`` and,
        when a reviewer decided, ``decided_by``, the reviewer's name.
    """
    decided = verdict(request)
    if decided is None:
        how, code = {
            RequestStatus.EXPIRED: ("expired before anybody decided it", "expired"),
            RequestStatus.CANCELLED: ("was withdrawn by whoever had asked", "already_decided"),
        }.get(request.status, (f"is {request.status.value}", "already_decided"))
        return Conflict(
            f"This request {how}.", code=code, hint="A new request can be made.", status=request.status.value
        )
    name = plain(request.decided_by_name or request.decided_by or "")
    what = "denied" if decided is Event.DENY else "approved"
    since = {
        RequestStatus.USED: ", and the approval has been used",
        RequestStatus.EXPIRED: ", and the approval has expired",
    }.get(request.status, "")
    return Conflict(
        f"This request was {what} by {name} already{since}.",
        code="already_decided",
        hint="A decision stands; a new request can be made.",
        status=request.status.value,
        decided_by=name,
    )

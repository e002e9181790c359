"""The states of a request and the only ways between them. Pure: no I/O, no clock; see ``README.md``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
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
    VOID = "void"  # an approval is taken back before it was used
    CLAIM = "claim"  # its call is about to be sent
    RELEASE = "release"  # it is certain that nothing was sent
    USE = "use"  # it is done: here, or any answer came
    LOSE = "lose"  # whether it was done is not known
    SETTLE_DONE = "settle_done"  # a reviewer found out that it was done
    SETTLE_UNDONE = "settle_undone"  # a reviewer found out that it was not


_MOVES: Mapping[RequestStatus, Mapping[Event, RequestStatus]] = {
    RequestStatus.PENDING: {
        Event.APPROVE: RequestStatus.APPROVED,
        Event.DENY: RequestStatus.DENIED,
        Event.CANCEL: RequestStatus.CANCELLED,
        Event.EXPIRE: RequestStatus.EXPIRED,
    },
    RequestStatus.APPROVED: {
        Event.EXPIRE: RequestStatus.EXPIRED,
        Event.VOID: RequestStatus.VOIDED,
        Event.CLAIM: RequestStatus.EXECUTING,
        Event.USE: RequestStatus.USED,
    },
    RequestStatus.EXECUTING: {
        Event.RELEASE: RequestStatus.APPROVED,
        Event.USE: RequestStatus.USED,
        Event.LOSE: RequestStatus.UNKNOWN,
    },
    RequestStatus.UNKNOWN: {
        Event.SETTLE_DONE: RequestStatus.USED,
        Event.SETTLE_UNDONE: RequestStatus.VOIDED,
    },
}

TRANSITIONS: Mapping[tuple[RequestStatus, Event], RequestStatus] = MappingProxyType(
    {(status, event): after for status, moves in _MOVES.items() for event, after in moves.items()}
)
"""Everything that may happen. What is not here may not."""

LIVE = frozenset(_MOVES)
"""The states that something can still happen in."""

LAPSING = frozenset(status for status, event in TRANSITIONS if event is Event.EXPIRE)
"""The states that end by themselves when their time is over."""


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
    return request.status in LAPSING and request.expires_at is not None and request.expires_at <= now


def as_of(request: Request, now: datetime) -> Request:
    """The request as it is to be shown at ``now``: expired when its time is over, whether or not it has been moved."""
    return replace(request, status=RequestStatus.EXPIRED) if lapsed(request, now) else request


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
        RequestStatus.VOIDED: ", and the approval was taken back",
        RequestStatus.EXECUTING: ", and it is being done",
        RequestStatus.UNKNOWN: ", and whether it was done is not known",
    }.get(request.status, "")
    return Conflict(
        f"This request was {what} by {name} already{since}.",
        code="already_decided",
        hint="A decision stands; a new request can be made.",
        status=request.status.value,
        decided_by=name,
    )

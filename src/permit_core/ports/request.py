"""Requests that wait for, or have, a human's decision."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Literal

from permit_core.access import ResourceRef


class RequestKind(StrEnum):
    """What can be asked for."""

    ACCESS_REQUEST = "access_request"  # a role on an instance
    OPERATION_APPROVAL = "operation_approval"  # one operation on one instance, once
    CALL = "call"  # one call of one tool with exactly these arguments, once


Kinds = RequestKind | frozenset[RequestKind]
"""One kind of request, or several that are looked at, or decided, together."""

ONCE = frozenset({RequestKind.OPERATION_APPROVAL, RequestKind.CALL})
"""What is asked to do something once."""


def kinds_of(kind: Kinds | None) -> frozenset[RequestKind]:
    """The kinds that are meant; None means any."""
    if kind is None:
        return frozenset(RequestKind)
    return frozenset({kind}) if isinstance(kind, RequestKind) else kind


class RequestStatus(StrEnum):
    """Where a request stands. The table of transitions is in ``lifecycle.py``."""

    PENDING = "pending"
    APPROVED = "approved"
    EXECUTING = "executing"  # the approved call has been or is being sent
    USED = "used"
    UNKNOWN = "unknown"  # nobody knows whether it was done; it never runs again
    DENIED = "denied"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    VOIDED = "voided"  # the approval was taken back, or is settled as never done


class ConfirmedBy(StrEnum):
    """Whose yes a call needs."""

    SELF = "self"  # the person it is made for, at a place where no agent can answer
    IN_CLIENT = "in_client"  # whoever sits at the client that made the call
    REVIEWER = "reviewer"  # somebody else, who may do the rule's review action


KindName = Literal["access_request", "operation_approval", "call"]
StatusName = Literal["pending", "approved", "executing", "used", "unknown", "denied", "cancelled", "expired", "voided"]
"""The words of the two enumerations above, for schemas."""


@dataclass(frozen=True, slots=True)
class CalledTool:
    """What a request for a call is for, as stored.

    Attributes:
        tool: the tool's name.
        digest: of the canonical arguments, see :mod:`permit_core.canonical`.
        definition: digest of the tool's definition.
        gate: which question the yes answers: ``operation`` (nothing allows it) or ``call`` (a confirmation over an
            allow); a call that meets both needs both.
        arguments: the arguments as people and the record are shown them, redacted.
    """

    tool: str
    digest: str
    definition: str
    gate: Literal["operation", "call"]
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Request:
    """Something that was asked of a human, as stored.

    Attributes:
        id: unguessable, ``req_`` and 32 hexadecimal digits.
        environment: key of the environment it was made in.
        user: directory key of the asker.
        user_name: the asker's human-readable name.
        resource: the instance it is about; for a call on something that is not stored, its type alone.
        resource_name: the instance's ``name`` attribute when it was asked, or what a call acts on, in words.
        role: the role asked for (access requests only).
        operation: the operation asked for; for a call the action that it is.
        pinned: what is pinned by the policy, with the values at the time of asking (``{"price_cents": 2299}``).
        reason: the asker's words. Untrusted text: data for whoever reads it.
        expires_at: UTC; when the status is pending the moment the request lapses, when approved the moment the yes
            ends; None for never.
        lasts: how long a yes would last or lasts, from the decision on; None for good.
        decided_by: directory key of the reviewer; ``decided_by_name`` the name.
        comment: the reviewer's words. Untrusted text as well.
        agent: what acted for the asker when it was asked, if anything did; ``session`` is that session's id.
        asked_as: the role on the instance by which the asker may ask (operation approvals only).
        review_action: who may do this on the resource decides; empty when only the asker can confirm it.
        by: whose yes it needs.
        called: the tool and its arguments (calls only).
        claimed_at: when its call was last about to be sent; ``runner`` is the process that was to send it.
        standing: id of the standing yes by which the call was made, if it was one.
    """

    id: str
    kind: RequestKind
    environment: str
    tenant: str
    user: str
    user_name: str
    resource: ResourceRef
    resource_name: str
    reason: str
    status: RequestStatus
    created_at: datetime
    role: str | None = None
    operation: str | None = None
    pinned: Mapping[str, Any] = field(default_factory=dict)
    expires_at: datetime | None = None
    lasts: timedelta | None = None
    decided_by: str | None = None
    decided_by_name: str | None = None
    decided_at: datetime | None = None
    comment: str = ""
    used_at: datetime | None = None
    agent: str | None = None
    session: str | None = None
    asked_as: str | None = None
    review_action: str = ""
    by: ConfirmedBy = ConfirmedBy.REVIEWER
    called: CalledTool | None = None
    claimed_at: datetime | None = None
    runner: str | None = None
    standing: str | None = None


@dataclass(frozen=True, slots=True)
class RequestFilter:
    """Which requests to list; None means any.

    ``role`` is the role asked for, of operation approvals the role by which the asker may ask. ``approver`` keeps those
    which that user may review and has not made.
    """

    status: RequestStatus | None = None
    role: str | None = None
    resource: ResourceRef | None = None
    user: str | None = None
    approver: str | None = None

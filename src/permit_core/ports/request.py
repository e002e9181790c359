"""Requests that wait for, or have, a human's decision."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

from permit_core.access import ResourceRef


class RequestKind(StrEnum):
    """What can be asked for."""

    ACCESS_REQUEST = "access_request"  # a role on an instance
    OPERATION_APPROVAL = "operation_approval"  # one operation on one instance, once
    CALL = "call"  # one call of one tool with exactly these arguments, once


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


KindName = Literal["access_request", "operation_approval", "call"]
StatusName = Literal["pending", "approved", "executing", "used", "unknown", "denied", "cancelled", "expired", "voided"]
"""The words of the two enumerations above, for schemas."""


@dataclass(frozen=True, slots=True)
class Request:
    """An access request or an operation approval, as stored.

    Attributes:
        id: unguessable, ``req_`` and 32 hexadecimal digits.
        environment: key of the environment it was made in.
        user: directory key of the asker.
        user_name: the asker's human-readable name.
        resource_name: the instance's ``name`` attribute when it was asked.
        role: the role asked for (access requests only).
        operation: the operation asked for (operation approvals only).
        arguments: what is pinned by the policy, with the values at the time of asking (``{"price_cents": 2299}``).
        reason: the asker's words. Untrusted text: data for whoever reads it.
        expires_at: UTC; when the status is pending the moment the request lapses, when approved the moment the
            approval lapses; None for never.
        decided_by: directory key of the reviewer; ``decided_by_name`` the name.
        comment: the reviewer's words. Untrusted text as well.
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
    arguments: Mapping[str, Any] = field(default_factory=dict)
    expires_at: datetime | None = None
    decided_by: str | None = None
    decided_by_name: str | None = None
    decided_at: datetime | None = None
    comment: str = ""
    used_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class RequestFilter:
    """Which requests to list; None means any. ``approver`` keeps those which that user may review and has not made."""

    status: RequestStatus | None = None
    role: str | None = None
    resource: ResourceRef | None = None
    user: str | None = None
    approver: str | None = None

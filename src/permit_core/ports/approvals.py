"""The port behind which requests are made, listed and decided."""

from __future__ import annotations

from typing import Protocol

from permit_core.access import ResourceRef
from permit_core.identity import Actor
from permit_core.page import Page
from permit_core.ports.request import Request, RequestFilter, RequestKind


class Approvals(Protocol):
    """Asking a human, exactly and durably. Every method audits what it does in the transaction that does it."""

    async def ask_access(self, asker: Actor, resource: ResourceRef, role: str, reason: str) -> Request:
        """Ask for ``role`` on an instance.

        Raises:
            InvalidInput: ``invalid_reason`` (empty or too long), ``role_not_requestable``.
            NotFound: ``no_such_instance``.
            Forbidden: ``may_not_ask``: the policy does not let this user ask for this role.
            Conflict: ``already_granted``, or ``already_pending`` with the ``request_id`` of the open request.
        """
        ...

    async def ask_operation(self, asker: Actor, resource: ResourceRef, operation: str, reason: str) -> Request:
        """Ask to do ``operation`` on an instance once. What the policy pins (the price) is taken from the directory.

        Raises:
            InvalidInput: ``invalid_reason``, ``unknown_operation``.
            NotFound: ``no_such_instance``.
            Forbidden: the decision on the operation is deny; carries it, with its remedies.
            Conflict: ``not_needed`` (allowed without), ``already_pending`` or ``already_approved`` with ``request_id``.
        """
        ...

    async def get(self, viewer: Actor, kind: RequestKind, request_id: str) -> Request:
        """One request that the viewer made or may review.

        Raises:
            InvalidInput: ``invalid_id``.
            NotFound: ``no_such_request``: there is none, or it is not for this viewer to see.
        """
        ...

    async def list(
        self, viewer: Actor, kind: RequestKind, wanted: RequestFilter, page: int = 1, per_page: int = 30
    ) -> Page[Request]:
        """Requests the viewer made or may review, newest first.

        Raises:
            InvalidInput: ``invalid_page``.
        """
        ...

    async def approve(self, reviewer: Actor, kind: RequestKind, request_id: str, comment: str = "") -> Request:
        """Approve a pending request; an access request assigns the role in the same transaction.

        Repeating one's own decision with the same comment answers the decided request again.

        Raises:
            InvalidInput: ``invalid_id``, ``invalid_comment``.
            NotFound: ``no_such_request``.
            Forbidden: ``own_request``, ``not_a_reviewer``.
            Conflict: ``already_decided`` (with ``status``), ``expired``.
        """
        ...

    async def deny(self, reviewer: Actor, kind: RequestKind, request_id: str, comment: str = "") -> Request:
        """Deny a pending request. Idempotence and errors as :meth:`approve`."""
        ...

    async def cancel(self, asker: Actor, kind: RequestKind, request_id: str) -> Request:
        """Withdraw one's own pending request.

        Raises:
            NotFound: ``no_such_request``: there is none of one's own.
            Conflict: ``already_decided``.
        """
        ...

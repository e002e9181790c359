"""The port behind which requests are made, listed and decided."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Protocol

from permit_core.access import ResourceRef
from permit_core.identity import Actor
from permit_core.page import Page
from permit_core.ports.request import Kinds, Request, RequestFilter, RequestKind


class Via(StrEnum):
    """How a decision reached the program. Only its own doors may say anything but ``TOOL``."""

    TOOL = "tool"  # a tool was called, by a model as far as anybody knows
    PERSON = "person"  # a human answered a question of ours: at a terminal, on a chat's socket, on a page
    CLIENT = "client"  # the client that made the call asked whoever sits there


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

    async def get(self, viewer: Actor, kind: Kinds | None, request_id: str) -> Request:
        """One request that the viewer made or may review, of any kind with None.

        Raises:
            InvalidInput: ``invalid_id``.
            NotFound: ``no_such_request``: there is none, or it is not for this viewer to see.
        """
        ...

    async def wait(self, viewer: Actor, request_id: str, seconds: float) -> Request:
        """As :meth:`get`, once it is decided, or as it stands after so many seconds (0 to 20).

        Raises:
            InvalidInput: ``invalid_id``, ``invalid_wait``.
            NotFound: ``no_such_request``.
        """
        ...

    async def list(
        self, viewer: Actor, kind: Kinds, wanted: RequestFilter, page: int = 1, per_page: int = 30
    ) -> Page[Request]:
        """Requests the viewer made or may review, newest first.

        Raises:
            InvalidInput: ``invalid_page``.
        """
        ...

    async def approve(
        self, reviewer: Actor, kind: Kinds, request_id: str, comment: str = "", *, via: Via = Via.TOOL
    ) -> Request:
        """Approve a pending request; an access request assigns the role in the same transaction.

        Repeating one's own decision with the same comment answers the decided request again. One's own request is
        decided by somebody else, but for a call that the policy lets its own human confirm: by ``self`` in person
        alone, by ``in_client`` also at the client, and never through an agent.

        Raises:
            InvalidInput: ``invalid_id``, ``invalid_comment``.
            NotFound: ``no_such_request``.
            Forbidden: ``own_request``, ``not_a_reviewer``.
            Conflict: ``already_decided`` (with ``status``), ``expired``.
        """
        ...

    async def deny(
        self, reviewer: Actor, kind: Kinds, request_id: str, comment: str = "", *, via: Via = Via.TOOL
    ) -> Request:
        """Deny a pending request. Idempotence and errors as :meth:`approve`."""
        ...

    async def shown_arguments(self, viewer: Actor, request: Request) -> Mapping[str, Any] | None:
        """The arguments of a call for whoever may look at its request: secrets masked, nothing shortened or cleaned.

        Whoever shows them writes out what cannot be seen. None for another kind, and where only what the record keeps is
        left: the call is settled, or the key of another account would be needed.
        """
        ...

    async def cancel(self, asker: Actor, kind: RequestKind, request_id: str) -> Request:
        """Withdraw one's own pending request.

        Raises:
            NotFound: ``no_such_request``: there is none of one's own.
            Conflict: ``already_decided``.
        """
        ...

    async def void(self, actor: Actor, kind: RequestKind, request_id: str, comment: str = "") -> Request:
        """Take back a yes that is not used yet; of an access request the role goes with it.

        Its asker may, and whoever may review it.

        Raises:
            InvalidInput: ``invalid_id``, ``invalid_comment``.
            NotFound: ``no_such_request``.
            Conflict: ``not_approved`` while it waits, ``already_decided``, ``expired``.
        """
        ...

    async def revoke_role(self, actor: Actor, user: str, role: str, resource: ResourceRef, comment: str = "") -> bool:
        """Take a role on an instance away, however it was given, and void the requests that gave it.

        Returns:
            Whether there was anything to take away.

        Raises:
            InvalidInput: ``invalid_resource``, ``invalid_comment``.
            Forbidden: ``not_a_reviewer``: who may review requests for the role there may take it away.
        """
        ...

    async def settle_unknown(self, reviewer: Actor, request_id: str, *, happened: bool, comment: str = "") -> Request:
        """Put on record what became of a call whose outcome is unknown. It never runs again.

        Raises:
            InvalidInput: ``invalid_id``, ``invalid_comment``.
            NotFound: ``no_such_request``.
            Forbidden: ``own_request``: somebody else than its asker settles it, and no agent.
            Conflict: ``already_decided``: it is not unknown.
        """
        ...

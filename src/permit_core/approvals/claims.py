"""Using an operation approval: once, for exactly what was approved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from permit_core.access import UNDECIDED, Check, Decision, Effect, Remedy, ResourceRef
from permit_core.approvals.lifecycle import LIVE, Event, lapsed, verdict
from permit_core.approvals.register import Register
from permit_core.clock import Clock
from permit_core.database import Database, Transaction
from permit_core.entries import ResourceInstance
from permit_core.errors import Conflict, Forbidden
from permit_core.identity import Actor
from permit_core.policy.conditions import compare
from permit_core.policy.schema import OperationRule, PinOperator
from permit_core.ports.policy_source import PolicySource
from permit_core.ports.request import Request, RequestKind, RequestStatus
from permit_core.stores.requests import RequestStore, Subject


class Claims:
    """Finds the approval that an operation may use, and uses it up."""

    def __init__(
        self, policies: PolicySource, database: Database, store: RequestStore, register: Register, clock: Clock
    ) -> None:
        self._policies = policies
        self._database = database
        self._store = store
        self._register = register
        self._clock = clock

    async def use(
        self,
        check: Check,
        decision: Decision,
        instance: ResourceInstance,
        transaction: Transaction,
        request_id: str | None,
    ) -> Request:
        """As :meth:`ApprovalService.use`."""
        if check.resource != instance.ref:
            raise ValueError(f"decided on {check.resource}, about to act on {instance.ref}")
        if decision.effect is Effect.DENY:
            raise denied(decision, check.action, check.resource)
        if decision.effect is Effect.ALLOW:
            raise not_needed()
        now, user, operation = self._clock(), check.actor, check.action
        elsewhere = self._register.elsewhere
        await elsewhere.before_use(self._register, user, _subject(operation, instance), transaction)
        live = await self._live(user, operation, instance, transaction)
        if request_id is not None:
            live = [request for request in live if request.id == request_id]
        found = self._fitting(user.environment, live, operation, instance, now)
        if found is not None and not await elsewhere.still_stands(found):
            raise _withdrawn(instance, operation)
        if found is not None:
            return await self._register.move(transaction, found, Event.USE, user, used_at=now)
        waiting = [request for request in live if request.status is RequestStatus.PENDING and not lapsed(request, now)]
        if waiting:
            raise Forbidden(
                "Your request waits for a reviewer's decision.",
                code="approval_pending",
                hint="Try again when it is approved.",
                request_id=waiting[0].id,
            )
        if any(open_at(request, now) for request in live):
            code, message = MISMATCH
        else:
            last = await self._store.latest(
                user.environment, transaction, user.tenant, user.user, _subject(operation, instance)
            )
            if last is not None and last.agent not in {None, user.agent}:
                last = None
            code, message = outcome(last if request_id in {None, last.id if last else None} else None)
        remedy = Remedy("operation_approval", str(instance.ref), operation=operation)
        raise Forbidden(message, code=code, hint="Ask for a one-time approval.", ask_for=[remedy.as_dict()])

    async def usable(
        self, user: Actor, operation: str, instance: ResourceInstance, transaction: Transaction | None
    ) -> Request | None:
        """As :meth:`ApprovalService.usable`."""
        elsewhere = self._register.elsewhere
        if await elsewhere.before_use(self._register, user, _subject(operation, instance), None):
            transaction = None  # it does not see what was written just now
        async with self._database.joined(transaction) as reading:
            live = await self._live(user, operation, instance, reading)
        found = self._fitting(user.environment, live, operation, instance, self._clock())
        return found if found is not None and await elsewhere.still_stands(found) else None

    async def _live(
        self, user: Actor, operation: str, instance: ResourceInstance, transaction: Transaction
    ) -> list[Request]:
        """What the user asked for here and can still become of use, newest first; nothing across tenants.

        What one agent of a person asked for is for no other.
        """
        if instance.tenant != user.tenant:
            return []
        asked = await self._store.about(
            user.environment, transaction, user.tenant, user.user, _subject(operation, instance), LIVE
        )
        return [request for request in asked if request.agent in {None, user.agent}]

    def _fitting(
        self, environment: str, live: Sequence[Request], operation: str, instance: ResourceInstance, now: datetime
    ) -> Request | None:
        rule = self._policies.current(environment).model.operation_rule(operation, instance.ref.type)
        if rule is None:
            return None
        return next((request for request in live if open_at(request, now) and holds(rule, request, instance)), None)


def open_at(request: Request, now: datetime) -> bool:
    """Approved, and neither used nor lapsed."""
    return request.status is RequestStatus.APPROVED and not lapsed(request, now)


def holds(rule: OperationRule, request: Request, instance: ResourceInstance) -> bool:
    """Whether what was pinned still stands as the policy wants it.

    What the policy has come to pin since was not approved, so it does not hold; what it pins no more must be as it was.
    """
    return holds_all(rule.pinned, request.pinned, instance.attributes)


def holds_all(pinned: Mapping[str, PinOperator], approved: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Whether each value of now stands to the approved one as is wanted; see :func:`holds`."""
    return all(
        name in now and name in approved and compare(pinned.get(name, "equals"), now[name], approved[name])
        for name in {*pinned, *approved}
    )


def _withdrawn(instance: ResourceInstance, operation: str) -> Forbidden:
    remedy = Remedy("operation_approval", str(instance.ref), operation=operation)
    return Forbidden(
        "The approval was taken back where it was given.",
        code="approval_withdrawn",
        hint="Ask again.",
        ask_for=[remedy.as_dict()],
    )


def _subject(operation: str, instance: ResourceInstance) -> Subject:
    return Subject(RequestKind.OPERATION_APPROVAL, instance.ref, None, operation)


MISMATCH = (
    "approval_mismatch",
    "What was approved is not what would be done now: something that the policy compares has changed since.",
)


def outcome(last: Request | None) -> tuple[str, str]:
    """Code and sentence for something that no live request is for, from what became of the last one."""
    if last is None or last.status is RequestStatus.CANCELLED:
        return "approval_needed", "This needs a one-time approval."
    if last.status is RequestStatus.USED:
        return "approval_used", "The approval has been used; it was for once."
    if last.status is RequestStatus.DENIED:
        return "approval_denied", "A reviewer has denied this."
    if last.status is RequestStatus.VOIDED:
        return "approval_voided", "The approval was taken back."
    if verdict(last) is None:
        return "approval_expired", "Your request expired before anybody decided it."
    return "approval_expired", "The approval has expired."


def denied(decision: Decision, operation: str, resource: ResourceRef) -> Forbidden:
    """The refusal of something that no approval would change."""
    if decision.reason_code in UNDECIDED:
        code = decision.reason_code
        return Forbidden(UNDECIDED[code], decision=decision, code=code.value, hint="Try again later.")
    helps = [remedy.as_dict() for remedy in decision.remedies]
    return Forbidden(
        f"You may not {operation} {resource}, and an approval would not change that.",
        decision=decision,
        code="access_denied",
        hint="Ask for access first." if helps else "",
        ask_for=helps,
    )


def not_needed() -> Conflict:
    """The answer where nobody has to be asked."""
    return Conflict("You may do this without an approval.", code="not_needed", hint="Do it; nobody needs to be asked.")

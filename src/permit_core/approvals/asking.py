"""Making a request: only for what the policy lets this user ask for, and only when it would help."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from permit_core.access import Check, Decision, Effect, ReasonCode, ResourceRef
from permit_core.approvals.claims import denied, holds, not_needed, open_at
from permit_core.approvals.lifecycle import LIVE, lapsed
from permit_core.approvals.pauses import check_pause
from permit_core.approvals.register import Register
from permit_core.approvals.wording import NAME_CHARACTERS, checked_instance, checked_reason
from permit_core.clock import Clock
from permit_core.database import Database, Transaction
from permit_core.entries import ResourceInstance, User
from permit_core.errors import Conflict, Forbidden, InvalidInput, NotFound
from permit_core.identity import Actor
from permit_core.policy.facts import Facts
from permit_core.policy.relations import find_holding
from permit_core.policy.schema import AccessRequestRule, OperationRule
from permit_core.ports.directory import Directory
from permit_core.ports.pdp import Pdp
from permit_core.ports.policy_source import PolicySource
from permit_core.ports.request import Request, RequestKind, RequestStatus
from permit_core.stores.requests import RequestStore, Subject
from permit_core.views import plain

logger = logging.getLogger(__name__)

MOST_PENDING = 20
"""How many undecided requests one user may have: nobody floods the reviewers."""


FactsAbout = Callable[[Actor, Iterable[ResourceRef], Transaction], Awaitable[Facts]]
"""Gives facts that hold at least what the roles of a user on some instances depend on, as the transaction sees them."""


class Asking:
    """Makes access requests and operation approvals."""

    def __init__(
        self,
        *,
        policies: PolicySource,
        database: Database,
        directory: Directory,
        pdp: Pdp,
        store: RequestStore,
        register: Register,
        clock: Clock,
        new_id: Callable[[], str],
        facts_about: FactsAbout,
    ) -> None:
        self._policies = policies
        self._database = database
        self._directory = directory
        self._pdp = pdp
        self._store = store
        self._facts_about = facts_about
        self._register = register
        self._clock = clock
        self._new_id = new_id

    async def access(self, asker: Actor, resource: ResourceRef, role: str, reason: str) -> Request:
        """As :meth:`permit_core.ports.approvals.Approvals.ask_access`."""
        checked_instance(resource)
        reason = checked_reason(reason)
        rule = self._access_rule(asker.environment, resource, role)
        async with self._database.transaction(asker.environment) as transaction:
            user = await self._directory.user(asker.environment, asker.user, transaction)
            roles = await self._directory.tenant_roles(asker.environment, asker.tenant, asker.user, transaction)
            if user is None or not roles & rule.asked_by:
                raise Forbidden(
                    "You may not ask for this role.", code="may_not_ask", hint="The policy says who may ask for it."
                )
            instance = await self._instance(asker, resource, transaction)
            if await self._held_role(asker, resource, [role], transaction):
                raise Conflict(
                    "You have this role already.", code="already_granted", hint="Just try what you wanted to do."
                )
            subject = Subject(RequestKind.ACCESS_REQUEST, resource, role, None)
            for earlier in await self._standing(asker, subject, transaction):
                if earlier.status is RequestStatus.PENDING:
                    raise _asked_already(earlier)
            return await self._enter(
                transaction, asker, user, subject, instance, rule=rule, reason=reason, lasts=rule.granted_for
            )

    async def operation(self, asker: Actor, resource: ResourceRef, operation: str, reason: str) -> Request:
        """As :meth:`permit_core.ports.approvals.Approvals.ask_operation`."""
        checked_instance(resource)
        reason = checked_reason(reason)
        rule = self._operation_rule(asker.environment, resource, operation)
        async with self._database.transaction(asker.environment) as transaction:
            instance = await self._instance(asker, resource, transaction)
            user = await self._directory.user(asker.environment, asker.user, transaction)
            decision = await self._decision(Check(asker, operation, resource), transaction)
            if user is None or decision.effect is Effect.DENY:
                raise denied(decision, operation, resource)
            if decision.effect is not Effect.REQUIRE_APPROVAL:
                raise not_needed()
            subject = Subject(RequestKind.OPERATION_APPROVAL, resource, None, operation)
            for earlier in await self._standing(asker, subject, transaction):
                if earlier.status is RequestStatus.PENDING or holds(rule, earlier, instance):
                    raise _asked_already(earlier)
            return await self._enter(
                transaction,
                asker,
                user,
                subject,
                instance,
                rule=rule,
                reason=reason,
                pinned=_pinned(rule, instance),
                asked_as=await self._held_role(asker, resource, sorted(rule.asked_by), transaction),
                lasts=rule.approval_expires,
            )

    async def _decision(self, check: Check, transaction: Transaction) -> Decision:
        try:
            return await self._pdp.decide(check, transaction)
        except Exception:  # whatever keeps the decision point from answering, the answer is no
            logger.exception("right to ask not decided: %s on %s", check.action, check.resource)
            return Decision(Effect.DENY, ReasonCode.PDP_ERROR)

    def _access_rule(self, environment: str, resource: ResourceRef, role: str) -> AccessRequestRule:
        rules = {rule.role: rule for rule in self._policies.current(environment).model.requestable_roles(resource.type)}
        if role not in rules:
            known = ", ".join(sorted(rules))
            raise InvalidInput(
                "That role cannot be asked for.",
                code="role_not_requestable",
                hint=f"What can be asked for here: {known}." if known else "No role can be asked for here.",
            )
        return rules[role]

    def _operation_rule(self, environment: str, resource: ResourceRef, operation: str) -> OperationRule:
        model = self._policies.current(environment).model
        rule = model.operation_rule(operation, resource.type)
        if rule is None:
            known = ", ".join(sorted(model.operations))
            raise InvalidInput(
                "No approval can be asked for that operation here.",
                code="unknown_operation",
                hint=f"Operations that can be approved, each where it belongs: {known}." if known else "",
            )
        return rule

    async def _instance(self, asker: Actor, resource: ResourceRef, transaction: Transaction) -> ResourceInstance:
        instance = await self._directory.instance(asker.environment, asker.tenant, resource, transaction)
        if instance is None:
            raise NotFound(
                "There is no such resource instance.", code="no_such_instance", hint="Use a key from a list."
            )
        return instance

    async def _held_role(
        self, asker: Actor, resource: ResourceRef, roles: Sequence[str], transaction: Transaction
    ) -> str | None:
        """Which of the roles the asker has there, given or derived; None for none of them."""
        facts = await self._facts_about(asker, [resource], transaction)
        held = facts.held_by(asker.user, asker.tenant)
        holding = find_holding(self._policies.current(asker.environment).model.index, facts, held, resource, roles)
        return None if holding is None else holding.role

    async def _standing(self, asker: Actor, subject: Subject, transaction: Transaction) -> list[Request]:
        """Earlier requests about the same that still stand; what has lapsed meanwhile is moved on first."""
        now = self._clock()
        standing = []
        for earlier in await self._store.about(asker.environment, transaction, asker.tenant, asker.user, subject, LIVE):
            if lapsed(earlier, now):
                await self._register.expire(transaction, earlier)
            elif earlier.status is RequestStatus.PENDING or open_at(earlier, now):
                standing.append(earlier)
        return standing

    async def _enter(
        self,
        transaction: Transaction,
        asker: Actor,
        user: User,
        subject: Subject,
        instance: ResourceInstance,
        *,
        rule: AccessRequestRule | OperationRule,
        reason: str,
        pinned: Mapping[str, Any] | None = None,
        asked_as: str | None = None,
        lasts: timedelta | None = None,
    ) -> Request:
        now = self._clock()
        request = Request(
            id=self._new_id(),
            kind=subject.kind,
            environment=asker.environment,
            tenant=instance.tenant,
            user=user.key,
            user_name=plain(user.name)[:NAME_CHARACTERS],
            resource=subject.resource,
            resource_name=plain(instance.name)[:NAME_CHARACTERS],
            reason=reason,
            status=RequestStatus.PENDING,
            created_at=now,
            role=subject.role,
            operation=subject.operation,
            pinned=pinned or {},
            expires_at=now + rule.pending_expires,
            lasts=lasts,
            agent=asker.agent,
            session=asker.session,
            asked_as=asked_as,
            review_action=rule.review_action,
        )
        await check_room(self._store, transaction, request)
        await check_pause(self._store, transaction, request, rule.ask_again_after)
        await self._register.enter(transaction, request, asker)
        return request


async def check_room(store: RequestStore, transaction: Transaction, request: Request) -> None:
    """See whether one more undecided request of this user fits.

    Raises:
        Conflict: ``too_many_pending``.
    """
    waiting = await store.pending_count(
        request.environment, transaction, request.tenant, request.user, request.created_at
    )
    if waiting >= MOST_PENDING:
        raise Conflict(
            f"You have {MOST_PENDING} undecided requests already.",
            code="too_many_pending",
            hint="Wait until some are decided.",
        )


def _pinned(rule: OperationRule, instance: ResourceInstance) -> dict[str, Any]:
    """What the policy pins, as it is now.

    Raises:
        Conflict: ``cannot_be_pinned``: the instance lacks an attribute; nobody could say what was approved.
    """
    if missing := sorted(set(rule.pinned) - set(instance.attributes)):
        raise Conflict(
            f"This cannot be approved: {', '.join(missing)} is not known.",
            code="cannot_be_pinned",
            hint="Whoever keeps the data has to complete it.",
        )
    return {name: instance.attributes[name] for name in rule.pinned}


def _asked_already(earlier: Request) -> Conflict:
    """``already_pending`` or ``already_approved``, with the request to look at."""
    if earlier.status is RequestStatus.PENDING:
        said, hint = "You have asked for this already; it is not decided yet.", "Wait for the decision."
    else:
        said, hint = "You have an approval for this that is not used yet.", "Just do it: the approval will be used."
    return Conflict(said, code=f"already_{earlier.status.value}", hint=hint, request_id=earlier.id)

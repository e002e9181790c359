"""Making a request: only for what the policy lets this user ask for, and only when it would help."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import timedelta
from typing import Any

from permit_core.access import UNDECIDED, Check, Decision, Effect, ReasonCode, ResourceRef
from permit_core.approvals.claims import holds, open_at
from permit_core.approvals.lifecycle import LIVE, lapsed
from permit_core.approvals.register import Register
from permit_core.approvals.wording import NAME_CHARACTERS, checked_instance, checked_reason
from permit_core.clock import Clock
from permit_core.database import Database, Transaction
from permit_core.entries import ResourceInstance, RoleAssignment, User
from permit_core.errors import Conflict, Forbidden, InvalidInput, NotFound
from permit_core.identity import Actor
from permit_core.policy.facts import Facts
from permit_core.policy.model import PolicyModel
from permit_core.policy.relations import find_holding
from permit_core.policy.schema import AccessRequestRule, OperationRule
from permit_core.ports.directory import Directory
from permit_core.ports.pdp import Pdp
from permit_core.ports.request import Request, RequestKind, RequestStatus
from permit_core.stores.facts import FactStore
from permit_core.stores.requests import RequestStore, Subject
from permit_core.views import plain

logger = logging.getLogger(__name__)

MOST_PENDING = 20
"""How many undecided requests one user may have: nobody floods the reviewers."""


FactsAbout = Callable[[str, Iterable[ResourceRef]], Awaitable[Facts]]
"""Reads what the roles of a user on some instances depend on, where the facts are not in our database."""


class Asking:
    """Makes access requests and operation approvals."""

    def __init__(
        self,
        *,
        model: PolicyModel,
        database: Database,
        directory: Directory,
        pdp: Pdp,
        store: RequestStore,
        register: Register,
        clock: Clock,
        new_id: Callable[[], str],
        facts_about: FactsAbout | None = None,
    ) -> None:
        self._model = model
        self._database = database
        self._directory = directory
        self._pdp = pdp
        self._store = store
        self._facts = FactStore()
        self._facts_about = facts_about
        self._register = register
        self._clock = clock
        self._new_id = new_id

    async def access(self, asker: Actor, resource: ResourceRef, role: str, reason: str) -> Request:
        """As :meth:`permit_core.ports.approvals.Approvals.ask_access`."""
        checked_instance(resource)
        reason = checked_reason(reason)
        rule = self._access_rule(resource, role)
        async with self._database.transaction() as transaction:
            user = await self._directory.user(asker.user, transaction)
            roles = await self._directory.tenant_roles(asker.user, asker.tenant, transaction)
            if user is None or not roles & rule.asked_by:
                raise Forbidden(
                    "You may not ask for this role.", code="may_not_ask", hint="The policy says who may ask for it."
                )
            instance = await self._instance(asker, resource, transaction)
            if await self._holds(asker, resource, role, transaction):
                raise Conflict(
                    "You have this role already.", code="already_granted", hint="Just try what you wanted to do."
                )
            subject = Subject(RequestKind.ACCESS_REQUEST, resource, role, None)
            for earlier in await self._standing(asker, subject, transaction):
                if earlier.status is RequestStatus.PENDING:
                    raise _asked_already(earlier)
            return await self._enter(
                transaction, asker, user, subject, instance, reason=reason, stands_for=rule.pending_expires
            )

    async def operation(self, asker: Actor, resource: ResourceRef, operation: str, reason: str) -> Request:
        """As :meth:`permit_core.ports.approvals.Approvals.ask_operation`."""
        checked_instance(resource)
        reason = checked_reason(reason)
        rule = self._operation_rule(resource, operation)
        async with self._database.transaction() as transaction:
            instance = await self._instance(asker, resource, transaction)
            user = await self._directory.user(asker.user, transaction)
            decision = await self._decision(Check(asker, operation, resource), transaction)
            if user is None or decision.effect is Effect.DENY:
                raise _denied(decision, operation, resource)
            if decision.effect is not Effect.REQUIRE_APPROVAL:
                raise Conflict(
                    "You may do this without an approval.", code="not_needed", hint="Do it; nobody needs to be asked."
                )
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
                reason=reason,
                stands_for=rule.pending_expires,
                arguments=_pinned(rule, instance),
            )

    async def _decision(self, check: Check, transaction: Transaction) -> Decision:
        try:
            return await self._pdp.decide(check, transaction)
        except Exception:  # whatever keeps the decision point from answering, the answer is no
            logger.exception("right to ask not decided: %s on %s", check.action, check.resource)
            return Decision(Effect.DENY, ReasonCode.PDP_ERROR)

    def _access_rule(self, resource: ResourceRef, role: str) -> AccessRequestRule:
        rules = {rule.role: rule for rule in self._model.requestable_roles(resource.type)}
        if role not in rules:
            known = ", ".join(sorted(rules))
            raise InvalidInput(
                "That role cannot be asked for.",
                code="role_not_requestable",
                hint=f"What can be asked for here: {known}." if known else "No role can be asked for here.",
            )
        return rules[role]

    def _operation_rule(self, resource: ResourceRef, operation: str) -> OperationRule:
        rule = self._model.operation_rule(operation, resource.type)
        if rule is None:
            known = ", ".join(sorted(self._model.operations))
            raise InvalidInput(
                "No approval can be asked for that operation here.",
                code="unknown_operation",
                hint=f"Operations that can be approved, each where it belongs: {known}." if known else "",
            )
        return rule

    async def _instance(self, asker: Actor, resource: ResourceRef, transaction: Transaction) -> ResourceInstance:
        instance = await self._directory.instance(resource, asker.tenant, transaction)
        if instance is None:
            raise NotFound(
                "There is no such resource instance.", code="no_such_instance", hint="Use a key from a list."
            )
        return instance

    async def _holds(self, asker: Actor, resource: ResourceRef, role: str, transaction: Transaction) -> bool:
        """Whether the asker has the role there, given or derived."""
        if self._facts_about is not None:
            elsewhere = await self._facts_about(asker.user, [resource])
            held_there = elsewhere.held_by(asker.user, asker.tenant)
            return find_holding(self._model.index, elsewhere, held_there, resource, [role]) is not None
        given = RoleAssignment(asker.user, role, asker.tenant, resource)
        if await self._facts.has_assignment(transaction, given):
            return True
        if (resource.type, role) not in self._model.index.derivations:
            return False
        facts = await self._facts.snapshot(transaction)
        held = facts.held_by(asker.user, asker.tenant)
        return find_holding(self._model.index, facts, held, resource, [role]) is not None

    async def _standing(self, asker: Actor, subject: Subject, transaction: Transaction) -> list[Request]:
        """Earlier requests about the same that still stand; what has lapsed meanwhile is moved on first."""
        now = self._clock()
        standing = []
        for earlier in await self._store.about(transaction, asker.tenant, asker.user, subject, LIVE):
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
        reason: str,
        stands_for: timedelta,
        arguments: Mapping[str, Any] | None = None,
    ) -> Request:
        now = self._clock()
        if await self._store.pending_count(transaction, instance.tenant, user.key, now) >= MOST_PENDING:
            raise Conflict(
                f"You have {MOST_PENDING} undecided requests already.",
                code="too_many_pending",
                hint="Wait until some are decided.",
            )
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
            arguments=arguments or {},
            expires_at=now + stands_for,
        )
        await self._register.enter(transaction, request, asker)
        return request


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


def _denied(decision: Decision, operation: str, resource: ResourceRef) -> Forbidden:
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


def _asked_already(earlier: Request) -> Conflict:
    """``already_pending`` or ``already_approved``, with the request to look at."""
    if earlier.status is RequestStatus.PENDING:
        said, hint = "You have asked for this already; it is not decided yet.", "Wait for the decision."
    else:
        said, hint = "You have an approval for this that is not used yet.", "Just do it: the approval will be used."
    return Conflict(said, code=f"already_{earlier.status.value}", hint=hint, request_id=earlier.id)

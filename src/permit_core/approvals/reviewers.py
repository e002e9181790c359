"""Who may review what: always a question to the decision point, never a list."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from permit_core.access import UNDECIDED, Check, Decision, ReasonCode, ResourceRef
from permit_core.database import Transaction
from permit_core.errors import PermitError
from permit_core.identity import Actor
from permit_core.policy.model import AccessRequestRule, OperationRule
from permit_core.ports.pdp import Pdp
from permit_core.ports.policy_source import PolicySource
from permit_core.ports.request import Request, RequestKind
from permit_core.stores.requests import Reviewed, Subject

logger = logging.getLogger(__name__)


_UNANSWERED = frozenset({*UNDECIDED, ReasonCode.PDP_ERROR})


class Undecided(PermitError):
    """The decision point did not say who may review."""


class Reviewers:
    """Asks the decision point for the right to review. Whatever it cannot answer means no."""

    def __init__(self, policies: PolicySource, pdp: Pdp) -> None:
        self._policies = policies
        self._pdp = pdp

    def rule(self, environment: str, subject: Subject) -> AccessRequestRule | OperationRule | None:
        """The rule by which this can be asked for; None when the policy has none, or none any more, and for a call."""
        model = self._policies.current(environment).model
        if subject.kind is RequestKind.OPERATION_APPROVAL:
            return model.operation_rule(subject.operation or "", subject.resource.type)
        rules = model.requestable_roles(subject.resource.type)
        return next((rule for rule in rules if rule.role == subject.role), None)

    def review_action(self, environment: str, reviewed: Reviewed) -> str | None:
        """The action whose holders on the resource decide; None when nobody but the asker can.

        A request whose rule is gone is still decided on, namely denied, by those who were to decide it when it was
        asked, or, where that is not on record, by those who decide what can be asked for on the type now.
        """
        subject = reviewed.subject
        rule = None if subject.kind is RequestKind.CALL else self.rule(environment, subject)
        if rule is not None:
            return rule.review_action
        if reviewed.review_action or subject.kind is RequestKind.CALL:
            return reviewed.review_action or None
        model = self._policies.current(environment).model
        for access_rule in model.requestable_roles(subject.resource.type):
            return access_rule.review_action
        operations = model.operation_approvals
        return next((other.review_action for other in operations if other.resource == subject.resource.type), None)

    async def reviewable(
        self, actor: Actor, reviewed: Iterable[Reviewed], transaction: Transaction | None = None
    ) -> frozenset[Reviewed]:
        """Those that the actor may review; one call to the decision point for all of them."""
        pairs = [(actor, each) for each in reviewed]
        return frozenset(each for _, each in await self._allowed(pairs, transaction))

    async def may_review(self, actor: Actor, request: Request, transaction: Transaction | None = None) -> bool:
        """Whether the actor may review the request, made by whomever."""
        return bool(await self.reviewable(actor, [Reviewed.of(request)], transaction))

    async def may_review_type(
        self, actor: Actor, resource_type: str, review_action: str, transaction: Transaction | None = None
    ) -> bool:
        """Whether the actor may do the review action on the type as a whole."""
        subject = Subject(RequestKind.CALL, ResourceRef(resource_type), None, None)
        return bool(await self.reviewable(actor, [Reviewed(subject, review_action)], transaction))

    async def of(
        self, request: Request, candidates: Iterable[str], transaction: Transaction | None = None
    ) -> list[str]:
        """Those of the candidates who may review the request, in their order; one call for all of them.

        Raises:
            Undecided: the decision point did not answer, so nobody can be left out.
        """
        reviewed = Reviewed.of(request)
        pairs = [(Actor(request.environment, request.tenant, user), reviewed) for user in candidates]
        try:
            decided = await self._decided(pairs, transaction)
        except Exception as error:
            raise Undecided("the right to review could not be decided") from error
        if any(decision.reason_code in _UNANSWERED for _, decision in decided):
            raise Undecided("the decision point does not answer")
        return [actor.user for (actor, _), decision in decided if decision.allowed]

    async def _allowed(
        self, pairs: list[tuple[Actor, Reviewed]], transaction: Transaction | None
    ) -> list[tuple[Actor, Reviewed]]:
        try:
            return [pair for pair, decision in await self._decided(pairs, transaction) if decision.allowed]
        except Exception:  # whatever keeps the decision point from answering, the answer is no
            logger.exception("right to review not decided: %d questions", len(pairs))
            return []

    async def _decided(
        self, pairs: list[tuple[Actor, Reviewed]], transaction: Transaction | None
    ) -> list[tuple[tuple[Actor, Reviewed], Decision]]:
        """The decision on each that anybody can decide."""
        asked = [
            (pair, action) for pair in pairs if (action := self.review_action(pair[0].environment, pair[1])) is not None
        ]
        if not asked:
            return []
        checks = [Check(actor, action, reviewed.subject.resource) for (actor, reviewed), action in asked]
        decisions = await self._pdp.decide_many(checks, transaction)
        return [(pair, decision) for (pair, _), decision in zip(asked, decisions, strict=True)]

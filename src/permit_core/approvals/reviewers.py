"""Who may review what: always a question to the decision point, never a list."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from permit_core.access import Check
from permit_core.database import Transaction
from permit_core.identity import Actor
from permit_core.policy.model import PolicyModel
from permit_core.ports.pdp import Pdp
from permit_core.ports.request import Request, RequestKind
from permit_core.stores.requests import Subject

logger = logging.getLogger(__name__)


class Reviewers:
    """Asks the decision point for the right to review. Whatever it cannot answer means no."""

    def __init__(self, model: PolicyModel, pdp: Pdp) -> None:
        self._model = model
        self._pdp = pdp

    def review_action(self, subject: Subject) -> str | None:
        """The action whose holders on the instance decide; None when the policy no longer lets this be asked for."""
        if subject.kind is RequestKind.OPERATION_APPROVAL:
            rule = self._model.operation_rule(subject.operation or "", subject.resource.type)
            return rule.review_action if rule else None
        for access_rule in self._model.requestable_roles(subject.resource.type):
            if access_rule.role == subject.role:
                return access_rule.review_action
        return None

    async def reviewable(
        self, actor: Actor, subjects: Iterable[Subject], transaction: Transaction | None = None
    ) -> frozenset[Subject]:
        """Those of the subjects that the actor may review; one call to the decision point for all of them."""
        pairs = [(actor, subject) for subject in subjects]
        return frozenset(subject for _, subject in await self._allowed(pairs, transaction))

    async def of(
        self, request: Request, candidates: Iterable[str], transaction: Transaction | None = None
    ) -> list[str]:
        """Those of the candidates who may review the request, in their order; one call for all of them."""
        subject = Subject.of(request)
        pairs = [(Actor(request.environment, request.tenant, user), subject) for user in candidates]
        return [actor.user for actor, _ in await self._allowed(pairs, transaction)]

    async def _allowed(
        self, pairs: list[tuple[Actor, Subject]], transaction: Transaction | None
    ) -> list[tuple[Actor, Subject]]:
        asked = [(pair, action) for pair in pairs if (action := self.review_action(pair[1])) is not None]
        if not asked:
            return []
        checks = [Check(actor, action, subject.resource) for (actor, subject), action in asked]
        try:
            decisions = await self._pdp.decide_many(checks, transaction)
            return [pair for (pair, _), decision in zip(asked, decisions, strict=True) if decision.allowed]
        except Exception:  # whatever keeps the decision point from answering, the answer is no
            logger.exception("right to review not decided: %d checks", len(checks))
            return []

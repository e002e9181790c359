"""The decision point that runs in this process, over the facts in our own database."""

from __future__ import annotations

import asyncio
import logging

from permit_core.access import Check, Decision, Effect, ReasonCode
from permit_core.database import Database, Transaction
from permit_core.policy.engine import decide
from permit_core.policy.facts import Facts
from permit_core.ports.policy_source import PolicySource
from permit_core.stores.current_facts import CurrentFacts
from permit_core.stores.facts import FactStore

TIMEOUT_SECONDS = 5.0

logger = logging.getLogger(__name__)


class EmbeddedPdp:
    """Decides with the pure engine over a snapshot of the facts that is checked before every decision.

    Args:
        policies: the policy of each environment.
        facts: where the facts are kept.
        database: read when no transaction is handed in.
        timeout_seconds: longest wait for the facts; after it the answer is deny.
        current: the snapshot, where it is shared with others; one of its own if None.
    """

    def __init__(
        self,
        policies: PolicySource,
        facts: FactStore,
        database: Database,
        timeout_seconds: float = TIMEOUT_SECONDS,
        *,
        current: CurrentFacts | None = None,
    ) -> None:
        self._policies = policies
        self._current = current or CurrentFacts(facts, database)
        self._timeout_seconds = timeout_seconds

    async def decide(self, check: Check, transaction: Transaction | None = None) -> Decision:
        """Decide one check; see :class:`permit_core.ports.pdp.Pdp`."""
        return (await self.decide_many([check], transaction))[0]

    async def decide_many(self, checks: list[Check], transaction: Transaction | None = None) -> list[Decision]:
        """Decide several checks, those of each environment against one state of its facts, in their order."""
        facts: dict[str, Facts] = {}
        try:
            for environment in {check.actor.environment for check in checks}:
                facts[environment] = await self._facts(environment, transaction)
        except Exception:  # whatever keeps us from knowing the facts, the answer is no
            logger.exception("the facts could not be read: %d checks are denied", len(checks))
            return [_FAILED] * len(checks)
        return [self._decide(check, facts[check.actor.environment]) for check in checks]

    async def _facts(self, environment: str, transaction: Transaction | None) -> Facts:
        facts = self._current.peek(environment) if transaction is None else None
        if facts is None:
            async with asyncio.timeout(self._timeout_seconds):
                facts = await self._current.facts(environment, transaction)
        return facts

    def _decide(self, check: Check, facts: Facts) -> Decision:
        try:
            return decide(self._policies.current(check.actor.environment).model, facts, check)
        except Exception:  # a question the engine cannot answer is answered with no
            logger.exception("a check could not be decided and is denied")
            return _FAILED


_FAILED = Decision(Effect.DENY, ReasonCode.PDP_ERROR)

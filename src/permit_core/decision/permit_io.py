"""The decision point of Permit.io, and what the policy file adds to its yes or no."""

from __future__ import annotations

import asyncio
import logging
from itertools import groupby

from permit_core.access import Check, Decision, Effect, ReasonCode
from permit_core.database import Transaction
from permit_core.permit_io.checks import allowed
from permit_core.permit_io.client import WHOLE_SECONDS, PermitClient
from permit_core.permit_io.faults import PermitFault
from permit_core.permit_io.reader import PermitReader
from permit_core.policy.engine import decide
from permit_core.policy.facts import Facts
from permit_core.policy.model import PolicyModel

logger = logging.getLogger(__name__)

_CODES = {
    "permit_unreachable": ReasonCode.PDP_UNREACHABLE,
    "permit_refused": ReasonCode.PDP_REFUSED,
    "permit_busy": ReasonCode.PDP_BUSY,
}


class PermitPdp:
    """Permit.io decides; the policy file says what can be done about a no.

    A yes of Permit.io is a yes. For a no, the facts it may depend on are read from Permit.io and put to our own engine:
    where that finds that the asker's roles let them ask a human, the answer is ``require_approval``, else it is deny,
    with the reason and with what can be asked for. A no never becomes a yes, whatever the engine finds.

    Args:
        model: what Permit.io has no word for: who may ask for what.
        client: the connection.
        reader: reads facts.
    """

    def __init__(self, model: PolicyModel, client: PermitClient, reader: PermitReader) -> None:
        self._model = model
        self._client = client
        self._reader = reader
        self._review_actions = frozenset(rule.review_action for rule in model.access_requests) | frozenset(
            rule.review_action for rule in model.operation_approvals
        )

    async def decide(self, check: Check, transaction: Transaction | None = None) -> Decision:
        """Decide one check; see :class:`permit_core.ports.pdp.Pdp`."""
        return (await self.decide_many([check], transaction))[0]

    async def decide_many(self, checks: list[Check], transaction: Transaction | None = None) -> list[Decision]:
        """Decide several checks, in their order; the transaction is not used, the facts are Permit.io's."""
        try:
            async with asyncio.timeout(WHOLE_SECONDS):
                return await self._decide(checks)
        except PermitFault as fault:
            logger.warning("%d checks are denied: %s", len(checks), fault)
            return [undecided(fault)] * len(checks)
        except TimeoutError:
            logger.warning("%d checks are denied: Permit.io was too slow", len(checks))
            return [Decision(Effect.DENY, ReasonCode.PDP_UNREACHABLE)] * len(checks)
        except Exception:  # whatever keeps us from knowing, the answer is no
            logger.exception("%d checks could not be decided and are denied", len(checks))
            return [Decision(Effect.DENY, ReasonCode.PDP_ERROR)] * len(checks)

    async def _decide(self, checks: list[Check]) -> list[Decision]:
        answers: dict[int, Decision] = {}
        asked: list[int] = []
        for place, check in enumerate(checks):
            if check.actor.tenant != self._client.tenant or not self._model.has_action(
                check.resource.type, check.action
            ):
                # Without facts the engine says which of the names is not there.
                nobody = Facts.of([], [self._client.tenant], [], [], [])
                answers[place] = decide(self._model, nobody, check)
            else:
                asked.append(place)
        yes = await allowed(self._client, [checks[place] for place in asked])
        refused = []
        for place, is_allowed in zip(asked, yes, strict=True):
            if is_allowed:
                answers[place] = Decision(Effect.ALLOW, ReasonCode.PERMIT_IO)
            else:
                refused.append(place)
        answers |= await self._explained(refused, checks)
        return [answers[place] for place in range(len(checks))]

    async def _explained(self, places: list[int], checks: list[Check]) -> dict[int, Decision]:
        """Why not, and what would help."""
        found: dict[int, Decision] = {}
        # Nobody asks for the right to review, and whoever may review is looked for among many people at once.
        worth = [place for place in places if checks[place].action not in self._review_actions]
        for place in set(places) - set(worth):
            found[place] = Decision(Effect.DENY, ReasonCode.NO_PERMISSION)
        by_user = sorted(worth, key=lambda place: checks[place].actor.user)
        for user, group in groupby(by_user, lambda place: checks[place].actor.user):
            mine = list(group)
            facts = await self._reader.facts_about(user, {checks[place].resource for place in mine})
            for place in mine:
                found[place] = self._no(decide(self._model, facts, checks[place]))
        return found

    def _no(self, ours: Decision) -> Decision:
        if ours.effect is Effect.ALLOW:
            why = "Permit.io denies what the policy file would allow: they differ"
            logger.warning("%s (%s)", why, ours.rule)
            return Decision(Effect.DENY, ReasonCode.NO_PERMISSION, chain=(why,))
        return ours


def undecided(fault: PermitFault) -> Decision:
    """The denial that says that nobody could be asked."""
    return Decision(Effect.DENY, _CODES.get(fault.code, ReasonCode.PDP_NONSENSE), chain=(fault.message,))

"""Every decision for a call is remembered: one on the way to an effect with the effect, all others with the call.

Whoever answers for a call opens a :func:`decision_log` around it and writes what was noted there to the audit log. The
decision point itself cannot: it is asked within transactions that read only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from permit_core.access import Check, Decision

if TYPE_CHECKING:  # a server answers its first request before the database's library is imported
    from permit_core.database import Transaction
    from permit_core.ports.pdp import Pdp
    from permit_core.ports.policy_source import PolicySource

MOST_DECISIONS = 300
"""What one record holds; a call that asks more often says how many are left out."""


class DecisionLog:
    """The decisions made for one call, in the order they were made.

    Args:
        policy: hash of the policy that the call's record names; a decision by another one says so itself.
    """

    def __init__(self, policy: str = "") -> None:
        self._policy = policy
        self._entries: list[dict[str, Any]] = []
        self._left_out = 0

    def note(self, check: Check, decision: Decision, policy: str) -> None:
        """Keep one decision, made by the policy of this hash."""
        if len(self._entries) >= MOST_DECISIONS:
            self._left_out += 1
        else:
            by = {"policy": policy} if self._policy not in {"", policy} else {}
            self._entries.append({"user": check.actor.user, **decision_body(check, decision), **by})

    def as_dict(self) -> dict[str, Any]:
        """``{"decisions": [...], "decisions_left_out"?: int}``, or nothing when nothing was decided."""
        left_out = {"decisions_left_out": self._left_out} if self._left_out else {}
        return {"decisions": self._entries, **left_out} if self._entries else {}


_current: ContextVar[DecisionLog | None] = ContextVar("decisions", default=None)


@contextmanager
def decision_log(policy: str = "") -> Iterator[DecisionLog]:
    """Collect the decisions that are made within, also in tasks started within; see :class:`DecisionLog`."""
    kept = DecisionLog(policy)
    token = _current.set(kept)
    try:
        yield kept
    finally:
        _current.reset(token)


def decision_body(check: Check, decision: Decision) -> dict[str, Any]:
    """A decision as the audit log keeps it."""
    return {
        "action": check.action,
        "resource": str(check.resource),
        "effect": decision.effect.value,
        "reason_code": decision.reason_code.value,
        "rule": decision.rule,
    }


class LoggingPdp:
    """A decision point whose answers are noted in the decision log of whoever asks.

    Args:
        pdp: decides.
        policies: the policy of each environment, by which it does.
        noted: is given all checks that were decided, and does not wait.
    """

    def __init__(self, pdp: Pdp, policies: PolicySource, noted: Callable[[list[Check]], None] = lambda _: None) -> None:
        self._pdp = pdp
        self._policies = policies
        self._noted = noted

    async def decide(self, check: Check, transaction: Transaction | None = None) -> Decision:
        """Decide one check; see :class:`permit_core.ports.pdp.Pdp`."""
        return (await self.decide_many([check], transaction))[0]

    async def decide_many(self, checks: list[Check], transaction: Transaction | None = None) -> list[Decision]:
        """Decide several checks against one state of the facts, in their order."""
        decisions = await self._pdp.decide_many(checks, transaction)
        self._noted(checks)
        kept = _current.get()
        if kept is not None:
            for check, decision in zip(checks, decisions, strict=True):
                kept.note(check, decision, self._policies.current(check.actor.environment).hash)
        return decisions

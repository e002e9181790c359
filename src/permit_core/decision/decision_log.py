"""Every decision for a call is remembered: one on the way to an effect with the effect, all others with the call.

Whoever answers for a call opens a :func:`decision_log` around it and writes what was noted there to the audit log. The
decision point itself cannot: it is asked within transactions that read only.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from permit_core.access import Check, Decision

if TYPE_CHECKING:  # a server answers its first request before the database's library is imported
    from permit_core.database import Transaction
    from permit_core.ports.pdp import Pdp

MOST_DECISIONS = 300
"""What one record holds; a call that asks more often says how many are left out."""


class DecisionLog:
    """The decisions made for one call, in the order they were made."""

    def __init__(self) -> None:
        self._entries: list[dict[str, Any]] = []
        self._left_out = 0

    def note(self, check: Check, decision: Decision) -> None:
        """Keep one decision."""
        if len(self._entries) >= MOST_DECISIONS:
            self._left_out += 1
        else:
            self._entries.append({"user": check.actor.user, **decision_body(check, decision)})

    def as_dict(self) -> dict[str, Any]:
        """``{"decisions": [...], "decisions_left_out"?: int}``, or nothing when nothing was decided."""
        left_out = {"decisions_left_out": self._left_out} if self._left_out else {}
        return {"decisions": self._entries, **left_out} if self._entries else {}


_current: ContextVar[DecisionLog | None] = ContextVar("decisions", default=None)


@contextmanager
def decision_log() -> Iterator[DecisionLog]:
    """Collect the decisions that are made within, also in tasks started within."""
    kept = DecisionLog()
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
    """A decision point whose answers are noted in the decision log of whoever asks."""

    def __init__(self, pdp: Pdp) -> None:
        self._pdp = pdp

    async def decide(self, check: Check, transaction: Transaction | None = None) -> Decision:
        """Decide one check; see :class:`permit_core.ports.pdp.Pdp`."""
        return (await self.decide_many([check], transaction))[0]

    async def decide_many(self, checks: list[Check], transaction: Transaction | None = None) -> list[Decision]:
        """Decide several checks against one state of the facts, in their order."""
        decisions = await self._pdp.decide_many(checks, transaction)
        kept = _current.get()
        if kept is not None:
            for check, decision in zip(checks, decisions, strict=True):
                kept.note(check, decision)
        return decisions

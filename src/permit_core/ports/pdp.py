"""The port every policy decision point stands behind."""

from __future__ import annotations

from typing import Protocol

from permit_core.access import Check, Decision
from permit_core.database import Transaction


class Pdp(Protocol):
    """Answers checks. Never raises for a question it cannot answer: it denies, with ``pdp_error``."""

    async def decide(self, check: Check, transaction: Transaction | None = None) -> Decision:
        """Decide one check.

        Args:
            check: the question.
            transaction: the open transaction in which the answer will be acted on; a decision point that keeps its
                facts in our database reads them through it, so that effect and decision see the same facts.
        """
        ...

    async def decide_many(self, checks: list[Check], transaction: Transaction | None = None) -> list[Decision]:
        """Decide several checks against one state of the facts; answers in the order of the questions."""
        ...


class RemotePdp(Pdp, Protocol):
    """A decision point on a server."""

    async def check_ready(self) -> None:
        """Make sure at start that it can be used.

        Raises:
            ConfigurationError: it cannot; names the setting to look at.
        """
        ...

    async def close(self) -> None:
        """Close the connections to it."""
        ...

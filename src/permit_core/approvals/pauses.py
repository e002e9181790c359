"""Asking again after a no: only after a pause, which the policy sets and each further no doubles."""

from __future__ import annotations

import math
from datetime import timedelta

from permit_core.database import Transaction
from permit_core.errors import TooMany
from permit_core.policy.judgement import LONGEST_PAUSE, pause
from permit_core.ports.request import Request
from permit_core.stores.requests import RequestStore, Subject


async def check_pause(store: RequestStore, transaction: Transaction, wanted: Request, first: timedelta | None) -> None:
    """See whether the pause after the last denials of the same is over.

    Args:
        store: where the requests are.
        transaction: the one in which it is asked.
        wanted: the request that is about to be made.
        first: the pause after one denial; None for none.

    Raises:
        TooMany: ``asked_too_soon``, with the seconds that are left.
    """
    if first is None:
        return
    now = wanted.created_at
    tool = "" if wanted.called is None else wanted.called.tool
    denials = await store.denials(
        wanted.environment,
        transaction,
        wanted.tenant,
        wanted.user,
        Subject.of(wanted),
        tool=tool,
        since=now - LONGEST_PAUSE,
    )
    if not denials:
        return
    left = denials[0] + pause(first, len(denials)) - now
    if left > timedelta(0):
        again = (now + left).isoformat(timespec="seconds")
        raise TooMany(
            "This was denied a short time ago.",
            code="asked_too_soon",
            hint=f"It can be asked again from {again} on.",
            retry_after=math.ceil(left.total_seconds()),
        )

"""How often somebody may try to log in."""

from __future__ import annotations

import math
import time

from limits import RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import MovingWindowRateLimiter

from permit_core.errors import TooMany


class LoginLimit:
    """A moving minute for each user name from each address, and a wider one for each address.

    It lives in this process: behind several replicas each allows as much.

    Args:
        per_minute: attempts for one user name from one address; an address as a whole gets three times as many.
    """

    def __init__(self, per_minute: int) -> None:
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._per_name = RateLimitItemPerMinute(per_minute)
        self._per_address = RateLimitItemPerMinute(3 * per_minute)
        self._noted = RateLimitItemPerMinute(1)

    async def attempt(self, username: str, address: str) -> None:
        """Count one attempt, right or wrong.

        Raises:
            TooMany: ``too_many_logins``; ``retry_after`` says when the next one counts.
        """
        # A name is cut: nobody's memory should fill with what somebody typed.
        for item, key in ((self._per_address, ("address", address)),
                          (self._per_name, ("name", username[:100].casefold(), address))):  # fmt: skip
            if not await self._limiter.hit(item, *key):
                window = await self._limiter.get_window_stats(item, *key)
                seconds = max(1, math.ceil(window.reset_time - time.time()))
                raise TooMany(
                    "Too many log-in attempts.",
                    code="too_many_logins",
                    hint=f"Try again in {seconds} seconds.",
                    retry_after=seconds,
                )

    async def worth_noting(self, username: str, address: str) -> bool:
        """Whether a refusal should be remembered: one a minute for each name and address, lest a flood fill the log."""
        return await self._limiter.hit(self._noted, "noted", username[:100].casefold(), address)

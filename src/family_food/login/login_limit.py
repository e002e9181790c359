"""How often somebody may try to log in."""

from __future__ import annotations

import math
import time

from limits import RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import MovingWindowRateLimiter

from permit_core.errors import TooMany


class LoginLimit:
    """A moving minute for each user name from each address, and wider ones for each address and for each user name.

    It lives in this process: behind several replicas each allows as much.

    Args:
        per_minute: attempts for one user name from one address; an address as a whole gets three times as many, and
            a user name from wherever six times as many: addresses are cheap.
    """

    def __init__(self, per_minute: int) -> None:
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._per_name = RateLimitItemPerMinute(per_minute)
        self._per_address = RateLimitItemPerMinute(3 * per_minute)
        self._per_name_anywhere = RateLimitItemPerMinute(6 * per_minute)
        self._noted = RateLimitItemPerMinute(1)
        self._noted_per_address = RateLimitItemPerMinute(10)

    async def attempt(self, username: str, address: str) -> None:
        """Count one attempt, right or wrong.

        Raises:
            TooMany: ``too_many_logins``; ``retry_after`` says when the next one counts.
        """
        # A name is cut: nobody's memory should fill with what somebody typed.
        name = username[:100].casefold()
        for item, key in ((self._per_address, ("address", address)),
                          (self._per_name, ("name", name, address)),
                          (self._per_name_anywhere, ("anywhere", name))):  # fmt: skip
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
        """Whether a refusal should be remembered: one a minute for each name and address, and few for each address.

        A flood fills neither the log nor the memory, however many names it invents.
        """
        if not await self._limiter.test(self._noted_per_address, "noted", address):
            return False
        if not await self._limiter.hit(self._noted, "noted", username[:100].casefold(), address):
            return False
        return await self._limiter.hit(self._noted_per_address, "noted", address)

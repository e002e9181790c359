"""A session does not outlive its token: the person is warned in time, and can renew it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from family_food.chat.protocol import TokenExpiring, TokenRefreshed
from permit_core.accounts.tokens import TokenClaims, Tokens
from permit_core.errors import Forbidden

_WARN_SECONDS = 60.0
"""How long before the end the warning comes; for a short token a fifth of what is left of its life."""


class TokenWatch:
    """Watches over one session's token.

    Args:
        claims: of the token the session was opened with.
        send: sends a frame to the person.
        holds: whether a verified token is still good, asked of its account.
    """

    def __init__(
        self,
        tokens: Tokens,
        claims: TokenClaims,
        send: Callable[[TokenExpiring | TokenRefreshed], Awaitable[object]],
        holds: Callable[[TokenClaims], Awaitable[bool]],
    ) -> None:
        self._tokens = tokens
        self._send = send
        self._holds = holds
        self._renewed = asyncio.Event()
        self.claims = claims

    async def expired(self) -> None:
        """Return when the token is over; warn before."""
        while True:
            self._renewed.clear()
            claims = self.claims
            left = self._tokens.seconds_left(claims)
            if await self._renewed_within(left - min(_WARN_SECONDS, left / 5)):
                continue
            await self._send(TokenExpiring(content="Your log-in expires soon.", expires_at=claims.expires_at))
            if not await self._renewed_within(self._tokens.seconds_left(claims)):
                return

    async def renew(self, token: str) -> TokenClaims:
        """Take a fresh token in place of the old one.

        Raises:
            Forbidden: ``invalid_token``, or ``other_user``: it is good, but somebody else's.
            StoreError: the database, which has the account, cannot be used.
        """
        claims = self._tokens.verify(token)
        if not await self._holds(claims):
            raise _ended()
        if (claims.environment, claims.login) != (self.claims.environment, self.claims.login):
            raise Forbidden("That token is somebody else's.", code="other_user", hint="Open a session of your own.")
        self.replace(claims)
        await self._send(TokenRefreshed(content="You stay logged in.", expires_at=claims.expires_at))
        return claims

    def replace(self, claims: TokenClaims) -> None:
        """Go by these claims of the same user, of a token that is good now, unless they are over sooner."""
        if claims.epoch != self.claims.epoch or claims.expires_at >= self.claims.expires_at:
            self.claims = claims
            self._renewed.set()

    async def check(self) -> None:
        """Make sure that the account has not ended the token: closed, removed, or given another password.

        Raises:
            Forbidden: ``invalid_token``.
            StoreError: the database, which has the account, cannot be used.
        """
        if not await self._holds(self.claims):
            raise _ended()

    async def _renewed_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._renewed.wait()
        except TimeoutError:
            return False
        return True


def _ended() -> Forbidden:
    return Forbidden("That log-in has ended.", code="invalid_token", hint="Log in again.")

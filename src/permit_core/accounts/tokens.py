"""Access tokens: who logged in, for how long. JWT, HS256 and nothing else.

A verified token says who logged in; whether it is still good the account says: :meth:`Accounts.holding`.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from jose import JWTError, jwt

from permit_core.errors import Forbidden

ALGORITHM = "HS256"
LOGIN_LIFETIME = 24 * 3600
"""Seconds after which a refreshed token leads back to the password."""
MAX_LENGTH = 8192

_FORM = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\Z")

_STRICT: dict[str, Any] = {
    "leeway": 0,
    **{f"require_{claim}": True for claim in ("iss", "aud", "sub", "iat", "exp", "jti")},
}


@dataclass(frozen=True, slots=True)
class TokenClaims:
    """What a verified token says.

    Attributes:
        environment: the environment whose account it is.
        login: the log-in name.
        epoch: of the account, when the token was issued.
        token_id: unique; what the audit log calls the token by.
        login_at: when the password was given, seconds since 1970.
        expires_at: seconds since 1970.
    """

    environment: str
    login: str
    epoch: str
    token_id: str
    login_at: int
    expires_at: int


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A token and its life. The wire form is the guide's."""

    access_token: str
    expires_in: int
    claims: TokenClaims

    def as_dict(self) -> dict[str, str | int]:
        """What POST /token answers."""
        return {"access_token": self.access_token, "token_type": "bearer", "expires_in": self.expires_in}


class Tokens:
    """Issues and verifies the tokens of one product with one key.

    Args:
        key: at least 32 characters.
        lifetime_seconds: of each token.
        product: issuer and audience; a token of another product is not good here.
        now: seconds since 1970.
    """

    def __init__(self, key: str, lifetime_seconds: float, product: str, now: Callable[[], float] = time.time) -> None:
        self._key = key
        self._product = product
        self._lifetime = max(1, int(lifetime_seconds))
        self._now = now

    def issue(self, environment: str, login: str, epoch: str, login_at: int | None = None) -> IssuedToken:
        """A token for an account whose password was checked, or (with ``login_at``) whose token was.

        Raises:
            Forbidden: ``login_again``: the log-in is too long ago to be refreshed.
        """
        now = int(self._now())
        started = now if login_at is None else login_at
        expires_at = min(now + self._lifetime, started + LOGIN_LIFETIME)
        if expires_at <= now:
            raise Forbidden("This log-in is too old.", code="login_again", hint="Log in with your password.")
        claims = TokenClaims(environment, login, epoch, secrets.token_hex(16), started, expires_at)
        payload = {
            "iss": self._product,
            "aud": self._product,
            "sub": claims.login,
            "env": claims.environment,
            "epoch": claims.epoch,
            "iat": now,
            "exp": claims.expires_at,
            "jti": claims.token_id,
            "auth_time": claims.login_at,
        }
        return IssuedToken(jwt.encode(payload, self._key, algorithm=ALGORITHM), expires_at - now, claims)

    def seconds_left(self, claims: TokenClaims) -> float:
        """How long the token is still good for; negative when it is over."""
        return claims.expires_at - self._now()

    def verify(self, token: str) -> TokenClaims:
        """Check signature, algorithm, issuer, audience and expiry.

        Raises:
            Forbidden: ``invalid_token``. Why is not told to whoever sent it.
        """
        # The library reads over what is no base64: one token would have many forms.
        if len(token) > MAX_LENGTH or not _FORM.match(token):
            raise _invalid()
        try:
            payload = jwt.decode(
                token, self._key, algorithms=[ALGORITHM], audience=self._product, issuer=self._product, options=_STRICT
            )
            claims = TokenClaims(
                environment=str(payload["env"]),
                login=str(payload["sub"]),
                epoch=str(payload["epoch"]),
                token_id=str(payload["jti"]),
                login_at=int(payload["auth_time"]),
                expires_at=int(payload["exp"]),
            )
        except (JWTError, KeyError, TypeError, ValueError, OverflowError, RecursionError) as error:
            raise _invalid() from error
        # The library looks at the wall clock; ours may be another one, and a second more is no reason to trust.
        if claims.expires_at <= self._now():
            raise _invalid()
        return claims


def _invalid() -> Forbidden:
    return Forbidden("The token is not valid.", code="invalid_token", hint="Log in again.")

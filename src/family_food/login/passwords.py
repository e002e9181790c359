"""Passwords: bcrypt, off the event loop, a few at a time."""

from __future__ import annotations

import bcrypt
from anyio import CapacityLimiter, to_thread
from anyio.lowlevel import RunVar

from permit_core.errors import InvalidInput

MAX_BYTES = 72
"""bcrypt reads no further; a longer password is refused rather than cut."""

ROUNDS = 12
# Of a password nobody has: checked against when there is no such user, so that the answer takes as long.
_NOBODY = "$2b$12$ANalHph9/gaeet6CHJ9RnuDXybjEOPphuQF1vEX4E.uAgr5EaH4eu"
# Guessing passwords may keep two cores' threads busy, never the whole thread pool.
_limiter: RunVar[CapacityLimiter] = RunVar("password_limiter")


def _turns() -> CapacityLimiter:
    try:
        return _limiter.get()
    except LookupError:
        limiter = CapacityLimiter(4)
        _limiter.set(limiter)
        return limiter


async def hash_password(password: str) -> str:
    """The bcrypt hash to store.

    Raises:
        InvalidInput: ``invalid_password``: empty, or more than 72 bytes.
    """
    encoded = password.encode()
    if not 1 <= len(encoded) <= MAX_BYTES:
        raise InvalidInput(f"A password has 1 to {MAX_BYTES} bytes.", code="invalid_password", hint="Choose another.")
    hashed = await to_thread.run_sync(lambda: bcrypt.hashpw(encoded, bcrypt.gensalt(ROUNDS)), limiter=_turns())
    return hashed.decode("ascii")


async def verify_password(password: str, hashed_password: str | None) -> bool:
    """Whether the password belongs to the hash; False, after the same work, when there is no hash.

    A password that no account can have (too long, not encodable) is wrong, and takes as long to say so.
    """
    encoded = password.encode("utf-8", "surrogatepass")
    possible = hashed_password is not None and 1 <= len(encoded) <= MAX_BYTES
    against = (hashed_password if possible and hashed_password else _NOBODY).encode("ascii")
    matches = await to_thread.run_sync(bcrypt.checkpw, encoded[:MAX_BYTES], against, limiter=_turns())
    return matches and possible

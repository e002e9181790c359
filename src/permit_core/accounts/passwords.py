"""Passwords: bcrypt, off the event loop, a few at a time."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from permit_core.errors import InvalidInput, TooMany

MAX_BYTES = 72
"""bcrypt reads no further; a longer password is refused rather than cut."""

MAX_WAITING = 64
"""So many passwords wait to be checked, some seconds' worth; whoever comes then is asked to come back."""

ROUNDS = 12
# Of a password nobody has: checked against when there is no such user, so that the answer takes as long.
_NOBODY = "$2b$12$ANalHph9/gaeet6CHJ9RnuDXybjEOPphuQF1vEX4E.uAgr5EaH4eu"
_RETRY_SECONDS = 5


def _step_back() -> None:
    """Let everybody else's work come first: a check keeps a core busy for a good part of a second."""
    if sys.platform == "linux":  # elsewhere this would be said of the whole process, not of this thread
        os.setpriority(os.PRIO_PROCESS, 0, min(19, os.getpriority(os.PRIO_PROCESS, 0) + 10))


_threads = ThreadPoolExecutor(min(4, os.cpu_count() or 1), thread_name_prefix="password", initializer=_step_back)
_checks: set[Future[bool]] = set()


async def hash_password(password: str) -> str:
    """The bcrypt hash to store.

    Raises:
        InvalidInput: ``invalid_password``: empty, or more than 72 bytes.
    """
    encoded = password.encode()
    if not 1 <= len(encoded) <= MAX_BYTES:
        raise InvalidInput(f"A password has 1 to {MAX_BYTES} bytes.", code="invalid_password", hint="Choose another.")
    bcrypt = _bcrypt()
    hashed = await asyncio.wrap_future(_threads.submit(lambda: bcrypt.hashpw(encoded, bcrypt.gensalt(ROUNDS))))
    return bytes(hashed).decode("ascii")


async def verify_password(password: str, hashed_password: str | None) -> bool:
    """Whether the password belongs to the hash; False, after the same work, when there is no hash.

    A password that no account can have (too long, not encodable) is wrong, and takes as long to say so.

    Raises:
        TooMany: ``too_many_logins``: so many wait already that it was not checked.
    """
    encoded = password.encode("utf-8", "surrogatepass")
    possible = hashed_password is not None and 1 <= len(encoded) <= MAX_BYTES
    against = (hashed_password if possible and hashed_password else _NOBODY).encode("ascii")
    bcrypt = _bcrypt()
    matches = await _in_turn(lambda: bcrypt.checkpw(encoded[:MAX_BYTES], against))
    return bool(matches) and possible


def _bcrypt() -> Any:
    """The library, imported when the first password is checked: most programs check none."""
    import bcrypt

    return bcrypt


async def _in_turn(check: Callable[[], bool]) -> bool:
    if len(_checks) >= MAX_WAITING:
        raise TooMany(
            "Too many people are logging in at this moment.",
            code="too_many_logins",
            hint=f"Try again in {_RETRY_SECONDS} seconds.",
            retry_after=_RETRY_SECONDS,
        )
    running = _threads.submit(check)
    # Counted until it is over, not only as long as somebody waits for it.
    _checks.add(running)
    running.add_done_callback(_checks.discard)
    return await asyncio.wrap_future(running)

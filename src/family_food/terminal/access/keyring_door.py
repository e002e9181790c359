"""The optional keyring: used when it is installed and answers, and never waited for."""

from __future__ import annotations

import asyncio
import importlib.util
import threading
from collections.abc import Callable
from typing import Any, TypeVar

SERVICE = "permit-chat"
ANSWER_SECONDS = 3.0  # a locked keyring asks the person in a window that may be nowhere

_T = TypeVar("_T")


async def put(account: str, secret: str) -> bool:
    """Store a secret; False when there is no keyring that takes it."""

    def work(keyring: Any) -> bool:
        keyring.set_password(SERVICE, account, secret)
        return bool(keyring.get_password(SERVICE, account) == secret)

    return await _asked(work) or False


async def get(account: str) -> str | None:
    """The secret; None when it is not there, or nobody answers."""

    def work(keyring: Any) -> str | None:
        secret = keyring.get_password(SERVICE, account)
        return secret if isinstance(secret, str) else None

    return await _asked(work)


async def remove(account: str) -> None:
    """Remove the secret, if it is there."""

    def work(keyring: Any) -> None:
        keyring.delete_password(SERVICE, account)

    await _asked(work)


async def _asked(work: Callable[[Any], _T]) -> _T | None:
    """Ask in a thread that nobody has to wait for, neither now nor at the program's end."""
    if importlib.util.find_spec("keyring") is None:
        return None
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[_T | None] = loop.create_future()

    def deliver(result: _T | None) -> None:
        if not answer.done():
            answer.set_result(result)

    def ask() -> None:
        result: _T | None = None
        try:
            import keyring

            if keyring.get_keyring().priority >= 1:  # below: the ones that only refuse, or keep nothing
                result = work(keyring)
        except Exception:  # noqa: BLE001 - whatever a keyring of the person's choice raises: there is none
            result = None
        try:
            loop.call_soon_threadsafe(deliver, result)
        except RuntimeError:  # the loop is closed: the answer came too late
            return

    threading.Thread(target=ask, name="keyring", daemon=True).start()
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            return await answer
    except TimeoutError:
        return None

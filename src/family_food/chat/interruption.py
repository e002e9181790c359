"""Finishing what must not be left half-done when somebody cancels."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def uninterrupted(work: Coroutine[Any, Any, T]) -> T:
    """Run ``work`` to its end, even when the caller is cancelled meanwhile; the cancellation goes on afterwards."""
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        if not task.cancelled():
            task.exception()  # the cancellation is what the caller hears of
        raise cancelled
    return task.result()


async def cancel_and_wait(*tasks: asyncio.Task[Any]) -> None:
    """Cancel tasks and return when all of them are over, whatever they end with."""
    for task in tasks:
        task.cancel()
    if tasks:
        await uninterrupted(over(*tasks))


async def over(*tasks: asyncio.Future[Any]) -> None:
    """Wait until all of them are over, whatever they end with. They are not cancelled when the caller is."""
    if not all(task.done() for task in tasks):
        await asyncio.wait(tasks)

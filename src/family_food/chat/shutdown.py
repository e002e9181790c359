"""A word to every open session before the web server cuts the sockets.

uvicorn closes sockets first and tells the application afterwards, so a goodbye has to come before its own handling of
SIGINT and SIGTERM. This works under whatever starts the server.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def before_shutdown(goodbye: Callable[[], Awaitable[None]]) -> Iterator[None]:
    """While the context lasts, the first SIGINT or SIGTERM runs ``goodbye`` and then what handled the signal before.

    The same signal once more does not wait; another one does, since a terminal and a supervisor may each send theirs.
    Outside the main thread, where there are no signals, it does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    previous = {number: signal.getsignal(number) for number in _SIGNALS}
    tasks: set[asyncio.Task[None]] = set()
    seen: set[int] = set()

    def pass_on(number: int, frame: FrameType | None) -> None:
        handler: Any = previous[signal.Signals(number)]
        if callable(handler):
            handler(number, frame)
        elif handler == signal.SIG_DFL:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)

    async def say_and_pass_on(number: int) -> None:
        try:
            await goodbye()
        finally:
            pass_on(number, None)

    def begin(number: int) -> None:
        tasks.add(asyncio.create_task(say_and_pass_on(number), name="shutdown"))

    def handle(number: int, frame: FrameType | None) -> None:
        if number in seen:
            pass_on(number, frame)
        elif not seen:
            loop.call_soon_threadsafe(begin, number)
        seen.add(number)

    for number in _SIGNALS:
        signal.signal(number, handle)
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)

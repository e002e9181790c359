"""Leaving in an orderly way, and coming back."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Iterator

from family_food.terminal.problem import Exit


@contextlib.contextmanager
def told_to_end(end: Callable[[Exit], None], interrupt: Callable[[], object] | None) -> Iterator[None]:
    """While the body runs, signals end the chat in an orderly way: the terminal is left as it was found.

    Args:
        end: ends the chat.
        interrupt: what Ctrl-C does where no input line catches it; None where one does, or where nobody could press it.
    """
    handlers: dict[int, Callable[[], object]] = {
        getattr(signal, name): lambda: end(Exit.TERMINATED) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)
    }
    if interrupt is not None and os.isatty(0):
        handlers[signal.SIGINT] = interrupt
    loop = asyncio.get_running_loop()
    before = {number: signal.getsignal(number) for number in handlers}
    with contextlib.suppress(NotImplementedError):  # Windows
        for number, handler in handlers.items():
            loop.add_signal_handler(number, handler)
    try:
        yield
    finally:
        with contextlib.suppress(NotImplementedError):
            for number in handlers:
                loop.remove_signal_handler(number)
        for number, earlier in before.items():
            signal.signal(number, earlier)

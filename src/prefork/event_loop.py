"""The event loop of a session's tool server: the fast one, where it can be had, as in the chat server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

_new_loop: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop
try:
    import uvloop
except ImportError:  # there is none for Windows
    pass
else:
    _new_loop = uvloop.new_event_loop


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run ``main`` in a loop of its own, to its end."""
    with asyncio.Runner(loop_factory=_new_loop) as runner:
        return runner.run(main)

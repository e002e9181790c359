"""A forked child: what it must leave behind of its parent, and how it serves."""

from __future__ import annotations

import contextlib
import gc
import os
import random
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn

from prefork.event_loop import run

Serve = Callable[[str, socket.socket], Coroutine[Any, Any, int]]
"""Serves the session of a user, by directory key, over a socket until its end; answers the exit code."""

_SOCKET = 3
"""Where the session's socket is in a child: beside it there are the three standard descriptors alone."""


def run_child(user: str, session: int, errors: int, serve: Serve) -> NoReturn:
    """Be a child from here on, to the end of the process.

    Args:
        user: whose session it is.
        session: the descriptor of the session's socket.
        errors: the descriptor that becomes standard error.
        serve: called in an event loop of the child's own.
    """
    code = 1
    try:
        connected = _cut_loose(session, errors)
        code = run(serve(user, connected))
    except BaseException:  # noqa: BLE001 - nothing may get back to the parent's frames
        traceback.print_exc()
    finally:
        with contextlib.suppress(Exception):
            sys.stderr.flush()
        os._exit(code)  # without the parent's exit handlers


def _cut_loose(session: int, errors: int) -> socket.socket:
    for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    os.setsid()
    # As with a stdio server at work: input is empty, and stray output goes where errors go, never to the session.
    nothing = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    os.dup2(nothing, 0)
    os.dup2(errors, 1)
    os.dup2(errors, 2)
    if session != _SOCKET:
        os.dup2(session, _SOCKET, inheritable=False)
    os.closerange(_SOCKET + 1, os.sysconf("SC_OPEN_MAX"))
    sys.stdin = os.fdopen(0, "r", encoding="utf-8", closefd=False)
    sys.stdout = os.fdopen(1, "w", encoding="utf-8", errors="backslashreplace", buffering=1, closefd=False)
    sys.stderr = os.fdopen(2, "w", encoding="utf-8", errors="backslashreplace", buffering=1, closefd=False)
    random.seed()
    gc.enable()
    return socket.socket(fileno=_SOCKET)

"""The parent: a process that imports everything, warms up, and from then on only forks.

It runs no thread and no event loop when it forks, so nothing of the kind can be left half-done in a child. It lives as
long as the server at the other end of its standard input.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from permit_core.errors import ConfigurationError
from prefork.child import Serve, run_child
from prefork.wire import Fork, Forked, Message, Ready, Refused, close, receive, send

logger = logging.getLogger(__name__)

GRACE_SECONDS = 2.0


def serve_forks(prepare: Callable[[], Serve]) -> int:
    """Prepare, then fork a child for each request on standard input, until that ends.

    Args:
        prepare: imports and builds what children need and runs a session of its own, so that they find everything
            done; answers what serves one session in a child. No thread, connection or file of its may stay open.

    Returns:
        The exit code.

    Raises:
        ConfigurationError: standard input is not the fork server's, or ``prepare`` left threads behind.
    """
    with _control() as control:
        # What a child writes to, it has a copy of. No collection leaves holes that children would fill, and their
        # collectors leave what was there before them alone.
        gc.disable()
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # whatever is half-prepared is cleared away
        serve = prepare()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        gc.freeze()
        _require_one_thread()
        children = _Children()
        with contextlib.suppress(ConnectionError):
            send(control, Ready())
            while (request := receive(control)) is not None:
                _answer(control, *request, children, serve)
        children.end()
    return 0


def _control() -> socket.socket:
    try:
        control = socket.socket(fileno=0)
    except OSError as error:
        raise ConfigurationError("the fork server is started by the chat server, not by hand") from error
    if control.type != socket.SOCK_SEQPACKET:
        raise ConfigurationError("the fork server is started by the chat server, not by hand")
    return control


def _require_one_thread() -> None:
    tasks = Path("/proc/self/task")
    give_up = time.monotonic() + GRACE_SECONDS
    while True:
        count = len(list(tasks.iterdir())) if tasks.exists() else threading.active_count()
        if count == 1:
            return
        if time.monotonic() > give_up:
            names = ", ".join(thread.name for thread in threading.enumerate())
            raise ConfigurationError(f"the fork server cannot fork: {count} threads are running: {names}")
        time.sleep(0.005)  # a thread that was told to end, ends


def _answer(
    control: socket.socket, message: Message, descriptors: list[int], children: _Children, serve: Serve
) -> None:
    try:
        if not isinstance(message, Fork) or len(descriptors) != 2:
            logger.error("the fork server was sent %s with %d descriptors", type(message), len(descriptors))
            return
        try:
            pid = _fork(message.user, descriptors, serve)
            pidfd = children.add(pid)
        except OSError as error:
            send(control, Refused(message.number, str(error)))
            return
        try:
            send(control, Forked(message.number, pid), [pidfd])
        finally:
            os.close(pidfd)
    finally:
        close(descriptors)


def _fork(user: str, descriptors: list[int], serve: Serve) -> int:
    sys.stderr.flush()  # or the child would say it again
    pid = os.fork()
    if pid == 0:
        run_child(user, descriptors[0], descriptors[1], serve)
    return pid


class _Children:
    """The children that live. Those that died are reaped as soon as they have."""

    def __init__(self) -> None:
        self._pids: set[int] = set()
        # Waiting for the next request goes on by itself after a signal.
        signal.signal(signal.SIGCHLD, lambda *_: self._reap())

    def add(self, pid: int) -> int:
        """Look after a child that was just forked; its pidfd."""
        try:
            return os.pidfd_open(pid)  # it cannot have been reaped: it is not yet in the set
        finally:
            self._pids.add(pid)
            self._reap()  # its signal may have come before

    def end(self) -> None:
        """Return when all have ended: by the end of their input, or else by force."""
        for number in (None, signal.SIGTERM, signal.SIGKILL):
            if number is not None:
                for pid in list(self._pids):
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, number)
            give_up = time.monotonic() + GRACE_SECONDS
            while self._pids and time.monotonic() < give_up:
                time.sleep(0.005)
                self._reap()

    def _reap(self) -> None:
        for pid in list(self._pids):
            try:
                ended, _ = os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                ended = pid
            if ended:
                self._pids.discard(pid)

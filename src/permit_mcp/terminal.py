"""Asking the person at the terminal: only what was typed after the question stood counts, and nothing else answers."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Iterator
from contextlib import contextmanager

from permit_core.errors import ConfigurationError

BELL = "\a"
MAX_ANSWER = 200


class Terminal:
    """The controlling terminal of this process, whatever its standard streams are.

    Args:
        descriptor: of an open terminal.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def say(self, text: str) -> None:
        """Write lines. ``text`` is safe for a terminal already."""
        _write(self._descriptor, f"{text}\n")

    def ask(self, question: str, *, ring: bool = False, seconds: float | None = None) -> str | None:
        """Ask, and wait for a line that is typed from now on.

        Args:
            question: safe for a terminal already.
            ring: ring the bell.
            seconds: how long to wait; None for as long as it takes.

        Returns:
            The line, without white space around it and in small letters; None at the end of input or of the time.
        """
        import termios  # only here: not every system has terminals

        _write(self._descriptor, f"{question}{BELL if ring else ''}")
        termios.tcflush(self._descriptor, termios.TCIFLUSH)
        until = None if seconds is None else time.monotonic() + seconds
        typed = b""
        while not typed.endswith(b"\n"):
            left = None if until is None else max(0.0, until - time.monotonic())
            if not select.select([self._descriptor], [], [], left)[0]:
                return None
            more = os.read(self._descriptor, MAX_ANSWER)
            if not more:
                return None
            typed = (typed + more)[-MAX_ANSWER:]
        return typed.decode("utf-8", "replace").strip().lower()

    def confirms(self, question: str) -> bool:
        """Whether the person says yes; anything but a yes is a no."""
        return self.ask(f"{question} [y/N] ") in {"y", "yes"}


@contextmanager
def at_the_terminal() -> Iterator[Terminal]:
    """The terminal of this process.

    Raises:
        ConfigurationError: there is none, so there is nobody to ask.
    """
    try:
        descriptor = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY)
    except OSError:
        raise ConfigurationError(
            "this asks a person at a terminal, and there is none here; no option answers for the person"
        ) from None
    try:
        yield Terminal(descriptor)
    finally:
        os.close(descriptor)


def _write(descriptor: int, text: str) -> None:
    left = text.encode("utf-8", "replace")
    while left:
        left = left[os.write(descriptor, left) :]

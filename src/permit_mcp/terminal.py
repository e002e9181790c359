"""Asking the person at the terminal: only what was typed after the question stood counts, and nothing else answers."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from permit_core.errors import ConfigurationError

TERMINAL = "/dev/tty"
BELL = "\a"
MAX_ANSWER = 1000


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

    def ask(self, question: str, *, ring: bool = False, secret: bool = False) -> str | None:
        """Ask, and wait for a line that is typed from now on.

        Args:
            question: safe for a terminal already.
            ring: ring the bell.
            secret: do not show what is typed.

        Returns:
            The line without its end; None at the end of input.
        """
        import termios  # only here: not every system has terminals

        before = termios.tcgetattr(self._descriptor)
        during = termios.tcgetattr(self._descriptor)
        if secret:
            during[3] &= ~termios.ECHO
        try:
            # Dropped just before the question stands, not after: an answer that comes at once is one.
            termios.tcsetattr(self._descriptor, termios.TCSAFLUSH, during)
            _write(self._descriptor, f"{question}{BELL if ring else ''}")
            typed = b""
            while not typed.endswith(b"\n") and len(typed) < MAX_ANSWER:
                more = os.read(self._descriptor, MAX_ANSWER)
                if not more:
                    return None
                typed += more
        finally:
            termios.tcsetattr(self._descriptor, termios.TCSAFLUSH, before)
            if secret:
                _write(self._descriptor, "\n")
        return typed.decode("utf-8", "surrogateescape").rstrip("\r\n")

    def confirms(self, question: str) -> bool:
        """Whether the person says yes; anything but a yes is a no."""
        return (self.ask(f"{question} [y/N] ") or "").strip().lower() in {"y", "yes"}


@contextmanager
def at_the_terminal() -> Iterator[Terminal]:
    """The terminal of this process.

    Raises:
        ConfigurationError: there is none, so there is nobody to ask.
    """
    try:
        descriptor = os.open(TERMINAL, os.O_RDWR | os.O_NOCTTY)
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

"""A real pseudo-terminal with a program in it."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pexpect  # type: ignore[import-untyped, unused-ignore]

WAIT_SECONDS = 60.0

# What a terminal obeys instead of showing it.
ESCAPES = re.compile(r"\x1b(\[[0-9;?]*[A-Za-z]|[=>78])|\r")


class Terminal:
    """Runs a Python program and plays the person in front of it; every wait is bounded."""

    def __init__(
        self, arguments: Sequence[str], environment: Mapping[str, str], folder: Path, columns: int = 100
    ) -> None:
        self.child = pexpect.spawn(
            sys.executable,
            list(arguments),
            cwd=str(folder),
            env=dict(environment),
            encoding="utf-8",
            timeout=WAIT_SECONDS,
            dimensions=(30, columns),
        )
        self._shown = ""

    def see(self, text: str) -> str:
        """Wait until the text is shown; returns what came before it, without escape codes."""
        self.child.expect_exact(text)
        self._shown += self.child.before + self.child.after
        return ESCAPES.sub("", self.child.before)

    def type(self, text: str) -> None:
        """Type, without Enter."""
        self.child.send(text)

    def enter(self, text: str = "") -> None:
        """Type a line."""
        self.child.send(f"{text}\r")

    def control(self, key: str) -> None:
        """Press Ctrl and a key."""
        self.child.sendcontrol(key)

    def log_in(self, username: str, password: str) -> None:
        """Answer the two questions at the start."""
        self.see("Username:")
        self.enter(username)
        self.see("Password:")
        self.enter(password)

    def ended(self) -> int:
        """Wait for the program's end; returns its exit code."""
        self.child.expect(pexpect.EOF)
        self._shown += self.child.before
        self.child.close()
        assert self.child.exitstatus is not None, f"killed by signal {self.child.signalstatus}"
        return int(self.child.exitstatus)

    @property
    def shown(self) -> str:
        """Everything that was waited for so far, and all before it, without escape codes."""
        return ESCAPES.sub("", self._shown)

    @property
    def raw(self) -> str:
        """The same with escape codes."""
        return self._shown

    def close(self) -> None:
        """End the program if it still runs."""
        self.child.close(force=True)

"""Standard output and standard error that remember every byte."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager

COLOURS = re.compile(r"\x1b\[[0-9;]*m")
"""The only escape codes that output may have; they move nothing and ask nothing."""


class FakeStream(io.TextIOWrapper):
    """A text stream over bytes.

    Args:
        terminal: whether it says that it is one.
        encoding: of the bytes.
    """

    def __init__(self, *, terminal: bool = True, encoding: str = "utf-8") -> None:
        self._bytes = io.BytesIO()
        super().__init__(self._bytes, encoding=encoding, errors="strict", newline="")
        self._terminal = terminal

    def isatty(self) -> bool:
        """Whether it passes for a terminal."""
        return self._terminal

    def fileno(self) -> int:
        """None: how wide it is nobody can ask."""
        raise OSError

    @property
    def raw_text(self) -> str:
        """Everything that was written."""
        self.flush()
        return self._bytes.getvalue().decode(self.encoding)

    @property
    def shown(self) -> str:
        """The same without colours."""
        return COLOURS.sub("", self.raw_text)


@contextmanager
def fake_streams(*, terminal: bool = True, encoding: str = "utf-8") -> Iterator[tuple[FakeStream, FakeStream]]:
    """Standard output and standard error while the body runs."""
    before = sys.stdout, sys.stderr
    streams = FakeStream(terminal=terminal, encoding=encoding), FakeStream(terminal=terminal, encoding=encoding)
    sys.stdout, sys.stderr = streams
    try:
        yield streams
    finally:
        sys.stdout, sys.stderr = before

"""Lines that wait for the running turn to end."""

from __future__ import annotations

from collections import deque

MOST_WAITING = 8
"""As many as the server itself would let wait."""


class LineQueue:
    """At most :data:`MOST_WAITING` lines, in the order they were typed."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque()

    def __len__(self) -> int:
        return len(self._lines)

    def add(self, line: str) -> bool:
        """Let a line wait; False when too many wait already."""
        if len(self._lines) >= MOST_WAITING:
            return False
        self._lines.append(line)
        return True

    def take(self) -> str | None:
        """The line that waited longest; None when there is none."""
        return self._lines.popleft() if self._lines else None

    def give_back(self) -> list[str]:
        """All lines, which wait no more."""
        lines = list(self._lines)
        self._lines.clear()
        return lines

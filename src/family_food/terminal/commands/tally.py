"""What the turns of this session used."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class Tally:
    """Sums over ``turn_end`` frames."""

    def __init__(self) -> None:
        self.turns = self.input = self.output = self.last_input = self.last_output = 0
        self.seconds = self.last_seconds = 0.0

    def add(self, frame: Mapping[str, Any]) -> None:
        """Count a turn that ended."""
        used = frame.get("usage")
        used = used if isinstance(used, Mapping) else {}
        self.last_input, self.last_output = _count(used.get("input_tokens")), _count(used.get("output_tokens"))
        seconds = frame.get("seconds")
        self.last_seconds = float(seconds) if isinstance(seconds, int | float) else 0.0
        self.turns += 1
        self.input += self.last_input
        self.output += self.last_output
        self.seconds += self.last_seconds


def _count(value: object) -> int:
    return value if isinstance(value, int) and value > 0 else 0

"""Tool calls, one line each: what was called with which arguments, how it ended, how long it took."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from family_food.terminal.visible import one_line

Frame = Mapping[str, Any]

_MOST_RUNNING = 64
_MOST_ARGUMENTS = 2000
_TENTH = 0.1


@dataclass(frozen=True, slots=True)
class ToolLine:
    """A call that is over.

    Attributes:
        state: ``done``, ``refused`` or ``failed``.
        name: of the tool.
        arguments: as they are spelled between the brackets; None when they are not known.
        outcome: one line; empty when there is nothing to say but that it is done.
        code: of the refusal or failure.
        seconds: how long it took; None when its beginning was not seen.
    """

    state: str
    name: str
    arguments: str | None
    outcome: str
    code: str
    seconds: float | None

    def call(self, room: int | None = None, ellipsis: str = "…") -> str:
        """``name(arguments)``, the arguments cut so that the whole has at most ``room`` characters, if that can be."""
        whole = self.name if self.arguments is None else f"{self.name}({self.arguments})"
        if room is None or len(whole) <= room or not self.arguments:
            return whole
        left = max(room - len(self.name) - 2 - len(ellipsis), 0)
        return f"{self.name}({self.arguments[:left].rstrip()}{ellipsis})"

    @property
    def ending(self) -> list[str]:
        """How it ended and how long it took."""
        code = f"({self.code})" if self.code and self.code not in self.outcome else ""
        said = f"{self.outcome} {code}".strip()
        took = (
            ""
            if self.seconds is None
            else f"{self.seconds:.1f} s"
            if self.seconds >= _TENTH
            else f"{self.seconds:.2f} s"
        )
        return [part for part in (said, took) if part]


class ToolLines:
    """Follows the calls of a turn.

    Args:
        clock: seconds, from anywhere.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._running: dict[str, tuple[str, float]] = {}

    @property
    def running(self) -> list[tuple[str, float]]:
        """The calls under way, and for how many seconds."""
        now = self._clock()
        return [(call, now - since) for call, since in self._running.values()]

    def __len__(self) -> int:
        """How many are under way."""
        return len(self._running)

    def started(self, frame: Frame) -> str:
        """A call began; returns it in words."""
        call = f"{one_line(frame.get('name'))}({spelled(frame.get('arguments'))})"
        if len(self._running) < _MOST_RUNNING:
            self._running[_key(frame)] = (call, self._clock())
        return call

    def ended(self, frame: Frame) -> ToolLine:
        """A call is over."""
        _, since = self._running.pop(_key(frame), ("", None))
        name, state = one_line(frame.get("name")), frame.get("state")
        outcome = one_line(frame.get("content"))
        for before in (f"{name}: ", f"{name} "):
            outcome = outcome.removeprefix(before) if name else outcome
        return ToolLine(
            state=state if state in ("done", "refused") else "failed",
            name=name or "tool",
            arguments=spelled(frame["arguments"]) if "arguments" in frame else None,
            outcome="" if outcome.lower() in ("done", name.lower()) else outcome,
            code=one_line(frame.get("code")) if state != "done" else "",
            seconds=None if since is None else self._clock() - since,
        )

    def forget(self) -> None:
        """The turn is over; no call runs."""
        self._running.clear()


def spelled(arguments: object) -> str:
    """Arguments as a person writes them: ``restaurant_id=4, dish_name="Tempura"``."""
    if not isinstance(arguments, Mapping):
        return ""
    shown = (f"{one_line(str(name))}={_value(value)}" for name, value in arguments.items())
    return ", ".join(shown)[:_MOST_ARGUMENTS]


def _value(value: object) -> str:
    try:
        return one_line(json.dumps(value, ensure_ascii=False))
    except (TypeError, ValueError, RecursionError):
        return one_line(str(type(value).__name__))


def _key(frame: Frame) -> str:
    return str(frame.get("call_id"))

"""What is going on now: one line that lives below everything else, and is nowhere else."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence

from family_food.terminal.visible import one_line

_WHEELS = {False: "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏", True: "|/-\\"}
_TURNS_A_SECOND = 8
_QUIET_SECONDS = 1.0  # before that nobody needs to know for how long
_TAIL_CHARS = 200
_SIGNS = re.compile(r"[*`#|]+")  # of Markdown; the finished block will be laid out


class Working:
    """Puts what is going on into a line. It is asked for it as often as whoever draws it likes.

    Args:
        clock: seconds, from anywhere.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._what = ""
        self._since = 0.0

    @property
    def what(self) -> str:
        """What goes on, in a word or two; empty when nothing does."""
        return self._what

    def begin(self, what: str) -> None:
        """Something goes on; the time is counted from here, unless it was going on already."""
        if what != self._what:
            self._what, self._since = what, self._clock()

    def end(self) -> None:
        """Nothing goes on."""
        self._what = ""

    def text(
        self, columns: int, *, ascii_only: bool, calls: Sequence[tuple[str, float]] = (), written: str = ""
    ) -> str:
        """The line, at most ``columns - 1`` characters; empty when nothing goes on.

        Args:
            columns: how wide the screen is.
            ascii_only: whether the wheel is made of ASCII.
            calls: tool calls under way, and for how many seconds.
            written: the end of the words that are not shown yet.
        """
        if not self._what:
            return ""
        now = self._clock()
        wheel = _WHEELS[ascii_only]
        sign, dots = wheel[int(now * _TURNS_A_SECOND) % len(wheel)], "..." if ascii_only else "…"
        room = max(columns - 1, 4)
        if calls:
            seconds = max(since for _, since in calls)
            names = ", ".join(call.partition("(")[0] for call, _ in calls) if len(calls) > 1 else calls[0][0]
            return _fitted(f"{sign} {names}", f" {seconds:.1f} s" if seconds >= _QUIET_SECONDS else "", room, dots)
        tail = one_line(_SIGNS.sub("", written[-_TAIL_CHARS:]))
        if tail:
            before = f"{sign} writing: "
            left = room - len(before) - len(dots)
            return before + (tail if len(tail) <= left else dots + tail[-max(left, 0) :]) if left > 0 else sign
        seconds = now - self._since
        return _fitted(
            f"{sign} {self._what}{dots}", f" {seconds:.0f} s" if seconds >= _QUIET_SECONDS else "", room, dots
        )


def _fitted(text: str, after: str, room: int, dots: str) -> str:
    if len(text) + len(after) > room:
        text = text[: max(room - len(after) - len(dots), 1)].rstrip() + dots
    return f"{text}{after}"[:room]

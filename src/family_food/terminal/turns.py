"""Whose turn it is, told from the frames and from what was said. No input, no output."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto
from typing import Any

from family_food.terminal.typing.line_queue import LineQueue

Frame = Mapping[str, Any]

# What a cancelled turn still brings that is no news: words nobody wants any more, and calls that only begin.
_WORDS = ("text", "text_delta")


class Heard(Enum):
    """What becomes of a line."""

    SEND = auto()
    QUEUED = auto()
    FULL = auto()  # too many wait already; the line stays with the person


class Stop(Enum):
    """What Ctrl-C means now."""

    NOTHING_RUNS = auto()
    CANCEL = auto()
    STOPPING = auto()  # cancelled already, and not over yet


class Turns:
    """The state of one conversation as the client knows it.

    Attributes:
        greeted: the server said hello.
        linked: the connection stands.
        running: number of the turn that runs.
        stopping: the running turn was cancelled, and its end has not come.
        ended: turns that ended while this client was there.
        held: a command is changing the conversation; nothing is sent before it is done.
        waiting: lines that are sent when the next message may come.
    """

    def __init__(self) -> None:
        self.greeted = False
        self.linked = True
        self.held = False
        self.running: int | None = None
        self.stopping = False
        self.ended = 0
        self.waiting = LineQueue()
        self._sent = False  # something was sent that begins a turn, and it has not begun
        self._sent_id: str | None = None
        self._accepted = False

    @property
    def busy(self) -> bool:
        """A turn runs, or is about to."""
        return self._sent or self.running is not None

    @property
    def open(self) -> bool:
        """The next message may be sent."""
        return self.greeted and self.linked and not self.held and not self.busy

    def hear(self) -> Heard:
        """Whether a line typed now is sent at once. What is queued before it goes first."""
        return Heard.SEND if self.open and not self.waiting else Heard.QUEUED

    def queue(self, line: str) -> Heard:
        """Let a line wait."""
        return Heard.QUEUED if self.waiting.add(line) else Heard.FULL

    def sent(self, message_id: str | None = None) -> None:
        """Something was sent that begins a turn."""
        self._sent, self._sent_id, self._accepted = True, message_id, False

    def next_line(self) -> str | None:
        """The line to be sent now; None while nothing may be sent, or nothing waits."""
        return self.waiting.take() if self.open else None

    def stop(self) -> Stop:
        """The person wants the running turn to end."""
        if not self.busy:
            return Stop.NOTHING_RUNS
        if self.stopping:
            return Stop.STOPPING
        self.stopping = True
        return Stop.CANCEL

    def is_stale(self, frame: Frame) -> bool:
        """Whether a frame belongs to a cancelled turn and tells nothing that happened."""
        if not self.stopping:
            return False
        kind = frame.get("type")
        return kind in _WORDS or kind == "confirm" or (kind == "tool" and frame.get("state") == "started")

    def take(self, frame: Frame) -> bool:
        """Follow a frame of the server or of the link.

        Returns:
            True when the turn that begins was cancelled before it began: the server has to be told again.
        """
        kind = frame.get("type")
        if kind == "hello":
            self._hello(frame)
        elif kind == "link":
            self._link(frame)
        elif kind == "accepted" and frame.get("message_id") == self._sent_id:
            self._accepted = True
            if frame.get("duplicate") and self.running is None:
                self._forget_sent()  # it was taken before the connection broke, and is answered already
        elif kind == "turn_start":
            return self._begin(frame)
        elif kind == "turn_end":
            self.running, self.stopping = None, self.stopping and self._sent
            self.ended += 1
        elif kind == "error":
            self._error(frame)
        return False

    def _begin(self, frame: Frame) -> bool:
        number = frame.get("turn")
        self.running = number if isinstance(number, int) else 0
        if frame.get("cause") == "event" and self._sent:
            return False  # news came first; ours is still to come
        self._forget_sent()
        return self.stopping

    def _hello(self, frame: Frame) -> None:
        self.greeted = self.linked = True
        running = frame.get("turn")
        if isinstance(running, int):
            self.running = running
        elif frame.get("missed") or frame.get("interrupted"):
            self.running, self.stopping = None, False
            if self._accepted:
                self._forget_sent()

    def _link(self, frame: Frame) -> None:
        state = frame.get("state")
        self.linked = state != "lost"
        if state == "new_session":  # the turn that ran there runs no more
            self.running, self.stopping = None, False
            if self._accepted:
                self._forget_sent()

    def _error(self, frame: Frame) -> None:
        reply_to = frame.get("reply_to")
        # An error within a turn is followed by the turn's end.
        refused = self.running is None if reply_to is None else reply_to == self._sent_id
        if self._sent and refused:
            self._forget_sent()
            self.stopping = self.stopping and self.running is not None

    def _forget_sent(self) -> None:
        self._sent, self._sent_id, self._accepted = False, None, False

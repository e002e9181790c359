"""How a script is told: the answer on standard output, everything else on standard error."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from family_food.terminal.display.answer import Answer
from family_food.terminal.display.output import Output
from family_food.terminal.display.pipe_page import PipePage
from family_food.terminal.display.tool_lines import ToolLines
from family_food.terminal.problem import ChatProblem
from family_food.terminal.scripting.asked_turn import AskedTurn
from family_food.terminal.visible import one_line, visible, with_hint

Frame = Mapping[str, Any]

_TOLD = ("status", "notice", "confirm_closed", "link")  # frames that are a line on standard error
_GOES_ON = ("...", "…")  # a status that only says that something is going on


class ScriptOutput(Protocol):
    """Takes frames while they come, and the end. Standard output may be closed at any time (``BrokenPipeError``)."""

    def frame(self, frame: Frame, turn: AskedTurn) -> None:
        """A frame of the server or of the link."""
        ...

    def aside(self, line: str) -> None:
        """A line about what is going on."""
        ...

    def trouble(self, problem: ChatProblem) -> None:
        """It ends with a problem."""
        ...

    def end(self, turn: AskedTurn, session_id: str, requests: Sequence[Frame]) -> None:
        """It is over."""
        ...


class TextOutput:
    """The answer as it comes; lines about calls, notices and errors beside it."""

    def __init__(self) -> None:
        self._page = PipePage(Output("stdout"), Output("stderr"))
        self._answer: Answer | None = None
        self._streamed = False
        self._pieces = 0
        self._tools = ToolLines()

    def frame(self, frame: Frame, turn: AskedTurn) -> None:
        """See :class:`ScriptOutput`."""
        kind = frame.get("type")
        if kind == "text_delta" and turn.is_ours(frame):
            if visible(frame.get("content")):
                self._open().add(frame.get("content"))
                self._streamed = True
        elif kind == "text" and not frame.get("confirm_id"):
            self._text(frame, turn)
        elif kind == "tool":
            self._tool(frame)
        elif kind == "error":
            self._close()
            self._page.marked("trouble", _sentence(frame))
        elif kind == "turn_end" and turn.is_ours(frame):
            self._close()
        elif kind in _TOLD:
            content = one_line(frame.get("content"))
            self.aside("" if kind == "status" and content.endswith(_GOES_ON) else content)

    def aside(self, line: str) -> None:
        """See :class:`ScriptOutput`."""
        if line:
            self._page.line(line)

    def trouble(self, problem: ChatProblem) -> None:
        """See :class:`ScriptOutput`."""
        self._close()
        self._page.marked("trouble", problem.sentence)

    def end(self, turn: AskedTurn, session_id: str, requests: Sequence[Frame]) -> None:
        """See :class:`ScriptOutput`."""
        self._close()
        if turn.outcome == "completed" and not turn.answer:
            self._page.marked("trouble", "The answer is empty.")
        elif turn.outcome == "limit":
            self._page.marked("trouble", "The answer met a limit and may not be complete.")
        elif turn.outcome == "interrupted":
            self._page.marked("trouble", "The answer was cut short: the server was started anew.")

    def _text(self, frame: Frame, turn: AskedTurn) -> None:
        if not turn.is_ours(frame):  # news that came before the question
            self.aside(one_line(frame.get("content")))
            return
        if not self._streamed and visible(frame.get("content")).strip():
            self._open().add(frame.get("content"))
        self._close()
        self._streamed = False

    def _tool(self, frame: Frame) -> None:
        if frame.get("state") == "started":
            self._tools.started(frame)
        else:
            self._page.tool(self._tools.ended(frame), whole=False)

    def _open(self) -> Answer:
        if self._answer is None:
            self._answer = self._page.answer()
            if self._pieces:
                self._answer.add("\n")
            self._pieces += 1
        return self._answer

    def _close(self) -> None:
        if self._answer is not None:
            self._answer.end()
            self._answer = None


class JsonOutput(TextOutput):
    """One JSON object at the end, whatever the end is; lines about what goes on beside it."""

    def __init__(self) -> None:
        super().__init__()
        self._stdout = Output("stdout")
        self._told = False

    def frame(self, frame: Frame, turn: AskedTurn) -> None:
        """See :class:`ScriptOutput`."""
        if not (frame.get("type") in ("text", "text_delta") and turn.is_ours(frame)):
            super().frame(frame, turn)

    def trouble(self, problem: ChatProblem) -> None:
        """See :class:`ScriptOutput`."""
        super().trouble(problem)
        if not self._told:
            error = {"code": problem.exit_code.name.lower(), "message": problem.sentence, "hint": ""}
            self._write(AskedTurn(), None, (), error)

    def end(self, turn: AskedTurn, session_id: str, requests: Sequence[Frame]) -> None:
        """See :class:`ScriptOutput`."""
        super().end(turn, session_id, requests)
        self._write(turn, session_id, requests, turn.error or turn.shortcoming)

    def _write(self, turn: AskedTurn, session_id: str | None, requests: Sequence[Frame], error: Frame | None) -> None:
        self._told = True
        told = {
            "answer": turn.answer,
            "outcome": turn.outcome or None,
            "session_id": session_id,
            "tools": turn.tools,
            "usage": turn.usage,
            "requests": [dict(request) for request in requests],
            "error": error,
        }
        self._stdout.write(_json(told))


class FrameOutput(TextOutput):
    """Every frame of the server as a line of JSON; lines about the connection beside it."""

    def __init__(self) -> None:
        super().__init__()
        self._stdout = Output("stdout")

    def frame(self, frame: Frame, turn: AskedTurn) -> None:
        """See :class:`ScriptOutput`."""
        if frame.get("type") == "link":
            self.aside(one_line(frame.get("content")))
        else:
            self._stdout.write(_json(frame))


def _json(told: object) -> str:
    # ASCII alone: no character of anybody's text reaches a terminal as a control character.
    return json.dumps(told).replace("\x7f", "\\u007f") + "\n"


def _sentence(frame: Frame) -> str:
    return f"Error: {with_hint(frame)}"

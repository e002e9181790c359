"""What the person sees: every frame of the server as lines of text."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

from rich.console import Console
from rich.text import Text

from family_food.terminal.flow import Flow
from family_food.terminal.visible import one_line, visible

LABEL = "Assistant:"

Frame = Mapping[str, Any]


class Screen:
    """Prints. Texts of others are shown without control characters, and never read as markup.

    Args:
        interactive: a person sits at a terminal: lines are broken at words, trouble goes where the rest goes. If not,
            lines are left whole and trouble goes to stderr.
    """

    def __init__(self, interactive: bool) -> None:
        self.interactive = interactive
        self.input_line_below = False
        self._console = Console(markup=False, highlight=False, emoji=False, soft_wrap=not interactive)
        self._trouble = (
            self._console if interactive else Console(stderr=True, markup=False, highlight=False, soft_wrap=True)
        )
        self._flow = Flow(
            self._put,
            width=lambda: self._console.width if interactive else None,
            whole_lines=lambda: self.input_line_below or not interactive,
        )
        self._streamed = False
        self.showed_error = False
        self._by_type: dict[str, Callable[[Frame], None]] = {
            "hello": self._hello,
            "text_delta": self._text_delta,
            "text": self._text,
            "status": lambda frame: self.aside(f"[Status] {one_line(frame.get('content'))}"),
            "tool": self._tool,
            "confirm_closed": lambda frame: self.aside(one_line(frame.get("content"))),
            "notice": lambda frame: self.say(f"🔔 {one_line(frame.get('content'))}", "yellow"),
            "turn_end": self._turn_end,
            "error": self._error,
        }

    def show(self, frame: Frame) -> None:
        """Show a frame of the server; one of an unknown type is nothing to see."""
        shower = self._by_type.get(str(frame.get("type")))
        if shower is not None:
            shower(frame)

    def say(self, line: str, style: str = "") -> None:
        """One line of our own making, or text of others that is one line of visible characters already."""
        self._flow.end()
        self._console.print(Text(self._encodable(line), style=style))

    def aside(self, line: str) -> None:
        """A line that may be overlooked."""
        if line:
            self.say(line, "dim")

    def trouble(self, line: str) -> None:
        """A line that must not be overlooked; on stderr when nobody sits at a terminal."""
        self._flow.end()
        self._trouble.print(Text(self._encodable(f"⚠️ {line}"), style="bold red"))

    def question(self, frame: Frame) -> None:
        """A decision to be confirmed: the server's words, and the comment when they leave it out."""
        content, comment = one_line(frame.get("content")), one_line(frame.get("comment"))
        self.say(f"❓ {content}", "bold yellow")
        if comment and comment not in content:
            self.say(f"   Comment: {comment}", "yellow")

    def _hello(self, frame: Frame) -> None:
        user, model = frame.get("user"), frame.get("model")
        self.say(visible(frame.get("content")), "bold")
        if isinstance(user, Mapping) and isinstance(model, Mapping):
            who = f"Logged in as {one_line(user.get('name'))} ({one_line(user.get('role'))})."
            label = one_line(model.get("label"))
            if model.get("offline"):
                label += ", which is no language model: it answers by rules and nothing leaves this computer"
            self.aside(f"{who} The assistant is: {label}.")

    def _text_delta(self, frame: Frame) -> None:
        content = visible(frame.get("content"))
        if content and not self._streamed:
            self._begin_answer()
            self._streamed = True
        self._flow.add(content)

    def _text(self, frame: Frame) -> None:
        if frame.get("confirm_id"):  # the words of a confirm frame again, for clients that know no such frame
            return
        if not (frame.get("streamed") and self._streamed):
            self._begin_answer()
            self._flow.add(visible(frame.get("content")))
        self._streamed = False
        self._flow.end()

    def _begin_answer(self) -> None:
        self._flow.end()
        self._flow.add(f"{LABEL} ")

    def _tool(self, frame: Frame) -> None:
        content, state, code = one_line(frame.get("content")), frame.get("state"), one_line(frame.get("code"))
        if state == "started":
            self._flow.end()
            line = Text(self._encodable(f"  … {content}"), style="dim")
            if self.interactive:  # arguments can be long, and are no more than a hint here
                line.truncate(self._console.width, overflow="ellipsis")
            self._console.print(line)
        elif state == "done":
            self.aside(f"  ✓ {content}")
        else:
            self.say(f"  ✗ {content}" + (f" ({code})" if code and code not in content else ""), "yellow")

    def _turn_end(self, _: Frame) -> None:
        self._flow.end()
        self._streamed = False

    def _error(self, frame: Frame) -> None:
        self._streamed = False
        self.showed_error = True
        content, hint = one_line(frame.get("content")), one_line(frame.get("hint"))
        self.trouble(f"Error: {content}" + (f" {hint}" if hint and hint not in content else ""))

    def _put(self, piece: str) -> None:
        text = Text(self._encodable(piece))
        if piece.startswith(LABEL):
            text.stylize("bold cyan", 0, len(LABEL))
        self._console.print(text, end="", soft_wrap=True)

    def _encodable(self, text: str) -> str:
        """The text with ``?`` for what this terminal's encoding has no character for."""
        encoding = self._console.encoding
        return text.encode(encoding, "replace").decode(encoding, "replace")


def at_a_terminal() -> bool:
    """True when a person can be asked here: input and output are both a terminal."""
    return sys.stdin.isatty() and sys.stdout.isatty() and os.environ.get("TERM") != "dumb"

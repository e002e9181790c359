"""The story on the screen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.text import Text

from family_food.terminal.visible import one_line, visible


class Transcript:
    """Prints who says what to whom. What people and models say is shown as text, never read as markup."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(markup=False, highlight=False, emoji=False)

    def chapter(self, title: str) -> None:
        """A part of the story begins."""
        self._print("")
        self._print(title, "bold")

    def note(self, words: str, style: str = "dim") -> None:
        """The teller's own words."""
        self._print(words, style)

    def arrives(self, name: str, hello: Mapping[str, Any]) -> None:
        """Somebody is there."""
        label, role = one_line(hello["model"]["label"]), one_line(hello["user"]["role"])
        self._print(f"{name} ({role}) is logged in; the assistant is: {label}.", "dim")

    def says(self, name: str, words: str) -> None:
        """A person says something."""
        self._speech(f"{name}:", words, "bold green")

    def answers(self, name: str, answer: bool) -> None:
        """A person answers a question."""
        self._speech(f"{name}:", "yes" if answer else "no", "bold green")

    def shows(self, name: str, frame: Mapping[str, Any]) -> None:
        """What appears on a person's screen."""
        content = frame.get("content")
        match frame["type"]:
            case "text" if not frame.get("confirm_id"):
                self._speech(f"{name}'s assistant:", visible(content), "bold cyan")
            case "tool" if frame["state"] != "started":
                mark = "✓" if frame["state"] == "done" else "✗"
                code = f" ({one_line(frame['code'])})" if frame.get("code") else ""
                self._print(f"    {mark} {one_line(content)}{code}", "dim")
            case "notice":
                self._speech(f"{name} is told:", one_line(content), "yellow")
            case "confirm":
                self._speech(f"{name} is asked:", one_line(content), "bold yellow")
            case "error":
                self._speech(f"{name} gets an error:", one_line(content), "bold red")

    def found(self, claim: str, *, holds: bool) -> None:
        """What the database says of one claim of the story."""
        self._print(f"  {'✓' if holds else '✗'} {claim}", "green" if holds else "bold red")

    def _speech(self, who: str, words: str, style: str) -> None:
        first, *rest = words.split("\n")
        self._line(Text.assemble((who, style), " ", first))
        for line in rest:
            self._line(Text(f"    {line}".rstrip()))

    def _print(self, words: str, style: str = "") -> None:
        self._line(Text(words, style=style))

    def _line(self, line: Text) -> None:
        whole = not self._console.is_terminal  # a file's reader breaks lines as wide as they like
        self._console.print(line, soft_wrap=whole)

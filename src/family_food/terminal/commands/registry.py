"""The commands that begin with a slash: what they are called, what they take, and how one is found."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from family_food.terminal.visible import one_line

if TYPE_CHECKING:
    from family_food.terminal.context import ChatContext

Run = Callable[["ChatContext", str], Awaitable[None]]

LEAVE_WORDS = ("exit", "quit")
"""These leave without a slash too."""


@dataclass(frozen=True, slots=True)
class Command:
    """One command.

    Args:
        name: with its slash.
        takes: its arguments, as the help shows them.
        help: one line.
        run: what it does, with what stood behind its name.
        anytime: it may run while a turn does; any other waits for the turn's end.
        completes: what its first argument is: ``requests``, ``sessions``, ``formats``, ``commands`` or nothing.
    """

    name: str
    takes: str
    help: str
    run: Run
    anytime: bool = True
    completes: str = ""


@dataclass(frozen=True, slots=True)
class Called:
    """A line that calls a command.

    Attributes:
        command: None when there is no such command.
        arguments: what stands behind the name.
        problem: why there is no command.
    """

    command: Command | None
    arguments: str
    problem: str = ""


class Commands:
    """All commands.

    Args:
        commands: in the order the help shows them.
        aliases: other names of the same.
    """

    def __init__(self, commands: Sequence[Command], aliases: dict[str, str] | None = None) -> None:
        self.all = tuple(commands)
        self._by_name = {command.name: command for command in commands}
        self._aliases = dict(aliases or {})

    def named(self, word: str) -> Command | None:
        """The command of a name or alias, with or without its slash."""
        name = "/" + word.strip().lower().lstrip("/")
        return self._by_name.get(self._aliases.get(name, name))

    def called(self, line: str) -> Called | None:
        """What a line calls; None when it is a message.

        A command begins with a slash in the first column: a message that shall begin with one gets a space before it.
        """
        if line.strip().lower() in LEAVE_WORDS:
            return Called(self.named("/exit"), "")
        if not line.startswith("/"):
            return None
        word, _, rest = line.partition(" ") if " " in line.split("\n", 1)[0] else line.partition("\n")
        command = self.named(word)
        if command is not None:
            return Called(command, rest.strip())
        return Called(None, rest.strip(), self._unknown(word))

    def _unknown(self, word: str) -> str:
        shown = one_line(word)[:40]
        near = self.near(word)
        meant = f" Did you mean {' or '.join(near)}?" if near else " /help lists them."
        return (
            f"There is no command {shown}.{meant} (To send a message that begins with a slash, put a space before it.)"
        )

    def near(self, word: str) -> list[str]:
        """Names that a misspelled one may mean, best first, at most three."""
        import difflib  # only for who mistypes

        typed = "/" + word.strip().lower().lstrip("/")
        names = [*self._by_name, *self._aliases]
        begun = [name for name in names if len(typed) > 2 and name.startswith(typed)]
        close = difflib.get_close_matches(typed, names, n=3, cutoff=0.6)
        found = dict.fromkeys(self._aliases.get(name, name) for name in [*begun, *close])
        return list(found)[:3]

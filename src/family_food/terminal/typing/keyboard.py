"""How lines come in, whatever they come from."""

from __future__ import annotations

from typing import Protocol

try:
    import termios
except ImportError:  # pragma: no cover - Windows
    termios = None  # type: ignore[assignment]

# A question that pops up under the fingers of somebody who types must not be answered by what they were typing.
CONFIRM_GUARD_SECONDS = 0.6


class Keyboard(Protocol):
    """Where lines come from."""

    async def line(self, prompt: str) -> str | None:
        """The next line; None when there are no more. ``""`` when it was put aside."""
        ...

    async def secret(self, prompt: str) -> str | None:
        """A line that is not shown."""
        ...

    async def confirm(self, prompt: str) -> bool | None:
        """Whether a person said yes, now, to the question that is on the screen; None when they would rather not answer."""
        ...

    def put_aside(self) -> None:
        """End a running :meth:`line` or :meth:`confirm` at once; what was typed of a line comes back in the next."""
        ...


def is_yes(answer: str) -> bool:
    """Whether a person said yes, clearly."""
    return answer.strip().lower() in ("y", "yes")


def drop_input(descriptor: int) -> None:
    """Throw away what was typed and not read yet."""
    if termios is not None:
        termios.tcflush(descriptor, termios.TCIFLUSH)

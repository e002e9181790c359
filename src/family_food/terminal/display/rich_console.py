"""rich, held back: it writes lines of visible characters in colours, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from typing import IO, Self, cast

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.segment import Segment
from rich.style import Style
from rich.theme import Theme

from family_food.terminal.display.output import Output
from family_food.terminal.visible import visible


class QuietConsole(Console):
    """A console on a terminal that is known to be one.

    Args:
        output: the terminal.
        theme: styles.
    """

    def __init__(self, output: Output, theme: Theme) -> None:
        super().__init__(
            file=cast("IO[str]", output),
            theme=theme,
            force_terminal=True,
            force_interactive=False,
            force_jupyter=False,
            legacy_windows=False,
            markup=False,
            highlight=False,
            emoji=False,
            log_time=False,
            log_path=False,
        )

    def on_broken_pipe(self) -> None:
        """Tell whoever wrote; the program's own end is not for a console to decide."""
        raise  # noqa: PLE0704 - called while the error is handled


class Lines:
    """Lines without what rich fills them up with, and without anything a terminal would obey but colours.

    Blank lines before and after are left out. Lines that are filled up would become two when the window is made narrower.
    """

    def __init__(self, lines: list[list[Segment]]) -> None:
        self._lines = lines

    @classmethod
    def of(cls, console: Console, renderables: Iterable[RenderableType]) -> Self:
        """Render, clean and trim."""
        lines: list[list[Segment]] = []
        for renderable in renderables:
            found = [cls._clean(line) for line in Segment.split_lines(console.render(renderable, console.options))]
            while len(found) > 1 and not found[-1]:
                found.pop()
            while len(found) > 1 and not found[0]:
                found.pop(0)
            lines += found
        return cls(lines)

    @staticmethod
    def _clean(line: Iterable[Segment]) -> list[Segment]:
        kept: list[Segment] = []
        for segment in line:
            if segment.control:
                continue
            text = visible(segment.text).replace("\n", " ")
            style = segment.style
            if style is not None and (style.link or style.meta):
                style = style.clear_meta_and_links()
            if text:
                kept.append(Segment(text, style))
        while kept and not kept[-1].text.strip(" ") and not _is_seen(kept[-1].style):
            kept.pop()
        if kept and not _is_seen(kept[-1].style):
            kept[-1] = Segment(kept[-1].text.rstrip(" "), kept[-1].style)
        return kept

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for line in self._lines:
            yield from line
            yield Segment.line()


def _is_seen(style: Style | None) -> bool:
    """Whether a blank in this style is to be seen."""
    return style is not None and bool(style.bgcolor or style.underline or style.reverse or style.strike)

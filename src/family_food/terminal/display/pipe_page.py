"""No terminal: answers go to standard output as they are, everything else to standard error."""

from __future__ import annotations

from collections.abc import Sequence

from family_food.terminal.display.answer import Answer, RawAnswer
from family_food.terminal.display.output import Output
from family_food.terminal.display.plain_page import PlainPage


class PipePage(PlainPage):
    """Answers for a file or another program, words about them for whoever watches.

    Args:
        answers: standard output.
        beside: standard error.
    """

    def __init__(self, answers: Output, beside: Output) -> None:
        super().__init__(beside)
        self._answers = answers

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """A heading line and the rows, with tabs between the cells: what was asked for is an answer too."""
        for row in (columns, *rows):
            self._answers.write("\t".join(row) + "\n")

    def answer(self) -> Answer:
        """See :class:`Page`."""
        return RawAnswer(self._answers.write)

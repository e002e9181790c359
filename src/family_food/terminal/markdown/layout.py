"""Blocks of Markdown in colour, by rich."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar

from rich.console import Console, ConsoleOptions, JustifyMethod, RenderableType, RenderResult
from rich.markdown import BlockQuote, CodeBlock, Heading, Markdown, MarkdownElement, TableElement
from rich.padding import Padding
from rich.segment import Segment
from rich.text import Text

from family_food.terminal.display.rich_tables import fitting_table
from family_food.terminal.markdown.blocks import Block
from family_food.terminal.markdown.tokens import read_block

if TYPE_CHECKING:
    from markdown_it.token import Token

_LANGUAGE = re.compile(r"[\w.+#-]{0,20}")  # a name of one, which needs not to be shown
_LEAST_WORDS = 12  # columns that must be left for words inside of lists and quotes


class _Heading(Heading):
    LEVEL_ALIGN: ClassVar[dict[str, JustifyMethod]] = dict.fromkeys(Heading.LEVEL_ALIGN, "left")


class _Code(CodeBlock):
    """Code in one colour: to find a grammar by a name that a model gave costs time and is of no use here."""

    @classmethod
    def create(cls, markdown: Markdown, token: Token) -> _Code:
        return cls(token.info.strip(), markdown.code_theme)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if not _LANGUAGE.fullmatch(self.lexer_name):
            yield Text(self.lexer_name, style="dim")
        code = Text(str(self.text).rstrip(), style="markdown.code_block", overflow="fold")
        yield Padding(code, (0, 0, 0, 2 if options.max_width > _LEAST_WORDS else 0))


class _Quote(BlockQuote):
    """Like rich's, whose line of bars becomes unreadable where there is no room for it."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = max(options.max_width - 2, 1)
        for line in console.render_lines(self.elements, options.update(width=width), style=self.style, pad=False):
            yield Segment("▌ ", self.style)
            yield from line
            yield Segment("\n")


class _Table(TableElement):
    """A table, or where it does not fit, its rows one below the other."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        headings = [cell.content for cell in self.header.row.cells] if self.header and self.header.row else []
        rows = [[cell.content for cell in row.cells] for row in self.body.rows] if self.body else []
        yield fitting_table(console, options, headings, rows)


class SafeMarkdown(Markdown):
    """A block.

    Args:
        block: what to show.
        tokens: what it was read as.
    """

    elements: ClassVar[dict[str, type[MarkdownElement]]] = {
        **Markdown.elements,
        "heading_open": _Heading,
        "fence": _Code,
        "code_block": _Code,
        "blockquote_open": _Quote,
        "table_open": _Table,
    }

    def __init__(self, block: Block, tokens: list[Token]) -> None:
        # Not the parent's: it reads the text again, its own way.
        self.markup = block.text
        self.parsed = tokens
        self.code_theme = self.inline_code_theme = "default"
        self.inline_code_lexer = None
        self.justify = None
        self.style = "none"
        self.hyperlinks = False
        self.inlines = {*Markdown.inlines, "label"}


def rendered(block: Block, label: str, width: int) -> list[RenderableType]:
    """What to print for a block.

    Args:
        block: a finished block.
        label: whose words begin with it; empty for a block in their midst.
        width: columns of the screen.
    """
    tokens = read_block(block)
    if tokens is None or max((token.level for token in tokens), default=0) * 3 // 2 > max(0, width - _LEAST_WORDS):
        words = Text(block.text)
        return [Text.assemble((label, "markdown.label"), " ", words) if label else words]
    if label and tokens and tokens[0].type == "paragraph_open" and tokens[1].children is not None:
        tokens[1].children[:0] = _label_tokens(label)
        return [SafeMarkdown(block, tokens)]
    above: list[RenderableType] = [Text(label, style="markdown.label")] if label else []
    return [*above, SafeMarkdown(block, tokens)]


def _label_tokens(label: str) -> list[Token]:
    from markdown_it.token import Token

    return [
        Token("label_open", "label", 1),
        Token("text", "", 0, content=label),
        Token("label_close", "label", -1),
        Token("text", "", 0, content=" "),
    ]

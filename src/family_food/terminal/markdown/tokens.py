"""Blocks of Markdown read for a terminal: nothing in them is obeyed that could mislead, and nothing is left unsaid.

HTML and link definitions are text. A link is its words and its address, an image its description and its address.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING

from family_food.terminal.markdown.blocks import Block
from family_food.terminal.visible import visible

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

DEEPEST = 12
"""Lists and quotes nested more deeply are shown as they were written."""

# What would have the parser try every way to pair them up. Each is shown as it was written.
_MOST_BRACKETS = 200
_MOST_STARS = 400
_BRACKETS = re.compile(r"[\[\]<]")
_STARS = re.compile(r"[*_~`]")


def read_block(block: Block) -> list[Token] | None:
    """The tokens of a block, fit for a terminal; None when it is to be shown as it was written."""
    if len(_BRACKETS.findall(block.text)) > _MOST_BRACKETS or len(_STARS.findall(block.text)) > _MOST_STARS:
        return None
    tokens = _parser().parse(block.text)
    if max((token.level for token in tokens), default=0) >= DEEPEST:
        return None
    for token in tokens:
        token.content = visible(token.content)
        token.info = visible(token.info)
        if token.children is not None:
            token.children = list(_spoken(token.children))
    if block.number is not None and tokens and tokens[0].type == "ordered_list_open":
        tokens[0].attrs["start"] = block.number
    return tokens


@lru_cache(maxsize=1)
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt  # slow to import: not before the first answer

    parser = MarkdownIt("commonmark", {"html": False}).enable(["strikethrough", "table"])
    return parser.disable(["html_block", "html_inline", "reference"])


def _spoken(children: Iterable[Token]) -> Iterable[Token]:
    """Inline tokens with links and images in words, and line breaks kept as they were written."""
    opened: list[tuple[str, list[str]]] = []  # addresses, and the words so far
    for token in children:
        token.content = visible(token.content)
        if token.type == "link_open":
            opened.append((visible(str(token.attrs.get("href", ""))), []))
            continue
        if token.type == "link_close" and opened:
            address, words = opened.pop()
            if address and "".join(words).strip() not in (address, address.removeprefix("mailto:")):
                yield _text_like(token, f" ({address})")
            continue
        if token.type == "image":
            token = _text_like(token, _image(token))  # noqa: PLW2901 - the same place, in words
        elif token.type == "softbreak":
            token.type = "hardbreak"
        for _, words in opened:
            words.append(token.content)
        yield token


def _image(token: Token) -> str:
    description = visible("".join(child.content for child in token.children or ())) or "image"
    return f"[{description}] ({visible(str(token.attrs.get('src', '')))})"


def _text_like(token: Token, content: str) -> Token:
    return token.copy(type="text", tag="", nesting=0, content=content, children=None, attrs={})

"""The symbols on the screen, and what stands for them where there are none."""

from __future__ import annotations

import codecs
import re
import unicodedata

SUBSTITUTES = {
    "✓": "+",
    "✗": "x",
    "…": "...",
    "·": "-",
    "•": "*",
    "\u2013": "-",
    "\u2014": "-",
    "\u2212": "-",
    "\u201c": '"',
    "\u201d": '"',
    "\u201e": '"',
    "\u00ab": '"',
    "\u00bb": '"',
    "\u2018": "'",
    "\u2019": "'",
    "\u00a0": " ",
    "\u202f": " ",
    "→": "->",
    "\u00d7": "x",
    "€": "EUR",
    "▌": "|",
    "│": "|",
    "─": "-",
    "━": "-",
    "╭": "+",
    "╮": "+",
    "╰": "+",
    "╯": "+",
    "🔔": "(!)",
    "❓": "(?)",
    "⚠": "!",
    "✅": "OK:",
    "❌": "!",
    "👋": "--",
    "⏳": "...",
}
"""ASCII for the symbols this program shows, and for what word processors and models like to write."""

_HANDLER = "family_food.substitute"
_LEADING_SYMBOLS = re.compile(r"[^\w\s\"'(\[<*#/-]+\s+")


def _substitute(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(SUBSTITUTES.get(character, "?") for character in error.object[error.start : error.end]), error.end


codecs.register_error(_HANDLER, _substitute)


def encodable(text: str, encoding: str) -> str:
    """The text as this encoding can show it: symbols by their substitutes, whatever else is missing as ``?``.

    Args:
        text: any text; halves of surrogate pairs become ``?`` too.
        encoding: a codec's name; an unknown one is taken as ASCII.
    """
    try:
        return text.encode(encoding, _HANDLER).decode(encoding, "replace")
    except LookupError:
        return text.encode("ascii", _HANDLER).decode("ascii")
    except UnicodeError:  # a codec that cannot encode even the substitute
        return text.encode("ascii", "replace").decode("ascii")


def without_leading_symbol(line: str) -> str:
    """A line of ours without the picture it begins with, for whoever has it read aloud."""
    match = _LEADING_SYMBOLS.match(line)
    if match is None or any(unicodedata.category(each)[0] not in "SMC" for each in match.group().strip()):
        return line
    return line[match.end() :]

"""One message of a person, cleaned for reading: fillers stripped, a reason split off."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from permit_core.views import plain

# Longer texts are not sentences to order food with; they are answered with a request to be brief.
LONGEST = 1000

_QUOTES = str.maketrans({"\u2018": "'", "\u2019": "'", "`": "'", "\u201c": '"', "\u201d": '"'})
_YES = r"(?:yes|yeah|yep|yup|ya|ok|okay|sure|of course|certainly|absolutely|definitely|go ahead|do it|fine|alright)"
_NO = r"(?:no|nope|nah|not now|not really)"
_POLITE = r"(?:please|pls|plz|thanks|thank you|thx|ty)"
_FILLER = rf"(?:{_POLITE}|hey|hi|hello|hiya|well|um+|uh+|never ?mind|forget it|then|and|now|right|great|cool|actually|{_YES}|{_NO})"
_LEAD = re.compile(rf"(?:{_FILLER}(?![\w'])[\s,.!:;-]*)+", re.IGNORECASE)
_POLITE_END = re.compile(rf"(?<![\w']){_POLITE}$", re.IGNORECASE)
_CLOSING = " .!?,;:\u2026"
_WISH = re.compile(
    r"(?:(?:i|we)(?:'?d like to| would like to| want to| wanna| need to|'?d love to)|(?:can|could|would) you(?: please)?|let me)"
    r"\s+(?:know\s+|(?=(?:see|look|browse|view|ask|request|show|list|tell|check|open|find)\b))",
    re.IGNORECASE,
)
_STARTS_YES = re.compile(rf"(?:{_POLITE}[\s,]*)?{_YES}(?![\w'])", re.IGNORECASE)
_STARTS_NO = re.compile(rf"{_NO}(?![\w'])", re.IGNORECASE)

_BECAUSE = re.compile(
    r"(?:^|(?<=[\s,;:.\u2013\u2014-]))"
    r"(?:because|'?cause|cuz|coz|bc|since|as(?=\s+(?:i|it|my|we|our)\b))(?!\w)[\s,:]*",
    re.IGNORECASE,
)
_BEFORE_REASON = " ,;:.\u2013\u2014-"
_BREAK = re.compile(r"\s*[,;:!.\u2013\u2014]+\s+|\s+-+\s+")
_CLAUSE = re.compile(
    r"(?:i|i'?m|i'?ve|i'?d|i'?ll|it|it'?s|its|my|we|we'?re|our|today|tomorrow|tonight|he|she|they|you|mom|mum|dad|for|to|"
    r"as|this|that|there|everyone|everybody|so)\b",
    re.IGNORECASE,
)
_PURPOSE = re.compile(
    r"\s+((?:for (?:my|our|his|her|their|being|the|a|an|passing|good|doing)\b|to celebrate\b|as (?:a|my) "
    r"(?:treat|reward|present|gift)\b).*)$",
    re.IGNORECASE,
)
_CONNECTIVE = re.compile(
    r"^(?:(?:yes|yeah|ok|okay|sure|well|um+|please)[\s,.!:;-]+)*"
    r"(?:(?:because|'?cause|cuz|coz|bc|the reason is(?: that)?|my reason is(?: that)?|reason:)(?!\w)[\s,:]*)?",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Sentence:
    """What somebody typed.

    Attributes:
        text: one clean line, as typed.
        core: the same without greetings, politeness and closing punctuation.
        question: it ends in a question mark.
        says_yes: it begins with a yes.
        says_no: it begins with a no.
    """

    text: str
    core: str
    question: bool
    says_yes: bool
    says_no: bool

    @classmethod
    def of(cls, text: str) -> Sentence:
        """Clean a message; only its beginning is read when it is longer than anyone types."""
        clean = plain(unicodedata.normalize("NFC", text[: LONGEST * 4])).translate(_QUOTES)
        lead = _LEAD.match(clean)
        core = _WISH.sub("", without_tail(clean[lead.end() :] if lead else clean), count=1)
        return cls(
            text=clean,
            core=core,
            question=clean.endswith("?"),
            says_yes=bool(_STARTS_YES.match(clean)),
            says_no=bool(_STARTS_NO.match(clean)),
        )

    @property
    def too_long(self) -> bool:
        """Nobody asks for a dish with so many words."""
        return len(self.text) > LONGEST

    @property
    def wordless(self) -> bool:
        """Nothing in it can be read."""
        return not any(character.isalnum() for character in self.text)


def without_tail(text: str) -> str:
    """``text`` without closing politeness and punctuation."""
    while True:
        shorter = _POLITE_END.sub("", text.rstrip(_CLOSING))
        if shorter == text:
            return text.strip()
        text = shorter


def split_because(text: str) -> tuple[str, str]:
    """``(what, reason)`` at the first "because" or its like; the reason is empty when there is none."""
    match = _BECAUSE.search(text)
    return (text[: match.start()].strip(_BEFORE_REASON), text[match.end() :].strip()) if match else (text, "")


def split_break(text: str) -> tuple[str, str]:
    """``(what, rest)`` at the first comma, full stop or dash; the rest is empty when it is only politeness."""
    match = _BREAK.search(text)
    if match is None or not match.start():
        return text, ""
    return text[: match.start()].strip(), without_tail(text[match.end() :])


def split_reason(text: str, *, any_rest: bool) -> tuple[str, str]:
    """Split what is wanted from why it is wanted, in the person's own words.

    Args:
        text: the object of an order or of a request.
        any_rest: whatever follows a comma is a reason; otherwise only what reads like a clause.
    """
    what, reason = split_because(text)
    if reason:
        return without_tail(what), reason
    head, rest = split_break(text)
    if rest and (any_rest or _CLAUSE.match(rest)):
        return head, rest
    purpose = None if any_rest else _PURPOSE.search(text)
    return (text[: purpose.start()].strip(), purpose.group(1)) if purpose else (text, "")


def bare_reason(text: str) -> str:
    """A message that is a reason as a whole: its words, without a leading "because"."""
    match = _CONNECTIVE.match(text)
    return (text[match.end() :] if match else text).strip()

"""One message of a person, cleaned for reading: fillers stripped, a reason split off."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from permit_core.views import plain

# Longer texts are not sentences to order food with; they are answered with a request to be brief.
LONGEST = 1000

_QUOTES = str.maketrans({"\u2018": "'", "\u2019": "'", "`": "'", "\u201c": '"', "\u201d": '"'})
_YES = (
    r"(?:yes+|yeah|yea|yep|yup|ya|ok|okay|k|sure|of course|certainly|absolutely|definitely|go ahead|do it|fine|alright)"
)
_NO = r"(?:no|nope|nah|no way|not now|not really)"
_POLITE = r"(?:pretty please|please|pleas|ple+a+se+|pls+|plz+|thanks|thank you|thank u|thx|ty)"
_FILLER = rf"(?:{_POLITE}|hey+|hi+|hello|hiya|yo|well|um+|uh+|hm+|oh+|ooh+|so|never ?mind|nvm|forget it|then|and|now|right|great|cool|actually|{_YES}|{_NO})"
_LEAD = re.compile(rf"(?:{_FILLER}(?![\w'])[\s,.!:;-]*)+", re.IGNORECASE)
_POLITE_END = re.compile(rf"(?<![\w'])(?:{_POLITE}|then|tho|though|lol|haha)$", re.IGNORECASE)
_CLOSING = " .!?,;:\u2026"
# Pictures and smileys: a person shows a mood with them, and sometimes a yes.
_PICTURES = re.compile(
    r"[\u2600-\u27bf\u2b50\ufe0f\u200d\u20e3\U0001f000-\U0001faff]+|(?<!\S)(?:[:;=]-?[()DPpO3]|<3|xd+)(?!\S)"
)
_THUMBS = {"\U0001f44d": "yes", "\U0001f44c": "yes", "\U0001f44e": "no"}
_SHORT = re.compile(r"^((?:can|could|would|will|do|are|what can) )u\b", re.IGNORECASE)
_WISH = re.compile(
    r"(?:(?:i|we)(?:'?d like to| would like to| want to| wanna| need to|'?d love to)|(?:can|could|would) you(?: please)?|let me)"
    r"\s+(?:know\s+|(?=(?:see|look|browse|view|ask|request|show|list|tell|check|open|find)\b))",
    re.IGNORECASE,
)
_STARTS_YES = re.compile(rf"(?:{_POLITE}[\s,]*)?{_YES}(?![\w'])", re.IGNORECASE)
_STARTS_NO = re.compile(rf"{_NO}(?![\w'])", re.IGNORECASE)


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
        clean = without_pictures(plain(unicodedata.normalize("NFC", text[: LONGEST * 4])).translate(_QUOTES))
        lead = _LEAD.match(clean)
        core = _SHORT.sub(r"\1you", without_tail(clean[lead.end() :] if lead else clean))
        core = _WISH.sub("", core, count=1)
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


def without_pictures(text: str) -> str:
    """``text`` without pictures; a thumb that stands for itself becomes the word it stands for."""
    words = " ".join(_PICTURES.sub(" ", text).split())
    return words or next((word for thumb, word in _THUMBS.items() if thumb in text), text.strip())


def without_tail(text: str) -> str:
    """``text`` without closing politeness and punctuation."""
    while True:
        shorter = _POLITE_END.sub("", text.rstrip(_CLOSING))
        if shorter == text:
            return text.strip()
        text = shorter

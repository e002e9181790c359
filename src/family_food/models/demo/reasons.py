"""Telling what is wanted from why it is wanted, by the form of the words."""

from __future__ import annotations

import re

from family_food.models.demo.sentence import without_tail

_BECAUSE = re.compile(
    r"(?:^|(?<=[\s,;:.\u2013\u2014-]))"
    r"(?:be?cause|becuase|becasue|'?cause|'?cuz|coz|cos|bcuz|bcoz|bc|since|as(?=\s+(?:i|it|my|we|our)\b))(?!\w)[\s,:]*",
    re.IGNORECASE,
)
_BEFORE_REASON = " ,;:.\u2013\u2014-"
_BREAK = re.compile(r"\s*[,;:!.\u2013\u2014]+\s+|\s+-+\s+")
_CLAUSE = re.compile(
    r"(?:and |but )?(?:i|i'?m|i'?ve|i'?d|i'?ll|it|it'?s|its|my|we|we'?re|we'?ve|our|today|tomorrow|tonight|he|she|they|you|"
    r"mom(?:my)?|mum(?:my)?|dad(?:dy)?|grand\w+|for|to|as|this|that|there|everyone|everybody|so|(?:way |much |far )?too (?:expensive|dear|pricey|late|early|much|many|far|unhealthy)"
    r"|not (?:before|until|today|tonight|now|again|on|for))\b",
    re.IGNORECASE,
)
# What is a reason wherever it stands, even where the typist left out the comma before it.
_PLAINLY = (
    r"(?:(?:and|but|so) )?(?:(?:because|'?cause|cuz|coz|cos|bcuz|bcoz|bc)\b"
    r"|(?:it'?s|it is|it was|today is|tomorrow is) (?:for|my|our|her|his|their|so|really|very|\w+(?:'?s)? (?:birthday|b-?day|party|day))\b"
    r"|(?:i|we)(?:'?ve| have)? (?:really |just |already )?(?:promise|swear|got (?:an? |all |good |straight )|finished|helped|cleaned|did (?:all|my|the)"
    r"|ate (?:all|my)|was (?:so |very |really )?(?:good|nice)|been|never|deserve|won\b|passed|aced|scored)"
    r"|(?:i|we)(?:'ll| will| can|'?d like to|'?d love to| would like to| want to| wanna| would love to) (?:really )?(?:share|celebrate|pay|behave|try (?:it|them|that|this|some(?:thing)?)\b)"
    r"|(?:i'?m|i am|we'?re|we are) (?:so |really |very |super )*(?:hungry|starving|good|sick|sad|tired|happy)"
    r"|for (?:\w+ ){0,2}(?:birthday|b-?day|birthdays)\b)"
)
_PLAIN = re.compile(_PLAINLY, re.IGNORECASE)
_RUN_ON = re.compile(rf"(?<=\w)\s+(?={_PLAINLY})", re.IGNORECASE)
_PURPOSE = re.compile(
    r"\s+((?:for (?:my|our|his|her|their|being|the|a|an|passing|good|doing)\b|to celebrate\b|as (?:a|my) "
    r"(?:treat|reward|present|gift)\b).*)$",
    re.IGNORECASE,
)
_CONNECTIVE = re.compile(
    r"^(?:(?:yes|yeah|ok|okay|sure|well|um+|please)[\s,.!:;-]+)*"
    r"(?:(?:be?cause|becuase|becasue|'?cause|'?cuz|coz|cos|bcuz|bcoz|bc|the reason is(?: that)?|my reason is(?: that)?|reason:)(?!\w)[\s,:]*)?",
    re.IGNORECASE,
)


def plainly_reason(text: str) -> bool:
    """The words have the form of a reason, whatever stood before them."""
    return bool(_PLAIN.match(text))


def clause(text: str) -> bool:
    """The words begin as somebody tells something; a wish may begin so as well."""
    return bool(_CLAUSE.match(text))


def split_run_on(text: str) -> tuple[str, str]:
    """``(what, reason)`` where a reason begins with nothing before it; the reason is empty when none does."""
    match = _RUN_ON.search(text)
    return (text[: match.start()], text[match.end() :]) if match else (text, "")


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

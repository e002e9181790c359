"""Reading a decision out of a sentence: only an imperative decides; a question, a condition or an exception does not."""

from __future__ import annotations

import re

from family_food.models.demo.intents import Decide, Ruling, Unclear, Verb
from family_food.models.demo.numerals import positions
from family_food.models.demo.reasons import split_because, split_break
from family_food.models.demo.sentence import Sentence, without_tail

_APPROVE = (
    r"approve|accept|authori[sz]e|agree to|(?:say )?yes to|(?:allow|grant|permit)(?! me\b| us\b)"
    r"|let(?! me\b| us\b)(?= (?:him|her|them)\b| [\w']+ (?:have|order|see|eat|go|get|try)\b)|let(?! me\b| us\b)(?= [\w']+(?:[\s,.!]*$|[,.!]))"
    r"|(?:yes|ok|okay|fine|sure|yep|yeah) (?:to|for)"
)
_DENY = r"deny|refuse|reject|decline|forbid|disallow|turn down|(?:say )?(?:no|nope|nah) (?:to|for)"
_VERB = re.compile(rf"(?:(?P<approve>{_APPROVE})|(?P<deny>{_DENY}))(?![\w'])", re.IGNORECASE)
_TALKS_OF_IT = re.compile(
    r"\b(?:approv(?:e|ed|es|ing)|den(?:y|ied|ies|ying)|reject(?:ed|ing)?|refus(?:e|ed|ing)|declin(?:e|ed|ing))\b",
    re.IGNORECASE,
)
_LEAD = re.compile(
    r"(?:(?:please|pls|hey|hi|hello|ok|okay|well|so|then|and|now|yes|yeah|yep|sure|fine|alright|no|nope|nah)(?![\w'])(?! (?:to|for)\b)[\s,.!:;-]*"
    r"|(?:i|we)(?:'ll|'d like to| will| would like to| want to| wanna| hereby)?\s+(?!(?:don|can|won|do|did|not)\b)"
    r"|(?:can|could) you\s+|you (?:can|may)\s+|go ahead and\s+|let's\s+|just\s+)*",
    re.IGNORECASE,
)
_NEXT = re.compile(
    rf"(?:\s*[,;.]\s*(?:and\s+|then\s+|but\s+)?|\s+(?:and|then|but)\s+)(?:please\s+)?(?=(?:{_APPROVE}|{_DENY})(?![\w']))",
    re.IGNORECASE,
)
_COMMENT = re.compile(
    r"\s*,?\s*(?:\bwith (?:the |a |my )?(?:comment|message|note|reason|words)\b|\b(?:and )?(?:say|saying)\b|\bcomment\b"
    r"|\b(?:and )?tell (?:him|her|them)\b(?: that\b| to\b)?|\bbut\b)[\s:,]*",
    re.IGNORECASE,
)
_HEDGED = re.compile(
    r"\b(?:not|n't|don't|except|but|apart from|besides|unless|if|when|until|or|none|nothing|nobody|never|whether|wait|actually|only"
    r" (?:if|when))\b",
    re.IGNORECASE,
)
_UNDOING = re.compile(
    r"(?:if|unless|only if|only when|provided|except|apart from|but not|not (?:#?\d|the|number)|(?:no,? )?wait|hold on|actually)\b",
    re.IGNORECASE,
)
_BOTH = re.compile(r"\bboth\b(?:\s+of\b)?", re.IGNORECASE)
_ALL = re.compile(r"\b(?:all|everything|every(?:\s+one)?|everyone|them)\b(?:\s+of\b)?", re.IGNORECASE)
_OTHER = re.compile(r"\bother(?:s| ones?)?\b|\brest\b", re.IGNORECASE)
_SELECTOR_FILLER = re.compile(
    r"(?<![\w'])(?:the|a|an|this|that|it|one|ones|request|requests|for|of|from|by|to|in|at|on|and|his|her|their|him|please|"
    r"have|has|go|get|see|eat|try|want|wants|wanted|asks?|asked|approval|dish|restaurant|first|pending|open)(?![\w'])",
    re.IGNORECASE,
)


def read_decision(sentence: Sentence) -> Decide | Unclear | None:
    """The decision a sentence speaks; ``Unclear`` when it hedges; None when it orders no decision at all."""
    lead = _LEAD.match(sentence.text)
    spoken = sentence.text[lead.end() :] if lead else sentence.text
    if not _VERB.match(spoken):
        return None
    rulings: list[Ruling] = []
    for clause in _NEXT.split(spoken):
        ruling = _ruling(clause)
        if ruling is None:
            return Unclear()
        rulings.append(ruling)
    return Decide(tuple(rulings))


def read_talk_of_deciding(sentence: Sentence) -> Unclear | None:
    """``Unclear`` when a word of deciding stands anywhere in the sentence."""
    return Unclear() if _TALKS_OF_IT.search(sentence.text) else None


def _ruling(clause: str) -> Ruling | None:
    match = _VERB.match(clause)
    if match is None:
        return None
    verb: Verb = "approve" if match["approve"] else "deny"
    named, comment = _split_comment(without_tail(clause[match.end() :]))
    everything, both = bool(_ALL.search(named)), bool(_BOTH.search(named))
    if _HEDGED.search(named) or _UNDOING.match(comment) or (everything and _HEDGED.match(comment)):
        return None
    other = _OTHER.search(named)
    everything = everything or bool(other and other[0].casefold() in ("others", "rest", "other ones"))
    numbers, rest = positions(_OTHER.sub(" ", _BOTH.sub(" ", _ALL.sub(" ", named))))
    selector = " ".join(re.sub(r"[^\w\s'.&-]", " ", _SELECTOR_FILLER.sub(" ", rest)).split()).strip(" .'-")
    return Ruling(verb, numbers, everything, both, selector, comment.strip("\"' "), bool(other))


def _split_comment(text: str) -> tuple[str, str]:
    """``(which, comment)``; a list of numbers goes on after its commas."""
    text = text.strip(" :-")
    what, reason = split_because(text)
    if reason:
        return without_tail(what), reason
    marked = _COMMENT.search(text)
    if marked and text[marked.end() :].strip() and not _ALL.search(text[: marked.start()]):
        return text[: marked.start()].strip(), text[marked.end() :].strip()
    head, rest = split_break(text)
    numbers, left = positions(rest)
    if numbers and not _SELECTOR_FILLER.sub(" ", left).strip(" ,.&"):
        return text, ""
    return head, rest

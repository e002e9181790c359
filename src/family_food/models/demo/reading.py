"""From a message to what it means: split into parts first, then the part that asks for something, and why."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from family_food.models.demo.intents import (
    ASKED_FOR,
    COMMANDS,
    WITH_REASON,
    Decide,
    Greeting,
    Intent,
    Mention,
    No,
    Order,
    Pick,
    Requests,
    SmallTalk,
    Unclear,
    Yes,
)
from family_food.models.demo.reasons import bare_reason, clause, plainly_reason, split_run_on
from family_food.models.demo.rulings import read_decision
from family_food.models.demo.search import is_other, is_pointer
from family_food.models.demo.sentence import Sentence
from family_food.models.demo.understanding import understand, understand_whole

_ENDS = re.compile(r"(?<=[.!?\u2026])\s+")
_COMMAS = re.compile(r"\s*[,;\u2013\u2014]+\s+|\s+-+\s+")
_ASKING = re.compile(r"\s+(?=(?:so |pls |please )?(?:can|could|may) (?:i|we|u|you)\b)", re.IGNORECASE)
# "fries, no wait, the burger": what stands before is taken back.
_TAKEN_BACK = re.compile(
    r"(?:^|(?<=[\s,.!?]))(?:(?:oh |no,? |um+ )?wait(?:,? no)?|(?:no,? )?actually(?:,? no)?|i meant?|scratch that|or rather|"
    r"on second thoughts?)(?!\w)[\s,.!:;-]*",
    re.IGNORECASE,
)
_A_THING = re.compile(r"(?:the|a|an|some|just|my)\s+\w|.*\s(?:one|instead)$", re.IGNORECASE)
_MOST_PARTS = 12
_FEWEST_WORDS_OF_A_REASON = 3


@dataclass(frozen=True, slots=True)
class Reading:
    """A message as it was understood.

    Attributes:
        intent: what it asks for, with the reason that was given for it.
        whole: the message.
        main: the part that asks; the whole when it is in one part.
    """

    intent: Intent
    whole: Sentence
    main: Sentence


@dataclass(frozen=True, slots=True)
class _Part:
    text: str
    sentence: Sentence
    intent: Intent
    why: bool
    """It is a reason by its form."""

    @property
    def idle(self) -> bool:
        """It asks for nothing: a hello, a bare yes."""
        return isinstance(self.intent, Greeting | SmallTalk | Yes | No) and not self.lost

    @property
    def lost(self) -> bool:
        """It was not understood."""
        return self.intent == SmallTalk("lost")

    @property
    def told(self) -> bool:
        """It tells something, and asks for nothing that is understood."""
        return self.lost and len(self.text.split()) >= _FEWEST_WORDS_OF_A_REASON and not self.sentence.question


def read(text: str) -> Reading:
    """What a message means on its own, whatever was said before."""
    whole = Sentence.of(text)
    if whole.wordless or whole.too_long:
        return Reading(understand(whole), whole, whole)
    at_once = understand_whole(whole) or _later_decision(whole)
    if at_once is not None:
        return Reading(at_once, whole, whole)
    parts = _without_what_was_taken_back(_parts(whole.text))
    if not parts:  # all of it was taken back
        return Reading(No(), whole, whole)
    return _joined(parts, whole)


def _later_decision(whole: Sentence) -> Intent | None:
    """A decision spoken in a sentence of its own, after nothing but hellos and questions."""
    sentences = _ENDS.split(whole.text, maxsplit=_MOST_PARTS)
    for place, text in enumerate(sentences[:-1]):
        if not _harmless(Sentence.of(text)):
            return None
        decision = read_decision(Sentence.of(" ".join(sentences[place + 1 :])))
        if decision is not None:
            return decision
    return None


def _harmless(sentence: Sentence) -> bool:
    intent = understand(sentence)
    return not isinstance(intent, Unclear | Decide) and (
        sentence.question or isinstance(intent, Greeting | Yes | No) or intent == SmallTalk("thanks")
    )


def _parts(text: str) -> list[_Part]:
    parts: list[_Part] = []
    for sentence in _ENDS.split(text, maxsplit=_MOST_PARTS):
        first = len(parts)
        for segment in _COMMAS.split(sentence, maxsplit=_MOST_PARTS):
            for piece in _run_ons(segment):
                part = _part(piece)
                if len(parts) == first or _apart(parts[-1], part):
                    parts.append(part)
                else:
                    parts[-1] = _part(f"{parts[-1].text}, {part.text}", why=parts[-1].why)
    return parts


def _run_ons(text: str) -> list[str]:
    """The pieces of a segment into which no comma was typed."""
    if plainly_reason(text) and not _ASKING.search(text):
        return [text]
    what, why = split_run_on(text)
    if why and understand(Sentence.of(what)) != SmallTalk("lost"):
        return [what, why]
    asked = _ASKING.search(text)
    if asked and _is_why(text[: asked.start()], understand(Sentence.of(text[: asked.start()]))):
        return [text[: asked.start()], text[asked.end() :]]
    return [text]


def _part(text: str, *, why: bool | None = None) -> _Part:
    sentence = Sentence.of(text)
    intent = understand(sentence)
    if isinstance(intent, Decide):  # an order to decide is read out of whole sentences alone
        intent = Unclear()
    return _Part(text, sentence, intent, _is_why(text, intent) if why is None else why)


def _is_why(text: str, intent: Intent) -> bool:
    if plainly_reason(text):
        return True
    if isinstance(intent, Order):
        return intent.soft and is_pointer(intent.dish) and clause(text)
    return clause(text) and isinstance(intent, Mention | Unclear | SmallTalk | Requests) and not text.endswith("?")


def _apart(before: _Part, after: _Part) -> bool:
    """Two pieces of one sentence that say two things: what and why, or why and what."""
    if _TAKEN_BACK.match(after.text):
        return True
    if after.why != before.why:
        return after.why or isinstance(after.intent, COMMANDS)
    return isinstance(after.intent, COMMANDS) and before.idle


def _without_what_was_taken_back(parts: list[_Part]) -> list[_Part]:
    """The parts from the last change of mind on: what a "no wait" stands before counts, not what it stands after."""
    for place in range(len(parts) - 1, -1, -1):
        found = _TAKEN_BACK.search(parts[place].text)
        if not found:
            continue
        head = [_part(parts[place].text[: found.start()].rstrip(" ,.!?"))] if found.start() else []
        before = [*parts[:place], *head]
        if not any(isinstance(part.intent, COMMANDS) for part in before):
            continue
        rest = [_part(parts[place].text[found.end() :]), *parts[place + 1 :]]
        rest = [part for part in rest if part.text and not part.sentence.wordless]
        if all(part.why for part in rest) and rest:
            return [*before, *rest]
        ordered = any(isinstance(part.intent, Order) for part in before)
        return [_as_order(part) if ordered else part for part in rest]
    return parts


def _as_order(part: _Part) -> _Part:
    """A name after an order is what shall be ordered."""
    return replace(part, intent=Order(part.intent.text)) if isinstance(part.intent, Mention) else part


def _joined(parts: Sequence[_Part], whole: Sentence) -> Reading:
    main = _main(parts)
    if main is None:
        return Reading(_answering(parts, whole), whole, whole)
    reason = " ".join(part.text for part in parts if part is not main and part.why)
    intent = main.intent
    if not reason and isinstance(intent, ASKED_FOR):
        after = parts[parts.index(main) + 1 :]
        reason = next((part.text for part in after if part.told), "")
    if isinstance(intent, Order):
        intent = _everything_ordered(intent, parts)
    if isinstance(intent, Mention) and (is_other(intent.text) or _corrects(main, whole)):
        intent = Order(intent.text)
    return Reading(_because(intent, bare_reason(reason).rstrip(" ?")), whole, main.sentence)


def _main(parts: Sequence[_Part]) -> _Part | None:
    """The part that asks for something: the last that wants food, else the last that wants to know something."""
    asking = [part for part in parts if not part.why and not part.idle and not part.lost]
    wanting = [part for part in asking if isinstance(part.intent, ASKED_FOR)]
    commands = [part for part in asking if isinstance(part.intent, COMMANDS)]
    return next((found[-1] for found in (wanting, commands, asking) if found), None)


def _answering(parts: Sequence[_Part], whole: Sentence) -> Intent:
    """Nothing is asked for: a yes or a no with its reason, small talk, or nothing that could be understood."""
    reason = " ".join(part.text for part in parts if part.why)
    for part in parts:
        if isinstance(part.intent, Yes | No | Pick):
            return _because(part.intent, bare_reason(reason))
    if reason and (whole.says_yes or whole.says_no):
        return Yes(bare_reason(reason)) if whole.says_yes else No(bare_reason(reason))
    if len(parts) == 1:
        return parts[0].intent
    return next((part.intent for part in parts if part.idle and not reason), SmallTalk("lost"))


def _everything_ordered(intent: Order, parts: Sequence[_Part]) -> Order:
    """Dishes ordered in several sentences become the dishes of one order, of which one is chosen."""
    orders = [part.intent for part in parts if isinstance(part.intent, Order) and not part.why and part.intent.dish]
    if len(orders) < 2:
        return intent
    return replace(intent, dish=" and ".join(order.dish for order in orders))


def _corrects(main: _Part, whole: Sentence) -> bool:
    """A no, and what is wanted in place of it."""
    return whole.says_no and bool(_A_THING.match(main.sentence.core))


def _because(intent: Intent, reason: str) -> Intent:
    """The intent with this reason, where it can have one and has none yet."""
    if reason and isinstance(intent, WITH_REASON) and not intent.reason:
        return replace(intent, reason=reason)
    return intent

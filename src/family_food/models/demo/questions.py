"""What was asked of the person is answered first: a reason, a choice, a yes or no."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from family_food.models.demo import facts
from family_food.models.demo.asking import ask_for_dish, ask_for_place, ask_reason_again, make
from family_food.models.demo.browsing import open_menu
from family_food.models.demo.deciding import Case, carry_out
from family_food.models.demo.intents import (
    AskAgain,
    AskFor,
    Choices,
    Decide,
    Greeting,
    Intent,
    Mention,
    Menu,
    No,
    Order,
    Orders,
    Pick,
    Price,
    Requests,
    Restaurants,
    SmallTalk,
    Yes,
)
from family_food.models.demo.memory import (
    Memory,
    OrderIt,
    Place,
    ReasonNeeded,
    WhatDish,
    WhichDish,
    WhichPlace,
    WhichRequest,
)
from family_food.models.demo.names import find, mentions_all
from family_food.models.demo.numerals import bare_position
from family_food.models.demo.ordering import order, place
from family_food.models.demo.plan import Plan, Scene, say
from family_food.models.demo.search import is_pointer
from family_food.models.demo.reasons import bare_reason
from family_food.models.demo.sentence import Sentence

_DROPPED = "All right, I'll leave it. Anything else?"
_NO_REASON = re.compile(
    r"(?:why|why (?:not|do you .*|should i .*|does it .*)|what|huh|idk|i (?:don'?t|do not) know|dunno|not sure|no (?:idea|reason)|just because|"
    r"because|reason|the reason|hm+|um+|uh+|well|maybe|lol|so|none|nothing|pretty please)*",
    re.IGNORECASE,
)
# In an answer to "why?", only words that start like a command or a question are one.
_COMMANDING = re.compile(
    r"(?:what|which|how|show|list|see|open|is|are|can|could|may|do|does|did|has|have|was|will|any|ask|request|menu|order|tell|"
    r"who|where|when|pending|status|get|buy|give|bring|my (?:orders|requests)|restaurants|approve|deny|reject|accept)\b",
    re.IGNORECASE,
)
_SAYS_NO_FIRST = re.compile(
    r"(?:no|nope|nah)\s*(?:[,.!;:-]|$|because\b|i\b|thanks\b|that\b|it\b|forget\b|not\b|don)"
    r"|(?:please )?(?:don'?t|do not) (?:ask|bother|send|tell|request|order)\b|(?:never ?mind|forget it|drop it)\b"
    r"|(?:actually,? )?i (?:don'?t|do not) (?:want|need) (?:it|to|that|this|any)\b|(?:actually,? )?i changed my mind\b"
    r"|i'?d rather not\b",
    re.IGNORECASE,
)
_COMMANDS = (AskAgain, AskFor, Choices, Decide, Menu, Order, Orders, Price, Requests, Restaurants)
_MOST_WORDS_OF_A_CHOICE = 8


def answer(sentence: Sentence, intent: Intent, scene: Scene) -> Plan | None:
    """The plan for an answer to the open question; None when the words are about something else."""
    question = scene.memory.question
    fresh = scene.remembering(scene.memory.asking(None))
    if question is None:
        return None
    if isinstance(intent, No) or (isinstance(intent, SmallTalk) and intent.topic == "cancel"):
        return say(_DROPPED, fresh.memory)
    return _ANSWERED[question.kind](question, sentence, intent, fresh)


def _reason(question: ReasonNeeded, sentence: Sentence, intent: Intent, scene: Scene) -> Plan | None:
    if isinstance(intent, Greeting) or (isinstance(intent, SmallTalk) and intent.topic != "lost"):
        return None
    if isinstance(intent, AskFor) and (not intent.target or is_pointer(intent.target)):
        return make(question, intent.reason, scene) if intent.reason else ask_reason_again(question, scene)
    if isinstance(intent, _COMMANDS) and _is_command(sentence, intent):
        return None
    if _SAYS_NO_FIRST.match(sentence.text):
        return say(_DROPPED, scene.memory)
    reason = intent.reason if isinstance(intent, Yes) else bare_reason(sentence.text)
    letters = sum(character.isalpha() for character in reason)
    if letters < 2 or isinstance(intent, Pick) or _NO_REASON.fullmatch(re.sub(r"[\s,.!?]+", " ", reason).strip()):
        return ask_reason_again(question, scene)
    return make(question, reason, scene)


def _is_command(sentence: Sentence, intent: Intent) -> bool:
    if isinstance(intent, Order):
        return not intent.soft or bool(_SAYS_NO_FIRST.match(sentence.text))
    return sentence.question or bool(_COMMANDING.match(sentence.core))


def _which_dish(question: WhichDish, sentence: Sentence, intent: Intent, scene: Scene) -> Plan | None:
    reason = question.reason or (intent.reason if isinstance(intent, Yes | Order) else "")
    chosen = _chosen(
        question.options, sentence, intent, [f"{one.name} {one.restaurant_name}" for one in question.options]
    )
    if chosen is None:
        if isinstance(intent, Yes | Pick):
            return say("Which one? Tell me its number or its name.", scene.memory.asking(question))
        return None
    dish = question.options[chosen]
    return ask_for_dish(dish, reason, scene) if question.purpose == "approval" else place(dish, scene, reason)


def _order_it(question: OrderIt, sentence: Sentence, intent: Intent, scene: Scene) -> Plan | None:
    if isinstance(intent, Yes):
        return place(question.dish, scene, intent.reason or question.reason)
    if isinstance(intent, Order) and (not intent.dish or is_pointer(intent.dish)) and not intent.restaurant:
        return place(question.dish, scene, intent.reason or question.reason)
    return None


def _which_place(question: WhichPlace, sentence: Sentence, intent: Intent, scene: Scene) -> Plan | None:
    chosen = _chosen(question.options, sentence, intent, [one.name for one in question.options])
    if chosen is None:
        if isinstance(intent, Yes | Pick):
            return say("Which one? Tell me its number or its name.", scene.memory.asking(question))
        return None
    where = question.options[chosen]
    return open_menu(where, scene) if question.purpose == "menu" else _ask_access(where, question.reason, scene)


def _ask_access(where: Place, reason: str, scene: Scene) -> Plan:
    listed = yield from facts.restaurants()
    found = next((one for one in listed if one.key == where.key), None)
    if found is None:
        return (yield from say(f"{where.name} is not on the list any more.", scene.memory))
    return (yield from ask_for_place(found, reason, scene))


def _what_dish(question: WhatDish, sentence: Sentence, intent: Intent, scene: Scene) -> Plan | None:
    position = _position(intent, sentence, len(question.options))
    if position is not None:
        return place(question.options[position], scene)
    if isinstance(intent, Yes):
        return say("Which dish would you like?", scene.memory.asking(question))
    if not isinstance(intent, Mention):
        return None
    named = find(intent.text, question.options, lambda dish: dish.name).sure
    if len(named) == 1:
        return place(named[0], scene)
    where = question.place.name if question.place and named else ""
    return order(Order(intent.text, where), scene) if named or question.place is None else None


def _which_request(question: WhichRequest, sentence: Sentence, intent: Intent, scene: Scene) -> Plan | None:
    chosen = _position(intent, sentence, len(question.options))
    if chosen is None and isinstance(intent, Mention):
        meant = [place for place, one in enumerate(question.options) if mentions_all(intent.text, one.words)]
        chosen = meant[0] if len(meant) == 1 else None
    if chosen is None:
        if isinstance(intent, Yes | Pick):
            return say("Which one? Tell me its number.", scene.memory.asking(question))
        return None
    return carry_out([Case(question.options[chosen], question.verb, question.comment)], scene)


def _chosen(options: Sequence[object], sentence: Sentence, intent: Intent, labels: Sequence[str]) -> int | None:
    """Which option was chosen: by number, by name, or as the only one by a yes."""
    if isinstance(intent, Yes):
        return 0 if len(options) == 1 else None
    position = _position(intent, sentence, len(options))
    if position is not None or isinstance(intent, Pick):
        return position
    if not isinstance(intent, Mention | Order | Menu) or len(sentence.core.split()) > _MOST_WORDS_OF_A_CHOICE:
        return None
    phrase = f"{intent.dish} {intent.restaurant}" if isinstance(intent, Order) else sentence.core
    named = find(phrase, range(len(options)), lambda place: labels[place]).sure
    return named[0] if len(named) == 1 else None


def _position(intent: Intent, sentence: Sentence, count: int) -> int | None:
    number = intent.number if isinstance(intent, Pick) else None
    if isinstance(intent, Order):
        number = bare_position(intent.dish)
    if number is None:
        return None
    place = number - 1 if number > 0 else count + number
    return place if 0 <= place < count else None


_ANSWERED: dict[str, Callable[[Any, Sentence, Intent, Scene], Plan | None]] = {
    "reason": _reason,
    "which_dish": _which_dish,
    "order_it": _order_it,
    "which_place": _which_place,
    "what_dish": _what_dish,
    "which_request": _which_request,
}


def keeps_question(intent: Intent, memory: Memory) -> bool:
    """Small talk leaves a missing reason open; a choice or a yes is an answer only to what was asked just before."""
    return isinstance(memory.question, ReasonNeeded) and isinstance(intent, SmallTalk | Greeting)

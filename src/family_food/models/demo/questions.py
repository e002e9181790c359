"""What was asked of the person is answered first: a reason, a choice, a yes or no."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from family_food.models.demo import facts
from family_food.models.demo.asking import ask_for_dish, ask_for_place, ask_reason_again, make
from family_food.models.demo.browsing import open_menu
from family_food.models.demo.deciding import Case, carry_out
from family_food.models.demo.intents import (
    COMMANDS,
    AskFor,
    Decide,
    Greeting,
    Intent,
    Mention,
    No,
    Order,
    Pick,
    PickAll,
    Price,
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
from family_food.models.demo.names import find, mentions_all, names
from family_food.models.demo.ordering import ONE_AT_A_TIME, order, order_unless, place
from family_food.models.demo.picking import chosen, named_by, position
from family_food.models.demo.plan import Plan, Scene, say
from family_food.models.demo.reading import Reading
from family_food.models.demo.reasons import bare_reason, plainly_reason
from family_food.models.demo.search import is_other, is_pointer

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
_ABOUT_IT = re.compile(r"(?:it|that|this|them|one)\b", re.IGNORECASE)
_WHICH = "Which one? Tell me its number or its name."


def answer(reading: Reading, scene: Scene) -> Plan | None:
    """The plan for an answer to the open question; None when the words are about something else."""
    question, intent = scene.memory.question, reading.intent
    fresh = scene.remembering(scene.memory.asking(None))
    if question is None:
        return None
    if isinstance(intent, No) or (isinstance(intent, SmallTalk) and intent.topic == "cancel"):
        return say(_DROPPED, fresh.memory)
    return _ANSWERED[question.kind](question, reading, intent, fresh)


def _reason(question: ReasonNeeded, reading: Reading, intent: Intent, scene: Scene) -> Plan | None:
    said_no = bool(_SAYS_NO_FIRST.match(reading.whole.text))
    if _changes_subject(intent, reading, question, said_no=said_no):
        return None
    if said_no:
        return say(_DROPPED, scene.memory)
    reason = _reason_in(question, reading, intent)
    if not reason:
        return ask_reason_again(question, scene)
    if isinstance(intent, Order) and intent.dish and not _ABOUT_IT.match(intent.dish):
        # "I'd like ..." is a wish or a reason: the menus tell whether there is such a dish.
        return order_unless(make(question, reason, scene), intent, scene)
    return make(question, reason, scene)


def _changes_subject(intent: Intent, reading: Reading, question: ReasonNeeded, *, said_no: bool) -> bool:
    """The words are about something else than the reason that is needed."""
    if isinstance(intent, Greeting) or (isinstance(intent, SmallTalk) and intent.topic != "lost"):
        return True
    if _names_it(intent, question):
        return False
    if isinstance(intent, Order):
        return not intent.soft or said_no
    return isinstance(intent, (*COMMANDS, Decide)) and (
        reading.whole.question or bool(_COMMANDING.match(reading.main.core))
    )


def _reason_in(question: ReasonNeeded, reading: Reading, intent: Intent) -> str:
    """The reason that the words give; "" when they give none."""
    if plainly_reason(reading.whole.text):
        return bare_reason(reading.whole.text)
    if isinstance(intent, Yes | AskFor) and not intent.reason:
        return question.earlier
    if isinstance(intent, Yes | AskFor | Order | Price | Mention) and (intent.reason or _names_it(intent, question)):
        return (
            intent.reason if _names_it(intent, question) or isinstance(intent, Yes) else bare_reason(reading.whole.text)
        )
    reason = bare_reason(reading.whole.text)
    letters = sum(character.isalpha() for character in reason)
    nothing = letters < 2 or isinstance(intent, Pick) or _NO_REASON.fullmatch(re.sub(r"[\s,.!?]+", " ", reason).strip())
    return "" if nothing else reason


def _names_it(intent: Intent, question: ReasonNeeded) -> bool:
    """The words are about what the reason is needed for, and add at most the reason."""
    if not isinstance(intent, AskFor | Order | Price | Mention):
        return False
    if isinstance(intent, AskFor):
        return not intent.target or is_pointer(intent.target) or names(intent.target, question.name)
    if isinstance(intent, Mention):
        return names(intent.text, question.name)
    place = question.want.place.name if question.want else ""
    if isinstance(intent, Price) and not intent.may:  # what it costs is a question, no answer
        return False
    here = not intent.restaurant or names(intent.restaurant, place)
    return here and (names(intent.dish, question.name) or is_pointer(intent.dish))


def _which_dish(question: WhichDish, reading: Reading, intent: Intent, scene: Scene) -> Plan | None:
    reason = getattr(intent, "reason", "") or question.reason
    labels = [f"{one.name} {one.restaurant_name}" for one in question.options]
    place_of = chosen(reading.main, intent, labels)
    if place_of is None:
        again = scene.memory.asking(question)
        if isinstance(intent, PickAll):
            return say(f"{ONE_AT_A_TIME}. Which one first?", again)
        return say(_WHICH, again) if isinstance(intent, Yes | Pick) else None
    dish = question.options[place_of]
    return ask_for_dish(dish, reason, scene) if question.purpose == "approval" else place(dish, scene, reason)


def _order_it(question: OrderIt, reading: Reading, intent: Intent, scene: Scene) -> Plan | None:
    reason = getattr(intent, "reason", "") or question.reason
    if isinstance(intent, Yes):
        return place(question.dish, scene, reason)
    if isinstance(intent, Order) and (not intent.dish or is_pointer(intent.dish)) and not intent.restaurant:
        return place(question.dish, scene, reason)
    words = named_by(intent, reading.main) if isinstance(intent, Order | Mention) else ""
    label = f"{question.dish.name} {question.dish.restaurant_name}"
    return place(question.dish, scene, reason) if words and names(words, question.dish.name, label) else None


def _which_place(question: WhichPlace, reading: Reading, intent: Intent, scene: Scene) -> Plan | None:
    place_of = chosen(reading.main, intent, [one.name for one in question.options])
    if place_of is None:
        return say(_WHICH, scene.memory.asking(question)) if isinstance(intent, Yes | Pick) else None
    where = question.options[place_of]
    reason = getattr(intent, "reason", "") or question.reason
    return open_menu(where, scene) if question.purpose == "menu" else _ask_access(where, reason, scene)


def _ask_access(where: Place, reason: str, scene: Scene) -> Plan:
    listed = yield from facts.restaurants()
    found = next((one for one in listed if one.key == where.key), None)
    if found is None:
        return (yield from say(f"{where.name} is not on the list any more.", scene.memory))
    return (yield from ask_for_place(found, reason, scene))


def _what_dish(question: WhatDish, reading: Reading, intent: Intent, scene: Scene) -> Plan | None:
    reason = getattr(intent, "reason", "")
    place_of = position(intent, len(question.options))
    if place_of is not None:
        return place(question.options[place_of], scene, reason)
    if isinstance(intent, Yes):
        return say("Which dish would you like?", scene.memory.asking(question))
    words = named_by(intent, reading.main) if isinstance(intent, Mention | Order) else ""
    if not words or is_other(words):
        return None
    named = find(words, question.options, lambda dish: f"{dish.name} {dish.restaurant_name}").sure
    if len(named) == 1:
        return place(named[0], scene, reason, intent.count if isinstance(intent, Order) else 1)
    if isinstance(intent, Order):
        return None
    where = question.place.name if question.place and named else ""
    return order(Order(words, where, reason), scene) if named or question.place is None else None


def _which_request(question: WhichRequest, reading: Reading, intent: Intent, scene: Scene) -> Plan | None:
    options = question.options
    place_of = position(intent, len(options))
    meant = [] if place_of is None else [options[place_of]]
    if isinstance(intent, Mention):
        named = [one for one in options if mentions_all(intent.text, one.words)]
        meant = named if len(named) == 1 else []
    if isinstance(intent, PickAll):
        meant = options if len(options) == 2 or not intent.both else []
    if not meant:
        which = "Which one? Tell me its number."
        return say(which, scene.memory.asking(question)) if isinstance(intent, Yes | Pick | PickAll) else None
    return carry_out([Case(one, question.verb, question.comment) for one in meant], scene)


_ANSWERED: dict[str, Callable[[Any, Reading, Intent, Scene], Plan | None]] = {
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

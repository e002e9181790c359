"""From a sentence to what it means: ordered rules, the first that fits wins. Nothing here knows a fact of the family."""

from __future__ import annotations

import re
from collections.abc import Callable

from family_food.models.demo import phrases, talk_phrases
from family_food.models.demo.intents import (
    AskAgain,
    AskFor,
    Choices,
    Intent,
    Mention,
    Menu,
    No,
    Order,
    Orders,
    Pick,
    PickAll,
    Price,
    Requests,
    Restaurants,
    SmallTalk,
    Yes,
)
from family_food.models.demo.numerals import bare_position, number
from family_food.models.demo.reasons import bare_reason, split_because, split_reason
from family_food.models.demo.rulings import read_decision, read_talk_of_deciding
from family_food.models.demo.sentence import Sentence, without_tail

# A few words without a verb may be a name; more are a sentence that was not understood.
_MOST_WORDS_OF_A_NAME = 5


def understand(sentence: Sentence) -> Intent:
    """What the sentence means on its own, whatever was said before."""
    if sentence.wordless:
        return SmallTalk("help") if sentence.question else SmallTalk("lost")
    if sentence.too_long:
        return SmallTalk("long")
    for rule in (*_AT_ONCE, *_RULES):
        intent = rule(sentence)
        if intent is not None:
            return intent
    words = sentence.core.split()
    return Mention(sentence.core) if 0 < len(words) <= _MOST_WORDS_OF_A_NAME else SmallTalk("lost")


def understand_whole(sentence: Sentence) -> Intent | None:
    """What a message means that must be read as a whole: small talk, a bare answer, a decision; None for all else."""
    return next((intent for rule in _AT_ONCE if (intent := rule(sentence)) is not None), None)


def read_order(what: str, *, soft: bool = False) -> Order:
    """Dish, restaurant, count and reason out of the object of an order."""
    what, reason = split_reason(what, any_rest=False)
    what = phrases.NO_PART_OF_A_NAME.sub("", without_tail(what))
    place = phrases.FROM.search(what)
    dish = what[: place.start()].strip() if place else what
    count = phrases.COUNT.match(dish)
    many = number(count["count"] or count["times"] or "two") if count else 1
    if place and place["more"]:
        many = max(many, 2)
    dish = dish[count.end() :] if count else dish
    if phrases.VAGUE.match(dish):
        dish = ""
    return Order(dish, place["place"].strip() if place else "", reason, max(many, 1), soft)


def _talk(sentence: Sentence) -> Intent | None:
    whole = without_tail(sentence.text) if sentence.question else sentence.text.strip(" .!,;:")
    for text in (whole, sentence.core):
        for pattern, intent in talk_phrases.TALK:
            if text and pattern.fullmatch(text):
                return intent
    return None


def _yes_or_no(sentence: Sentence) -> Intent | None:
    whole = sentence.text.strip(" .!?,")
    if talk_phrases.PLAIN_NO.fullmatch(whole):
        return No()
    if talk_phrases.PLAIN_YES.fullmatch(whole):
        return Yes()
    what, reason = split_because(sentence.text)
    yes = sentence.says_yes and reason and talk_phrases.PLAIN_YES.fullmatch(what.strip(" .!,"))
    return Yes(bare_reason(reason)) if yes else None


def _pick(sentence: Sentence) -> Intent | None:
    position = bare_position(sentence.core)
    if position is not None:
        return Pick(position)
    everything = phrases.ALL.fullmatch(sentence.core)
    return PickAll(both=bool(everything["both"])) if everything else None


def _orders(sentence: Sentence) -> Intent | None:
    ordering = re.match(r"(?i)(?:order|get|buy) (?!history)", sentence.core)
    return Orders() if phrases.ORDERS.search(sentence.core) and not ordering else None


def _asking(sentence: Sentence) -> Intent | None:
    again = phrases.AGAIN.match(sentence.core)
    if again and not re.match(r"(?i)(?:for|to|if|about)\b", again["rest"]):
        return AskAgain(bare_reason(again["rest"]))
    if phrases.REQUESTS.search(sentence.core) and not re.match(r"(?i)(?:please )?(?:request|ask)\b ", sentence.core):
        return None
    for pattern in phrases.ASKS:
        match = pattern.match(sentence.core)
        if match:
            target, reason = split_reason(match["target"], any_rest=True)
            return AskFor(target, reason or ("" if target else split_because(sentence.core)[1]))
    return None


def _waiting(sentence: Sentence) -> Intent | None:
    if phrases.MY_REQUESTS.search(sentence.core) or phrases.STATUS.search(sentence.core):
        return Requests(mine=True)
    if phrases.REQUESTS.search(sentence.core):
        decided = phrases.DECIDED.search(sentence.core)
        return Requests(status=decided[1].lower() if decided else "pending")  # type: ignore[arg-type]
    return None


def _menu(sentence: Sentence) -> Intent | None:
    if phrases.PLACES.search(sentence.core) and not re.search(r"(?i)\b(?:menu|order)\b", sentence.core):
        return Restaurants()
    for pattern in phrases.MENUS:
        match = pattern.match(sentence.core)
        if match:
            place = phrases.THE_PLACE.sub("", match["place"].strip())
            return Menu("" if phrases.SPOKEN_OF.fullmatch(place) else place)
    return None


def _choices(sentence: Sentence) -> Intent | None:
    ordering = phrases.ORDER.match(sentence.core)
    if ordering and ordering["what"] and not phrases.VAGUE.match(ordering["what"]):
        return None
    if not phrases.CHOICES.search(sentence.core) or phrases.AT_A_PLACE.search(sentence.core):
        return None
    limit = phrases.UP_TO.search(sentence.core)
    cents = int(limit["units"]) * 100 + int(limit["cents"] or 0) if limit else None
    return Choices(
        bool(phrases.FREELY.search(sentence.core)), cents, bool(phrases.CHEAPEST.search(sentence.core) and not cents)
    )


def _price(sentence: Sentence) -> Intent | None:
    for pattern in phrases.PRICES:
        match = pattern.match(sentence.core)
        if match:
            asked = read_order(match["dish"])
            may = bool(
                re.match(r"(?i)(?:(?:can|could|may|am|are) (?:i|we)|(?:is|are) there|any|do(?:es)?)\b", sentence.core)
            )
            return Price(asked.dish, asked.restaurant, may)
    return None


def _order(sentence: Sentence) -> Intent | None:
    ordered = phrases.ORDER.match(sentence.core)
    if ordered:
        return read_order(ordered["what"])
    for pattern in phrases.WISHES:
        match = pattern.match(sentence.core)
        if match:
            return read_order(match["what"], soft=not re.search(r"(?i)\binstead\b", sentence.core))
    return None


_AT_ONCE: tuple[Callable[[Sentence], Intent | None], ...] = (_talk, _yes_or_no, _pick, read_decision)
_RULES: tuple[Callable[[Sentence], Intent | None], ...] = (
    _orders,
    _asking,
    _waiting,
    read_talk_of_deciding,
    _choices,
    # Places come before prices: "where can we eat?" asks for restaurants.
    lambda sentence: Restaurants() if phrases.PLACES.match(sentence.core) else None,
    _price,
    _menu,
    _order,
)

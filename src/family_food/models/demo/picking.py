"""Which of the things that were offered somebody means: by number, by name, as the only one."""

from __future__ import annotations

from collections.abc import Sequence

from family_food.models.demo.intents import Intent, Mention, Menu, Order, Pick, Price, Yes
from family_food.models.demo.names import find
from family_food.models.demo.numerals import bare_position
from family_food.models.demo.sentence import Sentence

_MOST_WORDS_OF_A_CHOICE = 8


def chosen(sentence: Sentence, intent: Intent, labels: Sequence[str]) -> int | None:
    """The place of the option that is meant; None when the words choose none, or more than one."""
    if isinstance(intent, Yes):
        return 0 if len(labels) == 1 else None
    place = position(intent, len(labels))
    if place is not None or isinstance(intent, Pick):
        return place
    named = (
        find(words, range(len(labels)), lambda place: labels[place]).sure
        if (words := named_by(intent, sentence))
        else []
    )
    return named[0] if len(named) == 1 else None


def named_by(intent: Intent, sentence: Sentence) -> str:
    """The words that may name one of the options; "" when these are no such words."""
    if len(sentence.core.split()) > _MOST_WORDS_OF_A_CHOICE:
        return ""
    if isinstance(intent, Order | Price):
        return f"{intent.dish} {intent.restaurant}".strip()
    return sentence.core if isinstance(intent, Mention | Menu) else ""


def position(intent: Intent, count: int) -> int | None:
    """The place among ``count`` things that a number means; None when there is no such number, or no such thing."""
    number = intent.number if isinstance(intent, Pick) else None
    if isinstance(intent, Order):
        number = bare_position(intent.dish)
    if number is None:
        return None
    place = number - 1 if number > 0 else count + number
    return place if 0 <= place < count else None

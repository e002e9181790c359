"""From the cause of a turn to its plan. Only a message of the person is read for what it means."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from family_food.messages import EventMessage, UserMessage
from family_food.models.demo import asking, browsing, deciding, events, following, ordering, small_talk
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
    Unclear,
)
from family_food.models.demo.plan import Plan, Scene, say
from family_food.models.demo.questions import answer, keeps_question
from family_food.models.demo.sentence import Sentence
from family_food.models.demo.understanding import understand

_NOTHING_OPEN = (
    "I'm not sure what you mean by that: I have no open question. Say \u201chelp\u201d to see what I can do."
)
_YES_OR_NO_TO_A_REQUEST = 'I only decide on a clear word: say "approve it" or "deny it", with a comment if you like.'


def choose_plan(cause: UserMessage | EventMessage | None, scene: Scene) -> Plan:
    """The plan of a turn that this cause started."""
    if cause is None:
        return small_talk.small_talk(SmallTalk("help"), scene)
    if isinstance(cause, EventMessage):
        return events.react(cause, scene)
    sentence = Sentence.of(cause.text)
    intent = understand(sentence)
    answered = answer(sentence, intent, scene)
    if answered is not None:
        return answered
    if not keeps_question(intent, scene.memory):
        scene = scene.remembering(scene.memory.asking(None))
    return _PLANS.get(type(intent), _without_facts)(intent, scene)


def _without_facts(intent: Intent, scene: Scene) -> Plan:
    """A yes, a no or a number to nothing."""
    return say("All right." if isinstance(intent, No) else _bare(intent, scene), scene.memory)


# Each kind of intent has one plan; the keys say which type each function is given.
_PLANS: dict[type[Intent], Callable[[Any, Scene], Plan]] = {
    SmallTalk: small_talk.small_talk,
    Greeting: lambda _, scene: small_talk.greet(scene),
    Restaurants: lambda _, scene: small_talk.show_restaurants(scene),
    Menu: browsing.show_menu,
    Choices: browsing.show_choices,
    Price: browsing.tell_price,
    Mention: browsing.look_up,
    Order: ordering.order,
    AskFor: asking.ask_for,
    AskAgain: lambda intent, scene: asking.ask_again(intent.reason, scene),
    Requests: following.show_requests,
    Orders: lambda _, scene: following.show_orders(scene),
    Decide: deciding.decide,
    Unclear: lambda _, scene: deciding.unclear(scene),
}


def _bare(intent: Intent, scene: Scene) -> str:
    if scene.reviews and (scene.memory.pointed or (scene.memory.listed and isinstance(intent, Pick))):
        return _YES_OR_NO_TO_A_REQUEST
    return _NOTHING_OPEN

"""From the cause of a turn to its plan. Only a message of the person is read for what it means."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from family_food.messages import EventMessage, UserMessage
from family_food.models.demo import asking, browsing, deciding, events, following, ordering, small_talk
from family_food.models.demo.asks import Refused
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
    PickAll,
    Price,
    Requests,
    Restaurants,
    SmallTalk,
    Unclear,
    Yes,
)
from family_food.models.demo.memory import Memory
from family_food.models.demo.plan import Plan, Reply, Scene, say
from family_food.models.demo.questions import answer, keeps_question
from family_food.models.demo.reading import read
from family_food.models.demo.resuming import carry_on
from family_food.models.demo.troubles import explain
from family_food.models.demo.wording import paragraphs

_NOTHING_OPEN = (
    "I'm not sure what you mean by that: I have no open question. Say \u201chelp\u201d to see what I can do."
)
_YES_OR_NO_TO_A_REQUEST = (
    'I only decide on a clear word: say "approve 1", "deny 1" or "approve both", and why if you like.'
)


def choose_plan(causes: Sequence[UserMessage | EventMessage], scene: Scene) -> Plan:
    """The plan of a turn: react to what happened, then answer the last words of the person, if they came last.

    Words that were left unanswered before are not acted on: that turn failed or was stopped.
    """
    if not causes:
        return (yield from small_talk.small_talk(SmallTalk("help"), scene))
    told: list[str] = []
    memory = scene.memory
    said = causes[-1] if isinstance(causes[-1], UserMessage) else None
    for event in causes:
        if isinstance(event, EventMessage):
            if said is not None and event.event == "request_created":  # the person was told; it is only to be known
                memory = events.noted(event, memory)
                continue
            reply = yield from _guarded(_react(event, causes, scene.remembering(memory)), memory)
            told.append(reply.text)
            memory = reply.memory
    if said is None:
        return Reply(paragraphs(*told), memory)
    # The words answer what was asked before them, not what the events have just led to.
    before = memory.asking(scene.memory.question)
    reply = yield from _guarded(_answer(said, scene.remembering(before)), before.asking(None))
    after = reply.memory if reply.memory.question or not told else reply.memory.asking(memory.question)
    return Reply(paragraphs(*told, reply.text), after)


def _react(event: EventMessage, causes: Sequence[UserMessage | EventMessage], scene: Scene) -> Plan:
    if event.event != "turn_interrupted":
        return events.react(event, scene)

    def again(before: Sequence[UserMessage | EventMessage]) -> Plan:
        # Events that this turn begins with as well have had their reaction.
        done = [cause for cause in causes if isinstance(cause, EventMessage)]
        left = [cause for cause in before if not any(cause is other for other in done)]
        return choose_plan(left, scene) if left else say("", scene.memory)

    return carry_on(scene, again)


def _answer(message: UserMessage, scene: Scene) -> Plan:
    reading = read(message.text)
    intent = reading.intent
    answered = answer(reading, scene)
    if answered is not None:
        return answered
    if not keeps_question(intent, scene.memory):
        scene = scene.remembering(scene.memory.asking(None))
    return _PLANS.get(type(intent), _without_facts)(intent, scene)


def _guarded(plan: Plan, memory: Memory) -> Plan:
    """The plan, with an explanation in words where it gives up on a refused call."""
    try:
        return (yield from plan)
    except Refused as refusal:
        return Reply(explain(refusal.trouble), memory)


def _without_facts(intent: Intent, scene: Scene) -> Plan:
    """A yes, a no or a number to nothing."""
    memory = scene.memory
    if scene.reviews and memory.pointed is not None and isinstance(intent, Yes | No):
        return deciding.ask_for_the_word(intent, memory.pointed, memory)
    if scene.reviews and memory.listed and isinstance(intent, Yes | No | Pick | PickAll):
        return say(_YES_OR_NO_TO_A_REQUEST, memory)
    if isinstance(intent, PickAll):
        return browsing.show_choices(Choices(), scene)
    return say("All right." if isinstance(intent, No) else _NOTHING_OPEN, memory)


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

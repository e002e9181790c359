"""Words that need no facts, or hardly any."""

from __future__ import annotations

from family_food.models.demo import facts
from family_food.models.demo.asks import Refused, together
from family_food.models.demo.facts import Restaurant
from family_food.models.demo.intents import SmallTalk
from family_food.models.demo.memory import Memory, ReasonNeeded
from family_food.models.demo.plan import Plan, Reply, Scene, say
from family_food.models.demo.wording import bullets, paragraphs, restaurant_line, sentences

_EATER = (
    'look around: "what restaurants are there?", "what can I eat?", "show me the menu of ..."',
    'order: "order ... from ..."',
    'ask a parent, when something needs one: "ask for access to ..., because ..."',
    'follow up: "did they answer?", "my orders"',
)
_REVIEWER = (
    'look around: "what restaurants are there?", "show me the menu of ..."',
    'order: "order ... from ..."',
    'see what is asked of you: "any requests?"',
    'decide: "approve 1", "deny the second one, not before dinner"',
    'look back: "what did we order?"',
)
_WORDS = {
    "thanks": "You're welcome!",
    "bye": "Goodbye, and enjoy your meal!",
    "how": "I'm fine, thank you, and always a little hungry.",
    "who": "I'm the offline demo model: no language model and no network, just a small program that understands simple "
    "English about food. Everything I tell you I look up with the same tools a real model would use.",
    "cancel": "I can't take back what was ordered or asked for: I have no tool for that. A parent can still say no to "
    "an open request.",
    "long": "That's more than I can read at once. A sentence or two is enough for me.",
    "lost": "Sorry, I didn't understand that.",
}


def small_talk(intent: SmallTalk, scene: Scene) -> Plan:
    """A friendly word; what was asked of the person stays open."""
    words = _WORDS.get(intent.topic, "")
    abilities = ability_list(scene) if intent.topic in ("help", "lost", "who") else ""
    return say(paragraphs(words, abilities, reminder(scene.memory)), scene.memory)


def ability_list(scene: Scene) -> str:
    """What this person can ask for."""
    return "I can help you with the family's food. For example:\n" + bullets(_REVIEWER if scene.reviews else _EATER)


def reminder(memory: Memory) -> str:
    """The reason that is still missing, if one is."""
    open_question = memory.question
    if not isinstance(open_question, ReasonNeeded):
        return ""
    return f"I still need your reason to ask about {open_question.name}, or a \u201cno\u201d to drop it."


def greet(scene: Scene) -> Plan:
    """Hello, the restaurants, and for a reviewer what waits."""
    if not scene.reviews:
        places = yield from facts.restaurants()
        return Reply(
            paragraphs("Hello! " + place_list(places), "What would you like?", reminder(scene.memory)), scene.memory
        )
    found, waiting = yield from together(facts.restaurants(), facts.requests("pending", scene.tools))
    if isinstance(found, Refused):
        raise found
    count = 0 if isinstance(waiting, Refused) else len(waiting)
    verb = "request is" if count == 1 else "requests are"
    pending = f'{count} {verb} waiting for a decision: say "any requests?" to see.' if count else ""
    return Reply(paragraphs("Hello! " + place_list(found), pending, "What would you like?"), scene.memory)


def show_restaurants(scene: Scene) -> Plan:
    """Which restaurants there are."""
    places = yield from facts.restaurants()
    return Reply(paragraphs(place_list(places), "Whose menu would you like to see?" if places else ""), scene.memory)


def place_list(places: list[Restaurant]) -> str:
    """The restaurants, and how to get into the closed ones."""
    if not places:
        return "There is no restaurant on the list."
    closed = [place for place in places if place.remedy]
    ask = sentences(f'For the marked ones say "ask for access to {closed[0].name}" and why') if closed else ""
    return paragraphs("These are the restaurants:\n" + bullets(map(restaurant_line, places)), ask)

"""Looking around: menus, what may be eaten, what it costs."""

from __future__ import annotations

import re

from family_food.models.demo import facts
from family_food.models.demo.asking import noted_for_later, offer
from family_food.models.demo.asks import Refused
from family_food.models.demo.facts import Dish, Restaurant
from family_food.models.demo.intents import Choices, Mention, Menu, Price
from family_food.models.demo.memory import OrderIt, Place, Want, WhatDish, WhichDish, WhichPlace
from family_food.models.demo.names import find
from family_food.models.demo.plan import Plan, Reply, Scene, say
from family_food.models.demo.search import Search, closed_places, is_pointer, look_for
from family_food.models.demo.small_talk import ability_list
from family_food.models.demo.troubles import explain
from family_food.models.demo.wording import bullets, dish_line, menu_block, numbered, paragraphs, quoted, sentences

_EVERYTHING = re.compile(
    r"(?:all|everything|all (?:of )?(?:the )?(?:menus?|restaurants?|dishes|food)|the |menus?|food|dishes)+",
    re.IGNORECASE,
)
_MOST_CHEAP = 3
_A_THING = re.compile(r"(?:the|an?|some)\s", re.IGNORECASE)
_FREE = frozenset({"allowed", "approved"})


def show_menu(intent: Menu, scene: Scene) -> Plan:
    """The menu of the restaurant named, or of the one spoken of, or all."""
    if not intent.restaurant:
        spoken = scene.memory.place
        return (yield from (open_menu(spoken, scene) if spoken else show_choices(Choices(), scene)))
    if _EVERYTHING.fullmatch(intent.restaurant):
        return (yield from show_choices(Choices(), scene))
    places = yield from facts.restaurants()
    named = find(intent.restaurant, places, lambda one: one.name).sure
    if len(named) == 1:
        return (yield from open_menu(Place(key=named[0].key, name=named[0].name), scene))
    if named:
        options = [Place(key=one.key, name=one.name) for one in named]
        text = paragraphs("Which restaurant do you mean?", numbered(option.name for option in options))
        return Reply(text, scene.memory.asking(WhichPlace(purpose="menu", options=options)))
    search = yield from look_for(intent.restaurant, [one for one in places if one.open])
    if search.sure:
        return _tell(search, scene, may=True)
    text = f"I don't know a restaurant or a dish called {quoted(intent.restaurant)}. The restaurants are:\n"
    return Reply(text + bullets(one.name for one in places), scene.memory)


def open_menu(where: Place, scene: Scene, lead: str = "") -> Plan:
    """One menu; when it is closed, offer to ask for access."""
    memory = scene.memory.at(where)
    try:
        dishes = yield from facts.menu(where.key)
    except Refused as refusal:
        return (yield from offer(refusal.trouble, where.name, Want(place=where), "", scene.remembering(memory)))
    text = menu_block(dishes) or f"{where.name} has nothing on its menu."
    question = memory.question or (WhatDish(place=where, options=dishes) if dishes else None)
    return Reply(paragraphs(lead, text, "Which dish would you like?" if dishes else ""), memory.asking(question))


def show_choices(intent: Choices, scene: Scene) -> Plan:
    """What the person can eat, by restaurant."""
    places = yield from facts.restaurants()
    found, troubles = yield from facts.menus([one for one in places if one.open])
    blocks = [menu_block([dish for dish in dishes if _fits(dish, intent)]) for dishes in found]
    shown = [block for block in blocks if block]
    failed = [f"The menu of {one.name} could not be read: {explain(trouble)}" for one, trouble in troubles]
    lead = "This you can order without asking anybody:" if intent.freely else "Here is what there is:"
    nothing = "I found nothing that fits." if found or not troubles else ""
    closed = closed_places(places)
    fitting = [dish for dishes in found for dish in dishes if _fits(dish, intent)]
    if intent.cheapest and shown:
        cheap = sorted(fitting, key=lambda dish: dish.price_cents)[:_MOST_CHEAP]
        options = paragraphs("The cheapest:", numbered(dish_line(dish, where=True) for dish in cheap))
        text = paragraphs(options, "Which one would you like?", sentences(*failed))
        return Reply(text, scene.memory.asking(WhichDish(options=cheap)))
    ask = "What would you like?" if shown else ""
    text = paragraphs(lead if shown else nothing, *shown, sentences(*failed), sentences(closed, ask))
    return Reply(text, scene.memory.asking(WhatDish(options=fitting) if fitting else None))


def tell_price(intent: Price, scene: Scene) -> Plan:
    """What a dish costs, and whether the person may order it."""
    if not intent.dish or is_pointer(intent.dish):
        return (yield from _tell_of_it(intent, scene))
    places = yield from facts.restaurants()
    where = find(intent.restaurant, places, lambda one: one.name).sure if intent.restaurant else []
    if len(where) == 1 and not where[0].open:
        return (yield from open_menu(Place(key=where[0].key, name=where[0].name), scene))
    search = yield from look_for(intent.dish, [one for one in where or places if one.open])
    if search.sure:
        return _tell(search, scene, may=intent.may, reason=intent.reason)
    named = find(intent.dish, places, lambda one: one.name).sure
    if len(named) == 1:
        return (yield from open_menu(Place(key=named[0].key, name=named[0].name), scene))
    near = f"The nearest I know:\n{bullets(dish_line(dish, where=True) for dish in search.near)}" if search.near else ""
    return Reply(
        paragraphs(
            sentences(f"I found nothing called {quoted(intent.dish)} on the menus you can see", closed_places(places)),
            near,
        ),
        scene.memory,
    )


def _tell_of_it(intent: Price, scene: Scene) -> Plan:
    """What "it" costs: what a request is about, for whoever decides, or the dish spoken of, from its own menu."""
    if scene.reviews and scene.memory.spoken is not None:
        return (yield from say(f"That was {scene.memory.spoken.label}.", scene.memory))
    dish = scene.memory.dish
    if dish is None:
        return (yield from show_choices(Choices(), scene))
    dishes = yield from facts.menu(dish.restaurant_key)
    found = [one for one in dishes if one.key == dish.key]
    if not found:
        return Reply(f"{dish.restaurant_name} does not have the {dish.name} any more.", scene.memory)
    return _tell(Search(found, [], False, dishes, []), scene, may=intent.may, reason=intent.reason)


def look_up(intent: Mention, scene: Scene) -> Plan:
    """A few words that may be a name: show the restaurant, or offer the dish; otherwise we are lost."""
    places: list[Restaurant] = yield from facts.restaurants()
    named = find(intent.text, places, lambda one: one.name).sure
    if len(named) == 1:
        return (yield from open_menu(Place(key=named[0].key, name=named[0].name), scene))
    search = yield from look_for(intent.text, [one for one in places if one.open])
    if search.sure:
        return _tell(search, scene, may=True, reason=intent.reason)
    later = noted_for_later(intent.text, intent.reason, places, scene.memory) if _A_THING.match(intent.text) else None
    if later is not None:
        return later
    return Reply(paragraphs("Sorry, I didn't understand that.", ability_list(scene)), scene.memory)


def _tell(search: Search, scene: Scene, *, may: bool, reason: str = "") -> Reply:
    if len(search.sure) > 1:
        options = search.sure
        lines = [dish_line(dish, where=True) for dish in options]
        if not may:
            return Reply(bullets(lines), scene.memory)
        return Reply(
            paragraphs("There is:", numbered(lines), "Which one would you like?"),
            scene.memory.asking(WhichDish(options=options, reason=reason)),
        )
    dish = search.sure[0]
    memory = scene.memory.about(dish)
    line = f"The {dish.name} at {dish.restaurant_name} costs {dish.price}"
    terms = {
        "allowed": "You may order it",
        "approved": "A parent has said yes to one",
        "needs_approval": "A parent has to say yes first",
        "denied": "You may not order it",
    }.get(dish.order, "")
    if may and dish.order != "denied":
        return Reply(sentences(line, terms, "Shall I order it?"), memory.asking(OrderIt(dish=dish, reason=reason)))
    return Reply(sentences(line, terms), memory)


def _fits(dish: Dish, intent: Choices) -> bool:
    if intent.freely and dish.order not in _FREE:
        return False
    return intent.up_to_cents is None or dish.price_cents <= intent.up_to_cents

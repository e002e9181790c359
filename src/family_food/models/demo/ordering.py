"""Ordering one dish: finding it, ordering it, and what follows from a refusal."""

from __future__ import annotations

from family_food.models.demo import facts
from family_food.models.demo.asking import noted_for_later, offer
from family_food.models.demo.asks import Refused
from family_food.models.demo.facts import Dish, Restaurant
from family_food.models.demo.intents import Order
from family_food.models.demo.memory import Memory, OrderIt, Place, Want, WhatDish, WhichDish, WhichPlace
from family_food.models.demo.names import find, names, shares_word
from family_food.models.demo.plan import Plan, Reply, Scene, say
from family_food.models.demo.search import (
    Search,
    closed_places,
    is_other,
    is_pointer,
    look_for,
    match,
    names_exactly,
)
from family_food.models.demo.troubles import explain, uncertain
from family_food.models.demo.wording import (
    bullets,
    dish_line,
    joined,
    menu_block,
    numbered,
    paragraphs,
    quoted,
    sentences,
)

ONE_AT_A_TIME = "I place one order at a time"


def order(wish: Order, scene: Scene) -> Plan:
    """Find the dish and order it, or ask what is unclear."""
    spoken = scene.memory.dish
    if spoken is not None and _is_spoken_of(wish, spoken):
        return (yield from place(spoken, scene, wish.reason, wish.count))
    if is_other(wish.dish):
        return (yield from _other(wish, scene))
    places = yield from facts.restaurants()
    if wish.restaurant:
        return (yield from _order_at(wish, places, scene))
    if not wish.dish:
        return (yield from _ask_what(places, scene))
    search = yield from look_for(wish.dish, [one for one in places if one.open])
    if not search.sure:
        # The dish of a closed menu cannot be known, but a restaurant often says in its name what it has.
        likely = [one for one in places if not one.open and shares_word(wish.dish, one.name)]
        if len(likely) == 1:
            return (yield from _order_from(wish, likely[0], places, scene))
    here = [dish for dish in search.sure if scene.memory.place and dish.restaurant_key == scene.memory.place.key]
    if here and not search.several:
        search = Search(here, [], False, search.dishes, search.troubles)
    return (yield from order_found(search, wish, places, scene))


def _is_spoken_of(wish: Order, dish: Dish) -> bool:
    """The wish is for the dish spoken of last: it needs no looking up."""
    if wish.restaurant and not names(wish.restaurant, dish.restaurant_name):
        return False
    return names_exactly(wish.dish, dish) or (is_pointer(wish.dish) and not wish.restaurant)


def _other(wish: Order, scene: Scene) -> Plan:
    """The other one: of what was offered last, what was not chosen."""
    spoken = scene.memory.dish
    left = [dish for dish in scene.memory.offered if spoken is None or dish.key != spoken.key]
    if not left:
        return (yield from say("Which one do you mean? Tell me its name.", scene.memory))
    return (yield from order_found(Search(left, [], False, left, []), wish, [], scene))


def order_unless(otherwise: Plan, wish: Order, scene: Scene) -> Plan:
    """Order when a dish is called so on an open menu; else go on with the other plan."""
    try:
        places = yield from facts.restaurants()
        search = yield from look_for(wish.dish, [one for one in places if one.open])
    except Refused:
        return (yield from otherwise)
    return (yield from (order_found(search, wish, places, scene) if search.sure else otherwise))


def _order_at(wish: Order, places: list[Restaurant], scene: Scene) -> Plan:
    named = find(wish.restaurant, places, lambda one: one.name)
    if len(named.sure) == 1:
        return (yield from _order_from(wish, named.sure[0], places, scene))
    if named.sure:
        options = [Place(key=one.key, name=one.name) for one in named.sure]
        text = paragraphs("Which restaurant do you mean?", numbered(option.name for option in options))
        return Reply(text, scene.memory.asking(WhichPlace(purpose="menu", options=options)))
    text = (
        f"I don't know a restaurant called {quoted(wish.restaurant)}. There are:\n{bullets(one.name for one in places)}"
    )
    return Reply(text, scene.memory)


def _order_from(wish: Order, where: Restaurant, places: list[Restaurant], scene: Scene) -> Plan:
    """Order at one restaurant; when its menu is closed, offer to ask for access, remembering the dish."""
    spoken = Place(key=where.key, name=where.name)
    try:
        dishes = yield from facts.menu(where.key)
    except Refused as refusal:
        want = Want(place=spoken, dish=wish.dish, dish_name=wish.dish, reason=wish.reason)
        memory = scene.memory.at(spoken)
        return (yield from offer(refusal.trouble, where.name, want, wish.reason, scene.remembering(memory)))
    if not wish.dish:
        text = paragraphs(menu_block(dishes) or f"{where.name} has nothing on its menu.", "Which dish would you like?")
        return Reply(text, scene.memory.at(spoken).asking(WhatDish(place=spoken, options=dishes)))
    search = match(wish.dish, dishes)
    if search.sure:
        return (yield from order_found(search, wish, places, scene))
    return (yield from _elsewhere(wish, where, search, places, scene))


def _elsewhere(wish: Order, where: Restaurant, here: Search, places: list[Restaurant], scene: Scene) -> Plan:
    """The restaurant does not have it: say so, and who has."""
    there = yield from look_for(wish.dish, [one for one in places if one.open and one.key != where.key])
    lead = f"{where.name} has nothing called {quoted(wish.dish)}"
    if len(there.sure) == 1:
        dish = there.sure[0]
        text = sentences(lead, f"There is {dish_line(dish, where=True)}", "Shall I order that?")
        return Reply(text, scene.memory.about(dish).asking(OrderIt(dish=dish, reason=wish.reason)))
    options = there.sure or here.near or here.dishes
    if not options:
        return Reply(sentences(lead), scene.memory)
    text = paragraphs(
        sentences(lead, "Would one of these do?"), numbered(dish_line(dish, where=True) for dish in options)
    )
    return Reply(text, scene.memory.asking(WhichDish(options=options, reason=wish.reason)))


def _ask_what(places: list[Restaurant], scene: Scene) -> Plan:
    found, _ = yield from facts.menus([one for one in places if one.open])
    blocks = [menu_block(dishes) for dishes in found]
    text = paragraphs("What would you like?", *blocks, closed_places(places) and closed_places(places) + ".")
    return Reply(text, scene.memory.asking(WhatDish()))


def order_found(search: Search, wish: Order, places: list[Restaurant], scene: Scene) -> Plan:
    """Order what was found when it is one dish; ask which when it is several; offer the nearest when it is none."""
    if len(search.sure) == 1:
        return (yield from place(search.sure[0], scene, wish.reason, wish.count))
    if search.sure:
        ask = "Which one first?" if search.several else "Which one do you mean?"
        lead = sentences(ONE_AT_A_TIME if search.several or wish.count > 1 else "", ask)
        text = paragraphs(lead, numbered(dish_line(dish, where=True) for dish in search.sure))
        return Reply(text, scene.memory.asking(WhichDish(options=search.sure, reason=wish.reason)))
    later = None if search.near else noted_for_later(wish.dish, wish.reason, places, scene.memory)
    return later or not_found(search, wish, places, scene.memory)


def not_found(search: Search, wish: Order, places: list[Restaurant], memory: Memory) -> Reply:
    """No dish is called so: the nearest, or where it was looked for."""
    lead = (
        f"I found nothing called {quoted(wish.dish)} on the menus you can see"
        if search.dishes
        else "I could not look at any menu"
    )
    closed = closed_places(places)
    failed = [f"The menu of {one.name} could not be read: {explain(trouble)}" for one, trouble in search.troubles]
    if len(search.near) == 1:
        dish = search.near[0]
        text = sentences(
            lead, f"Did you mean {dish_line(dish, where=True)}? Say yes and I'll order it", closed, *failed
        )
        return Reply(text, memory.about(dish).asking(OrderIt(dish=dish, reason=wish.reason)))
    if search.near:
        options = numbered(dish_line(dish, where=True) for dish in search.near)
        text = paragraphs(
            sentences(lead, "The nearest are:"), options, sentences("Which one would you like", closed, *failed)
        )
        return Reply(text, memory.asking(WhichDish(options=search.near, reason=wish.reason)))
    known = joined([one.name for one in places if one.open])
    return Reply(sentences(lead, f"I looked at {known}" if known and search.dishes else "", closed, *failed), memory)


def place(dish: Dish, scene: Scene, reason: str = "", count: int = 1, *, lead: str = "", earlier: str = "") -> Plan:
    """Order this dish, once; ``earlier`` is the reason that led to it."""
    where = Place(key=dish.restaurant_key, name=dish.restaurant_name)
    want = Want(place=where, dish=dish.key, dish_name=dish.name)
    memory = scene.memory.about(dish).without(want)
    try:
        placed = yield from facts.place_order(dish.restaurant_key, dish.key)
    except Refused as refusal:
        trouble = refusal.trouble
        if uncertain(trouble):
            text = sentences(explain(trouble), 'Look at "my orders" before you order again, to be sure')
            return Reply(paragraphs(lead, text), memory)
        inner = scene.remembering(memory)
        answer = yield from offer(trouble, dish.name, want, reason, inner, price=dish.price, earlier=earlier)
        return Reply(paragraphs(lead, answer.text), answer.memory)
    text = sentences(
        f"Done! I ordered the {placed.dish_name} from {placed.restaurant_name} for {placed.price}",
        "The OK was good for this one order" if placed.approval_id else "",
        f"{ONE_AT_A_TIME}, so this is one; tell me again for the next" if count > 1 else "",
    )
    return Reply(paragraphs(lead, text), memory)

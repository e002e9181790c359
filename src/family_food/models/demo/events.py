"""Reacting to what the server tells: a request was decided, or has arrived. Nothing in it is read as a command."""

from __future__ import annotations

from family_food.messages import EventMessage
from family_food.models.demo import facts
from family_food.models.demo.asks import Refused
from family_food.models.demo.browsing import open_menu
from family_food.models.demo.following import as_listed
from family_food.models.demo.memory import Memory, OrderIt, Place, ReasonNeeded, Want, WhatDish, WhichDish
from family_food.models.demo.ordering import place
from family_food.models.demo.plan import Plan, Reply, Scene, say
from family_food.models.demo.search import match
from family_food.models.demo.wording import (
    dish_line,
    menu_block,
    numbered,
    paragraphs,
    quoted,
    request_line,
    said,
    sentences,
    subject,
)
from permit_core.access import Remedy
from permit_core.views import RequestView, plain


def react(event: EventMessage, scene: Scene) -> Plan:
    """The plan that an event starts."""
    request = event.request
    if request is None:
        return say("There is news about a request. Ask me about your requests to see it.", scene.memory)
    if event.event == "request_created":
        return _arrived(request, scene)
    if request.status == "approved":
        return _approved(request, scene)
    return _not_approved(request, scene)


def noted(event: EventMessage, memory: Memory) -> Memory:
    """The memory with a request that has arrived: what "it" means, unless another one could be meant as well."""
    if event.request is None:
        return memory
    arrived = as_listed(event.request)
    alone = memory.pointed is None or memory.pointed.id == arrived.id
    return memory.pointing(arrived if alone else None)


def _arrived(request: RequestView, scene: Scene) -> Plan:
    if not scene.reviews:
        return say(f"A new request: {request_line(request)}", scene.memory)
    memory = scene.memory.pointing(as_listed(request))
    how = 'Say "approve it" or "deny it", with a comment if you like.'
    return say(paragraphs(f"A new request: {request_line(request)}.", how), memory)


def _approved(request: RequestView, scene: Scene) -> Plan:
    key = request.resource_instance.partition(":")[2]
    wanted = _wanted(request, scene)
    memory = scene.memory.without(*wanted)
    words = f"{_who(request)} says: {said(request.comment)}" if request.comment else ""
    lead = sentences(f"Good news: {_who(request)} said yes, you may {subject(request)}", words)
    scene = scene.remembering(memory)
    if request.kind == "access_request":
        spoken = Place(key=key, name=plain(request.resource_name) or key)
        dishes = [want for want in wanted if want.dish]
        return (yield from (_order_wanted(dishes[-1], lead, scene) if dishes else open_menu(spoken, scene, lead)))
    if not wanted:
        return (yield from _offer_order(key, lead, scene))
    want = wanted[-1]
    dish = facts.Dish(
        restaurant_key=want.place.key, restaurant_name=want.place.name, key=want.dish, name=want.dish_name
    )
    return (yield from place(dish, scene, lead=lead))


def _order_wanted(want: Want, lead: str, scene: Scene) -> Plan:
    """Access was given, and a dish had been asked for: find it on the menu that is open now."""
    try:
        dishes = yield from facts.menu(want.place.key)
    except Refused:
        return (yield from open_menu(want.place, scene, lead))
    search = match(want.dish, dishes)
    options = search.sure or search.near
    memory = scene.memory.at(want.place)
    if len(options) == 1:
        dish = options[0]
        # A dish that only resembles the words is not ordered unasked; where a parent is asked first, it may be offered.
        if search.sure or dish.order == "needs_approval":
            return (yield from place(dish, scene, lead=lead, earlier=want.reason))
        text = paragraphs(lead, f"Did you mean {dish_line(dish)}? Shall I order it?")
        return Reply(text, memory.about(dish).asking(OrderIt(dish=dish)))
    if options:
        ask = f"Which one did you mean by {quoted(want.dish_name)}?"
        text = paragraphs(lead, ask, numbered(dish_line(dish) for dish in options))
        return Reply(text, memory.asking(WhichDish(options=options)))
    nothing = f"I found nothing called {quoted(want.dish_name)} there."
    if not dishes:
        return Reply(paragraphs(lead, nothing), memory)
    text = paragraphs(lead, nothing, menu_block(dishes), "Which dish would you like?")
    return Reply(text, memory.asking(WhatDish(place=want.place, options=dishes)))


def _offer_order(key: str, lead: str, scene: Scene) -> Plan:
    """Approved, but the order was not asked for in this conversation: offer it."""
    try:
        places = yield from facts.restaurants()
        found, _ = yield from facts.menus([one for one in places if one.open])
    except Refused:
        return Reply(sentences(lead, "Tell me when to order it"), scene.memory)
    dish = next((dish for dishes in found for dish in dishes if dish.key == key), None)
    if dish is None:
        return Reply(sentences(lead, "Tell me when to order it"), scene.memory)
    return Reply(sentences(lead, "Shall I order it now?"), scene.memory.about(dish).asking(OrderIt(dish=dish)))


def _not_approved(request: RequestView, scene: Scene) -> Plan:
    """Denied, withdrawn or lapsed: say so and drop what was waiting for it."""
    wanted = _wanted(request, scene)
    memory = scene.memory.without(*wanted)
    name = plain(request.resource_name) or request.resource_instance
    if request.status != "denied" or request.kind == "call":
        state = {
            "denied": "was denied",
            "expired": "has expired",
            "cancelled": "was withdrawn",
            "used": "is used up",
        }.get(request.status, "changed")
        return say(f"Your request to {subject(request)} {state}.", memory)
    remedy = Remedy(request.kind, request.resource_instance, role=request.role, operation=request.operation)
    denied = ReasonNeeded(remedy=remedy, name=name, want=wanted[-1] if wanted else None)
    words = f"{_who(request)} says: {said(request.comment)}" if request.comment else ""
    text = sentences(
        f"Sorry, {_who(request)} said no: you may not {subject(request)}",
        words,
        'You can say "ask again because ..." with a better reason, or choose something else',
    )
    return say(text, memory.model_copy(update={"denied": denied}))


def _wanted(request: RequestView, scene: Scene) -> list[Want]:
    """What was waiting for this decision, oldest first."""
    key = request.resource_instance.partition(":")[2]
    if request.kind == "operation_approval":
        return [want for want in scene.memory.wants if want.dish == key]
    return [want for want in scene.memory.wants if want.place.key == key]


def _who(request: RequestView) -> str:
    return plain(request.decided_by or "") or "a parent"

"""Asking a human: offering the request that would help, taking the reason, making it."""

from __future__ import annotations

from family_food.models.demo import facts
from family_food.models.demo.asks import Refused, Trouble
from family_food.models.demo.intents import AskFor
from family_food.models.demo.memory import Memory, OrderIt, Place, ReasonNeeded, Want, WhichDish, WhichPlace
from family_food.models.demo.names import find, names
from family_food.models.demo.plan import Plan, Reply, Scene, say
from family_food.models.demo.search import closed_places, is_pointer, look_for
from family_food.models.demo.troubles import explain
from family_food.models.demo.wording import dish_line, joined, numbered, paragraphs, quoted, said, sentences, subject
from permit_core.access import Remedy

_ALREADY_MADE = frozenset({"already_pending", "approval_pending"})
_ALREADY_GIVEN = frozenset({"already_approved", "already_granted", "not_needed"})
_CREATES = {"access_request": "create_access_request", "operation_approval": "create_operation_approval"}


def offer(
    trouble: Trouble, name: str, want: Want | None, reason: str, scene: Scene, *, price: str = "", earlier: str = ""
) -> Plan:
    """After a refusal: make the request that would help, or ask for the reason; explain when none would.

    Args:
        trouble: the refusal.
        name: what it is about.
        want: what to carry on with when the request is approved.
        reason: why, when the person has said so already.
        scene: where the turn stands.
        price: what it costs, where that is known.
        earlier: the reason that led here.
    """
    remedy = next((remedy for remedy in trouble.ask_for if _CREATES[remedy.kind] in scene.tools), None)
    if remedy is None:
        if trouble.code in _ALREADY_MADE:
            return say(_already_made(trouble), scene.memory.wanting(want))
        return say(explain(trouble), scene.memory)
    if want is not None and remedy.resource_instance.partition(":")[2] == want.place.key:
        name = want.place.name
    needed = ReasonNeeded(remedy=remedy, name=name, want=want, earlier=earlier)
    if reason:
        return make(needed, reason, scene)
    lead = _needs(trouble, name, price, again=bool(earlier))
    return say(sentences(lead, _why(needed, named=True)), scene.memory.asking(needed))


def ask_reason_again(needed: ReasonNeeded, scene: Scene) -> Plan:
    """The person has not said why yet."""
    text = f"A parent will want to know why. {_why(needed)} Or say \u201cno\u201d and I'll drop it."
    return say(text, scene.memory.asking(needed))


def make(needed: ReasonNeeded, reason: str, scene: Scene) -> Plan:
    """Make the request, with the reason in the person's own words."""
    memory = scene.memory.asking(None)
    want = needed.want and needed.want.model_copy(update={"reason": reason})
    try:
        request = yield from facts.make_request(needed.remedy, reason)
    except Refused as refusal:
        trouble = refusal.trouble
        if trouble.code in _ALREADY_MADE:
            return Reply(_already_made(trouble), memory.wanting(want))
        if trouble.code in _ALREADY_GIVEN:
            return Reply(sentences(explain(trouble), "Just tell me to go ahead: say what you would like."), memory)
        if trouble.code.startswith("invalid"):
            return Reply(sentences(explain(trouble), _why(needed)), memory.asking(needed))
        raise
    text = sentences(
        f"I've asked a parent if you may {subject(request)}, and passed on your reason: {said(request.reason)}",
        "I'll carry on as soon as they answer",
    )
    return Reply(text, memory.wanting(want))


def ask_for(intent: AskFor, scene: Scene) -> Plan:
    """Ask for access to a restaurant, or for the approval of a dish, by name."""
    if (not intent.target or is_pointer(intent.target)) and scene.memory.dish is not None:
        intent = AskFor(scene.memory.dish.name, intent.reason)
    denied = scene.memory.denied
    if denied is not None and names(intent.target, denied.name):
        return (yield from ask_again(intent.reason, scene))
    places = yield from facts.restaurants()
    closed = [place for place in places if place.remedy]
    if not intent.target or is_pointer(intent.target):
        if not closed:
            return Reply("There is no restaurant you would have to ask for. Which dish is it about?", scene.memory)
        options = [Place(key=place.key, name=place.name) for place in closed]
        question = WhichPlace(purpose="access", options=options, reason=intent.reason)
        text = paragraphs("Which one shall I ask for?", numbered(option.name for option in options))
        return Reply(text, scene.memory.asking(question))
    named = find(intent.target, places, lambda place: place.name).sure
    if len(named) == 1 and not named[0].open:
        return (yield from ask_for_place(named[0], intent.reason, scene))
    if len(named) > 1:
        options = [Place(key=place.key, name=place.name) for place in named]
        question = WhichPlace(purpose="access", options=options, reason=intent.reason)
        text = paragraphs("Which one do you mean?", numbered(option.name for option in options))
        return Reply(text, scene.memory.asking(question))
    return (yield from _ask_for_dish(intent, places, named[0] if named else None, scene))


def ask_for_place(place: facts.Restaurant, reason: str, scene: Scene) -> Plan:
    """Ask for access to one restaurant."""
    spoken = Place(key=place.key, name=place.name)
    memory = scene.memory.at(spoken)
    if place.open:
        yield from ()
        menu = WhichPlace(purpose="menu", options=[spoken])
        return Reply(f"You already have access to {place.name}. Shall I show you its menu?", memory.asking(menu))
    if place.remedy is None:
        return Reply(f"{place.name} is not open to you, and it can't be asked for.", memory)
    needed = ReasonNeeded(remedy=place.remedy, name=place.name, want=Want(place=spoken))
    inner = scene.remembering(memory)
    if not reason:
        return Reply(_why(needed), memory.asking(needed))
    return (yield from make(needed, reason, inner))


def _ask_for_dish(intent: AskFor, places: list[facts.Restaurant], place: facts.Restaurant | None, scene: Scene) -> Plan:
    """Ask for a dish; the words name ``place`` as well, whose menu is open."""
    search = yield from look_for(intent.target, [place for place in places if place.open])
    if place is not None and not search.sure:
        return (yield from ask_for_place(place, intent.reason, scene))
    if len(search.sure) > 1:
        text = paragraphs("Which one do you mean?", numbered(dish_line(dish, where=True) for dish in search.sure))
        return Reply(
            text, scene.memory.asking(WhichDish(options=search.sure, reason=intent.reason, purpose="approval"))
        )
    if search.sure:
        return (yield from ask_for_dish(search.sure[0], intent.reason, scene))
    hint = closed_places(places)
    return Reply(
        sentences(
            f"I found no restaurant and no dish called {quoted(intent.target)}",
            hint or f"There are {joined([p.name for p in places])}",
        ),
        scene.memory,
    )


def ask_for_dish(dish: facts.Dish, reason: str, scene: Scene) -> Plan:
    """Ask for the approval of one dish; when it needs none, offer to order it."""
    memory = scene.memory.about(dish)
    if dish.order in ("allowed", "approved"):
        yield from ()
        return Reply(
            f"{dish_line(dish)}: you don't need to ask for that. Shall I order it?", memory.asking(OrderIt(dish=dish))
        )
    want = Want(place=Place(key=dish.restaurant_key, name=dish.restaurant_name), dish=dish.key, dish_name=dish.name)
    # A bare key: the tool knows of which type a thing is that can be approved.
    needed = ReasonNeeded(remedy=Remedy("operation_approval", dish.key), name=dish.name, want=want)
    if not reason:
        return Reply(sentences(f"The {dish.name} costs {dish.price}", _why(needed)), memory.asking(needed))
    return (yield from make(needed, reason, scene.remembering(memory)))


def noted_for_later(words: str, reason: str, places: list[facts.Restaurant], memory: Memory) -> Reply | None:
    """What is on no open menu may be on the one that was asked for: look there once it opens; None when none was."""
    closed = {place.key for place in places if not place.open}
    want = next((want for want in reversed(memory.wants) if want.place.key in closed), None)
    if want is None or is_pointer(words):
        return None
    later = Want(place=want.place, dish=words, dish_name=words, reason=reason or want.reason)
    text = f"Nobody has answered about {want.place.name} yet. I'll look for {quoted(words)} there as soon as it is open to you."
    return Reply(text, memory.without(want).wanting(later))


def ask_again(reason: str, scene: Scene) -> Plan:
    """Make the request that was denied last once more, with a reason of its own."""
    denied = scene.memory.denied
    if denied is None:
        return say("What shall I ask for, and why?", scene.memory)
    if not reason:
        return ask_reason_again(denied, scene)
    return make(denied, reason, scene)


def _already_made(trouble: Trouble) -> str:
    return sentences(trouble.message or "You have asked for that already", "I'll carry on as soon as they answer")


def _why(needed: ReasonNeeded, *, named: bool = False) -> str:
    """Ask for the reason; ``named``: what it is for has just been named."""
    if needed.earlier:
        return f"Shall I ask a parent with the same reason, {quoted(needed.earlier)}? Say yes, or tell me another one."
    if needed.remedy.kind == "access_request":
        wish = "to order there" if named else f"to order from {needed.name}"
    else:
        wish = "it" if named else f"the {needed.name}"
    return f"Tell me why you'd like {wish}, and I'll ask a parent."


def _needs(trouble: Trouble, name: str, price: str, *, again: bool) -> str:
    """What stands in the way; ``again``: a parent has just said yes to what led here."""
    if trouble.code == "approval_needed" and price:
        needs = "it needs a parent's OK of its own" if again else "a parent has to say yes first"
        return f"The {name} costs {price}, so {needs}"
    if trouble.code == "access_denied":
        return f"{name} isn't open to you yet"
    message = trouble.message or "That needs a parent's OK"
    return message if name.casefold() in message.casefold() else f"{name}: {message}"

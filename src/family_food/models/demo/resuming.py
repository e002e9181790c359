"""Going on after the server stopped in the middle of a turn: look what was done, finish, or say where things stand.

What may have had an effect is never done again unasked: an order is looked up, and offered when it is not there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from family_food.messages import EventMessage, ModelStep, Recap, Shown, ToolCall, ToolResults, UserMessage
from family_food.models.demo import facts
from family_food.models.demo.asks import Answer, Asks, Refused, Trouble, answer_of, ask
from family_food.models.demo.facts import Dish
from family_food.models.demo.following import as_listed
from family_food.models.demo.memory import Memory, OrderIt
from family_food.models.demo.plan import Plan, Reply, Scene
from family_food.models.demo.troubles import explain, uncertain
from family_food.models.demo.wording import bullets, order_line, paragraphs, request_line, sentences, subject
from family_food.ordering.results import OrderView
from permit_core.views import RequestView, plain

_MOST_ORDERS = 20
_ALREADY_ASKED = frozenset({"already_pending", "approval_pending"})
_LEAD = "Sorry, I was interrupted."
_CANNOT_TELL = "I can't tell whether that went through"

Told = tuple[str, Memory]


@dataclass(frozen=True, slots=True)
class _Cut:
    """The turn that was cut short: what it began with, and its calls that have had an effect, or may have."""

    causes: Sequence[UserMessage | EventMessage]
    effects: Sequence[tuple[ToolCall, Answer]]


def carry_on(scene: Scene, again: Callable[[Sequence[UserMessage | EventMessage]], Plan]) -> Plan:
    """The plan of a turn that continues another.

    Args:
        scene: where the turn stands; its last event says that the one before was cut short.
        again: the plan for what that one began with, for when nothing was done for it yet.
    """
    cut = _cut_turn(scene.entries)
    if not cut.effects:
        if not cut.causes:
            return Reply(f"{_LEAD} What would you like?", scene.memory)
        reply = yield from again(cut.causes)
        return Reply(paragraphs(_LEAD, reply.text), reply.memory)
    lines: list[str] = []
    memory = scene.memory
    for call, answer in cut.effects:
        told, memory = yield from _where_it_stands(call, answer, scene.remembering(memory))
        lines.append(told)
    return Reply(paragraphs(f"{_LEAD} This is where things stand:", bullets(lines)), memory)


def _cut_turn(entries: Sequence[Shown]) -> _Cut:
    end = max(place for place, entry in enumerate(entries) if _is_interruption(entry))
    begun = [place for place in range(end) if _is_cause(entries[place])]
    last = begun[-1] if begun else -1
    first = last
    while first > 0 and _is_cause(entries[first - 1]):
        first -= 1
    causes = [entry for entry in entries[max(first, 0) : last + 1] if isinstance(entry, UserMessage | EventMessage)]
    effects: list[tuple[ToolCall, Answer]] = []
    calls: dict[str, ToolCall] = {}
    for entry in entries[last + 1 : end]:
        if isinstance(entry, ModelStep):
            calls = {call.id: call for call in entry.calls}
        elif isinstance(entry, ToolResults):
            answers = [(calls.get(result.call_id), answer_of(result)) for result in entry.results]
            effects += [(call, answer) for call, answer in answers if call and _had_effect(call, answer)]
    return _Cut(causes, effects)


def _is_interruption(entry: Shown) -> bool:
    return isinstance(entry, EventMessage) and entry.event == "turn_interrupted"


def _is_cause(entry: Shown) -> bool:
    return isinstance(entry, UserMessage | EventMessage) and not _is_interruption(entry)


def _had_effect(call: ToolCall, answer: Answer) -> bool:
    if call.name.startswith("list_"):
        return False
    return uncertain(answer) if isinstance(answer, Trouble) else True


def _where_it_stands(call: ToolCall, answer: Answer, scene: Scene) -> Asks[Told]:
    verb, _, _ = call.name.partition("_")
    try:
        if call.name == "order_dish":
            return (yield from _order(call, answer, scene))
        if verb == "create":
            return (yield from _request(call, answer, scene.memory))
        if verb in ("approve", "deny"):
            return (yield from _decision(call, answer, scene))
    except Refused as refusal:
        return sentences(_CANNOT_TELL, explain(refusal.trouble)), scene.memory
    return "Something I had begun may or may not have happened.", scene.memory


def _order(call: ToolCall, answer: Answer, scene: Scene) -> Asks[Told]:
    if not isinstance(answer, Trouble):
        placed = facts.read(OrderView, call.name, answer)
        return sentences(f"The order had been placed: {order_line(placed, whose=False)}"), scene.memory
    page = yield from facts.orders(_MOST_ORDERS)
    wanted = str(call.arguments.get("dish_name", "")).casefold()
    known = _orders_known(scene.entries)
    for order in page.orders:
        if wanted in (order.dish_key.casefold(), order.dish_name.casefold()) and order.id not in known:
            told = sentences(
                f"The order had been placed: {order_line(order, whose=scene.reviews)}", "I don't place it again"
            )
            return told, scene.memory
    dish = yield from _dish(str(call.arguments.get("restaurant_id", "")), wanted)
    if dish is None:
        return "Your order is not among those placed. Tell me again if you still want it.", scene.memory
    memory = scene.memory.about(dish).asking(OrderIt(dish=dish))
    return f"The {plain(dish.name)} was not ordered. Shall I order it now?", memory


def _dish(restaurant: str, wanted: str) -> Asks[Dish | None]:
    try:
        dishes = yield from facts.menu(restaurant)
    except Refused:
        return None
    return next((dish for dish in dishes if wanted in (dish.key.casefold(), dish.name.casefold())), None)


def _orders_known(entries: Sequence[Shown]) -> set[str]:
    """The orders of which this conversation has heard already: none of them is the one that is looked for."""
    known: set[str] = set()
    for entry in entries:
        if isinstance(entry, Recap):
            known |= {order.id for order in entry.orders}
        elif isinstance(entry, ToolResults):
            placed = [result.content.get("id") for result in entry.results if result.name == "order_dish"]
            known |= {str(order_id) for order_id in placed if order_id}
    return known


def _request(call: ToolCall, answer: Answer, memory: Memory) -> Asks[Told]:
    if isinstance(answer, Trouble):
        try:
            # The same request is never made twice: one that waits already is said to.
            answer = yield from ask(call.name, **call.arguments)
        except Refused as refusal:
            if refusal.trouble.code in _ALREADY_ASKED:
                return "A parent has been asked, and has not answered yet.", memory
            return explain(refusal.trouble), memory
    request = facts.read(RequestView, call.name, answer)
    return f"A parent has been asked if you may {subject(request)}.", memory


def _decision(call: ToolCall, answer: Answer, scene: Scene) -> Asks[Told]:
    if not isinstance(answer, Trouble):
        request = facts.read(RequestView, call.name, answer)
        return f"It was {request.status}: {request_line(_undecided(request))}.", scene.memory
    ids = set(map(str, call.arguments.values()))
    waiting = yield from facts.requests("pending", scene.tools)
    for request in waiting:
        if request.id in ids:
            how = 'Say "approve it" or "deny it"'
            return sentences(f"Not decided yet: {request_line(request)}", how), scene.memory.pointing(
                as_listed(request)
            )
    return "That request is decided; it does not wait any more.", scene.memory


def _undecided(request: RequestView) -> RequestView:
    return request.model_copy(update={"status": "pending"})  # its line says the rest

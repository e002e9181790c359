"""One step of a turn: the turn's plan is run again from its beginning over the answers that are there already.

A plan is a pure generator, so running it again leads to the same calls; those that were answered in this turn are
answered from the conversation, the first ones that were not are the calls of this step. No call is ever made twice in a
turn, and a plan that ends has no way to loop.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from family_food.messages import EventMessage, ModelStep, Shown, ToolCall, ToolResults, UserMessage
from family_food.models.demo.asks import NO_MORE_CALLS, NO_SUCH_TOOL, Answer, Ask, Trouble, answer_of
from family_food.models.demo.choosing import choose_plan
from family_food.models.demo.memory import PROVIDER, recall
from family_food.models.demo.plan import Plan, Reply, Scene
from family_food.models.port import Prompt

# More than any plan needs; the server has its own limit, told by ``may_call``.
MOST_STEPS = 24


def next_step(prompt: Prompt) -> ModelStep:
    """The calls to make now, or the words that end the turn."""
    entries = list(prompt.entries)
    first, last = _causes(entries)
    causes = [entry for entry in entries[first:last] if isinstance(entry, UserMessage | EventMessage)]
    scene = Scene(recall(entries[:first]), frozenset(tool.name for tool in prompt.tools), tuple(entries))
    may_call = prompt.may_call and sum(isinstance(entry, ToolResults) for entry in entries[last:]) < MOST_STEPS
    return _run(choose_plan(causes, scene), _answers(entries[last:]), scene.tools, may_call, len(entries))


def _run(plan: Plan, known: Mapping[str, Answer], tools: frozenset[str], may_call: bool, place: int) -> ModelStep:
    try:
        asks = next(plan)
        while True:
            given = {_key(ask): _answer(ask, known, tools, may_call) for ask in asks}
            missing = [ask for ask in asks if given[_key(ask)] is None]
            if missing:
                return _calling(missing, place)
            asks = plan.send(tuple(answer for ask in asks if (answer := given[_key(ask)]) is not None))
    except StopIteration as end:
        reply: Reply = end.value
    return ModelStep(text=reply.text, provider=PROVIDER, native=reply.memory.model_dump(mode="json", exclude_none=True))


def _answer(ask: Ask, known: Mapping[str, Answer], tools: frozenset[str], may_call: bool) -> Answer | None:
    if _key(ask) in known:
        return known[_key(ask)]
    if ask.tool not in tools:
        return Trouble(ask.tool, NO_SUCH_TOOL)
    return None if may_call else Trouble(ask.tool, NO_MORE_CALLS)


def _calling(asks: Sequence[Ask], place: int) -> ModelStep:
    unique = {_key(ask): ask for ask in asks}.values()
    calls = [
        ToolCall(id=f"demo_{place}_{number}", name=ask.tool, arguments=ask.arguments)
        for number, ask in enumerate(unique)
    ]
    return ModelStep(calls=calls, provider=PROVIDER)


def _causes(entries: Sequence[Shown]) -> tuple[int, int]:
    """Where the causes of the turn begin and end: what people said and what happened since the model spoke last."""
    kinds = [entry.kind in ("user", "event") for entry in entries]
    last = next((place + 1 for place in range(len(kinds) - 1, -1, -1) if kinds[place]), 0)
    first = last
    while first and kinds[first - 1]:
        first -= 1
    return first, last


def _answers(entries: Sequence[Shown]) -> dict[str, Answer]:
    """What was answered in this turn, by call."""
    answers: dict[str, Answer] = {}
    calls: dict[str, ToolCall] = {}
    for entry in entries:
        if isinstance(entry, ModelStep):
            calls = {call.id: call for call in entry.calls}
        elif isinstance(entry, ToolResults):
            for result in entry.results:
                call = calls.get(result.call_id)
                if call is not None:
                    answers.setdefault(_call_key(call.name, call.arguments), answer_of(result))
    return answers


def _key(ask: Ask) -> str:
    return _call_key(ask.tool, ask.arguments)


def _call_key(tool: str, arguments: Mapping[str, Any]) -> str:
    return json.dumps([tool, arguments], sort_keys=True, default=str)

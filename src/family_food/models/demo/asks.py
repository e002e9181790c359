"""Calls a plan makes and what comes back. A plan is a generator: it yields calls and is sent their answers."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar

from pydantic import TypeAdapter, ValidationError

from family_food.messages import ToolResult
from permit_core.access import Remedy
from permit_core.views import plain

T = TypeVar("T")
U = TypeVar("U")

# Codes made here, for calls that never reached a tool.
NO_SUCH_TOOL = "tool_not_offered"
NO_MORE_CALLS = "no_more_calls"
UNREADABLE = "unreadable_answer"

_remedy: TypeAdapter[Remedy] = TypeAdapter(Remedy)


@dataclass(frozen=True, slots=True)
class Ask:
    """One tool call that a plan wants made."""

    tool: str
    arguments: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Trouble:
    """A call that did not succeed.

    Attributes:
        tool: the tool that was called.
        code: stable, machine-readable; "" when the tool gave none.
        message: what was wrong, in the tool's words.
        hint: what to do next, in the tool's words.
        ask_for: requests that would help.
    """

    tool: str
    code: str
    message: str = ""
    hint: str = ""
    ask_for: tuple[Remedy, ...] = ()


Answer: TypeAlias = dict[str, Any] | Trouble
Asks: TypeAlias = Generator[tuple[Ask, ...], tuple[Answer, ...], T]


class Refused(Exception):
    """A call on which a plan depends did not succeed."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(trouble.code)
        self.trouble = trouble


def ask(tool: str, **arguments: Any) -> Asks[dict[str, Any]]:
    """Make one call.

    Raises:
        Refused: it did not succeed.
    """
    (answer,) = yield (Ask(tool, arguments),)
    if isinstance(answer, Trouble):
        raise Refused(answer)
    return answer


def ask_all(*asks: Ask) -> Asks[tuple[Answer, ...]]:
    """Make calls in parallel; each answers for itself."""
    if not asks:
        return ()
    return (yield asks)


def together(first: Asks[T], second: Asks[U]) -> Asks[tuple[T | Refused, U | Refused]]:
    """Run two plans side by side, their calls in parallel; what one is refused does not stop the other."""
    running: dict[int, Asks[Any]] = {0: first, 1: second}
    ended: dict[int, Any] = {}
    sent: dict[int, tuple[Answer, ...] | None] = {0: None, 1: None}
    while running:
        asked: dict[int, tuple[Ask, ...]] = {}
        for place, plan in list(running.items()):
            try:
                asked[place] = next(plan) if (answers := sent[place]) is None else plan.send(answers)
            except StopIteration as end:
                ended[place] = running.pop(place) and end.value
            except Refused as refusal:
                ended[place] = running.pop(place) and refusal
        if asked:
            answered = iter((yield tuple(ask for asks in asked.values() for ask in asks)))
            sent = {place: tuple(next(answered) for _ in asks) for place, asks in asked.items()}
    return ended[0], ended[1]


def answer_of(result: ToolResult) -> Answer:
    """Read a tool's result; a refusal may stand under ``error`` or, as the tools publish it, at the top."""
    error = result.content.get("error")
    if error is None and not result.is_error:
        return result.content
    fields = error if isinstance(error, dict) else result.content if error is None else {"message": error}
    return Trouble(
        tool=result.name,
        code=_text(fields.get("code")),
        message=_text(fields.get("message")),
        hint=_text(fields.get("hint")),
        ask_for=_remedies(fields.get("ask_for")),
    )


def _text(value: object) -> str:
    return plain(value)[:500] if isinstance(value, str) else ""


def _remedies(value: object) -> tuple[Remedy, ...]:
    found: list[Remedy] = []
    for item in value if isinstance(value, list) else []:
        try:
            found.append(_remedy.validate_python(item))
        except ValidationError:  # a kind of request this model does not know cannot be offered
            continue
    return tuple(found)

"""What old turns came to, gathered by rule from the record."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias, TypeVar

from pydantic import BaseModel, ValidationError

from family_food.messages import (
    EventMessage,
    ModelStep,
    Recap,
    RecapCall,
    RecapOrder,
    RecapTurn,
    Shown,
    ToolCall,
    ToolResult,
    ToolResults,
    UserMessage,
)
from family_food.ordering.results import OrderView
from permit_core.redaction import redact
from permit_core.views import RequestView

V = TypeVar("V", bound=BaseModel)
_Weighed: TypeAlias = tuple[V, int]  # and its size

_LONGEST_SAID = 300
_LONGEST_ANSWER = 200
_UNKNOWN_EFFECT = frozenset({"interrupted", "cancelled", "no_result", "tool_timeout", "tools_restarted"})
_LOOKS_ONLY = "list_"


def order_in(result: ToolResult) -> OrderView | None:
    """The order that a call placed, if it placed one."""
    return _read(OrderView, result.content) if result.name == "order_dish" and not result.is_error else None


def request_in(result: ToolResult) -> RequestView | None:
    """The request that a call made or decided, if it did."""
    if result.is_error or result.name.startswith(_LOOKS_ONLY):
        return None
    return _read(RequestView, result.content)


class Recollection:
    """Takes in old turns one by one, and keeps within a size: words go first, orders and open requests last.

    Args:
        most: about how many characters of JSON it may be.

    Attributes:
        turns: how many it has taken in.
        size: how many characters of JSON it is.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self.turns = 0
        self._words: deque[_Weighed[RecapTurn]] = deque()
        self._orders: deque[_Weighed[RecapOrder]] = deque()
        self._requests: dict[str, _Weighed[RequestView]] = {}
        self._uncertain: deque[_Weighed[RecapCall]] = deque()
        self.size = 0

    def take(self, turn: Iterable[Shown]) -> None:
        """Take in a whole turn, the one after those before."""
        self.turns += 1
        said, answered = "", ""
        calls: dict[str, ToolCall] = {}
        for entry in turn:
            match entry:
                case UserMessage(text=text):
                    said = text
                case EventMessage():
                    self._heard(entry.request)
                case ModelStep(text=text):
                    answered = text or answered
                    calls = {call.id: call for call in entry.calls}
                case ToolResults(results=results):
                    for result in results:
                        self._came_back(result, calls.get(result.call_id))
        words = RecapTurn(said=_cut(said, _LONGEST_SAID), answered=_cut(answered, _LONGEST_ANSWER))
        self._words.append(self._weighed(words))
        self._shrink()

    def recap(self) -> Recap:
        """What it has come to."""
        return Recap(
            turns=self.turns,
            words=[words for words, _ in self._words],
            orders=[order for order, _ in self._orders],
            requests=[view.model_dump(mode="json", exclude_none=True) for view, _ in self._requests.values()],
            uncertain=[call for call, _ in self._uncertain],
        )

    def _came_back(self, result: ToolResult, call: ToolCall | None) -> None:
        if placed := order_in(result):
            order = RecapOrder(
                id=placed.id,
                dish=placed.dish_name,
                restaurant=placed.restaurant_name,
                price=placed.price,
                approval_id=placed.approval_id,
            )
            self._orders.append(self._weighed(order))
            if known := self._requests.get(placed.approval_id or ""):
                self._heard(known[0].model_copy(update={"status": "used"}))
        elif request := request_in(result):
            self._heard(request)
        elif call is not None and not result.name.startswith(_LOOKS_ONLY) and _code(result) in _UNKNOWN_EFFECT:
            self._uncertain.append(self._weighed(RecapCall(name=call.name, arguments=redact(call.arguments))))

    def _heard(self, request: RequestView | None) -> None:
        if request is not None:
            if known := self._requests.pop(request.id, None):
                self._drop(known)
            self._requests[request.id] = self._weighed(request)

    def _weighed(self, part: V) -> _Weighed[V]:
        size = len(part.model_dump_json())
        self.size += size
        return part, size

    def _drop(self, weighed: _Weighed[Any]) -> None:
        self.size -= weighed[1]

    def _shrink(self) -> None:
        while self.size > self._most:
            closed = next((key for key, (view, _) in self._requests.items() if view.status != "pending"), None)
            if self._words:
                self._drop(self._words.popleft())
            elif closed is not None:
                self._drop(self._requests.pop(closed))
            elif len(self._orders) > 1:
                self._drop(self._orders.popleft())
            elif self._requests:
                self._drop(self._requests.pop(next(iter(self._requests))))
            elif self._uncertain:
                self._drop(self._uncertain.popleft())
            else:
                return


def _read(model: type[V], data: Mapping[str, Any]) -> V | None:
    try:
        return model.model_validate(data)
    except ValidationError:
        return None


def _code(result: ToolResult) -> str:
    error = result.content.get("error")
    return str(error.get("code", "")) if isinstance(error, dict) else ""


def _cut(text: str, longest: int) -> str:
    line = " ".join(text[: 2 * longest].split())
    return line if len(line) <= longest and len(text) <= 2 * longest else f"{line[:longest]}…"

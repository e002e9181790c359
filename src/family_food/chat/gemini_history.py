"""The conversation in the shape of Gemini's contents, as the guide's ``history_update`` carries it."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Sequence
from typing import Any

from family_food.messages import Entry, EventMessage, ModelStep, ToolResults, UserMessage


class HistoryCopy:
    """What clients are sent of a conversation that grows. Each entry is looked at once.

    Args:
        max_bytes: of JSON; beyond, the oldest turns are left out.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._turns: deque[tuple[list[dict[str, Any]], list[int]]] = deque()
        self._size = 0
        self.seen = 0
        """How many entries of the conversation it has."""

    def add(self, entries: Sequence[Entry]) -> None:
        """Take what has come since."""
        for entry in entries:
            if isinstance(entry, UserMessage | EventMessage) or not self._turns:
                self._turns.append(([], []))
            content = _content(entry)
            contents, sizes = self._turns[-1]
            if content["parts"]:
                contents.append(content)
                sizes.append(len(json.dumps(content, ensure_ascii=False).encode("utf-8", "replace")) + 2)
                self._size += sizes[-1]
        self.seen += len(entries)
        while self._size > self._max_bytes and len(self._turns) > 1:
            self._size -= sum(self._turns.popleft()[1])

    def contents(self) -> list[dict[str, Any]]:
        """Text, function_call and function_response parts, the oldest first. A turn is there whole or not at all."""
        if self._size > self._max_bytes:
            return []
        return [content for contents, _ in self._turns for content in contents]


def gemini_history(entries: Sequence[Entry], max_bytes: int) -> list[dict[str, Any]]:
    """The copy of these entries; the oldest turns are left out beyond ``max_bytes`` of JSON."""
    copy = HistoryCopy(max_bytes)
    copy.add(entries)
    return copy.contents()


def _content(entry: Entry) -> dict[str, Any]:
    match entry:
        case UserMessage(text=text):
            return {"role": "user", "parts": [{"text": text}]}
        case EventMessage(event=event, data=data):
            return {"role": "user", "parts": [{"text": f"[{event}] {json.dumps(data, ensure_ascii=False)}"}]}
        case ModelStep(text=text, calls=calls):
            parts: list[dict[str, Any]] = [{"text": text}] if text else []
            parts += [{"function_call": {"id": c.id, "name": c.name, "args": c.arguments}} for c in calls]
            return {"role": "model", "parts": parts}
        case ToolResults(results=results):
            answers = [{"id": r.call_id, "name": r.name, "response": r.content} for r in results]
            return {"role": "user", "parts": [{"function_response": answer} for answer in answers]}

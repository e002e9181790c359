"""The conversation in the shape of Gemini's contents, as the guide's ``history_update`` carries it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from family_food.messages import Entry, EventMessage, ModelStep, ToolResults, UserMessage


def gemini_history(entries: Sequence[Entry], max_bytes: int) -> list[dict[str, Any]]:
    """Text, function_call and function_response parts; the oldest turns are left out beyond ``max_bytes`` of JSON."""
    turns: list[list[dict[str, Any]]] = []
    for entry in entries:
        if isinstance(entry, UserMessage | EventMessage) or not turns:
            turns.append([])
        turns[-1] += [_content(entry)]
    room = max_bytes
    kept: list[list[dict[str, Any]]] = []
    for turn in reversed(turns):
        room -= len(json.dumps(turn, ensure_ascii=False).encode("utf-8", "replace"))
        if room < 0:
            break
        kept.append(turn)
    return [content for turn in reversed(kept) for content in turn if content["parts"]]


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

"""A conversation's full record to read: Markdown whose structure is this module's alone.

What people, models and tools wrote stands in quotes, every character that could mean something escaped: it can be no
heading, no link, no HTML, and cannot end its quote.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime

from family_food.conversations.export import (
    ExportedConversation,
    ExportedEntry,
    ExportedEvent,
    ExportedResults,
    ExportedStep,
    ExportedTurn,
    ExportedWords,
)
from family_food.conversations.outcomes import wish
from permit_core.views import plain

_BEGAN = {"message": "", "event": "news", "continue": "continued"}
_ENDED = {
    "running": "not finished",
    "completed": "completed",
    "cancelled": "cancelled",
    "failed": "failed",
    "limit": "stopped at a limit",
    "interrupted": "interrupted: the server stopped",
}
_MOST_INDENT = 80
# What CommonMark, or a common extension of it, gives a meaning: anywhere in a line, and at its beginning.
_MEANINGFUL = re.compile(r"([\\`*_{}\[\]<>|~&$])")
_BEGINS_A_BLOCK = re.compile(r"^(?=[#+=:-])|^(\d+)(?=[.)])")


def as_markdown(conversation: ExportedConversation) -> str:
    """The whole document."""
    about = [
        f"# {_line(conversation.title) or 'A conversation'}",
        "\n".join(
            [
                f"- of {_line(conversation.user)}",
                f"- begun {_moment(conversation.created_at)}, last turn {_moment(conversation.updated_at)}",
                f"- {len(conversation.turns)} turn{'' if len(conversation.turns) == 1 else 's'}",
                f"- id {_code(conversation.id)}",
            ]
        ),
    ]
    blocks = [*about, *_turns(conversation)]
    return "\n\n".join(blocks) + "\n"


def _turns(conversation: ExportedConversation) -> Iterator[str]:
    by_turn: dict[int, list[ExportedEntry]] = {}
    for entry in conversation.entries:
        by_turn.setdefault(entry.turn, []).append(entry)
    for turn in conversation.turns:
        yield _heading(turn)
        for entry in by_turn.get(turn.number, []):
            yield from _blocks(entry, conversation.user)


def _heading(turn: ExportedTurn) -> str:
    seconds = (turn.ended_at - turn.started_at).total_seconds() if turn.ended_at else None
    took = f" after {seconds:.1f} s" if seconds is not None else ""
    began = f", {_BEGAN[turn.cause]}" if _BEGAN[turn.cause] else ""
    return f"## Turn {turn.number}{began}, {_moment(turn.started_at)}: {_ENDED[turn.outcome]}{took}"


def _blocks(entry: ExportedEntry, user: str) -> Iterator[str]:
    clock = f"{entry.at.astimezone(UTC):%H:%M:%S}"
    match entry:
        case ExportedWords(text=text):
            yield f"**{_line(user)}**, {clock}"
            yield _quote(text)
        case ExportedEvent():
            yield f"**Chat server**, {clock}: {_event(entry)}"
        case ExportedStep(text=text, model=model, calls=calls):
            yield f"**Assistant**, {clock}{f', {_line(model)}' if model else ''}"
            if text:
                yield _quote(text)
            if calls:
                made = (f"- calls {_code(call.name)} with {_code(_json(call.arguments))}" for call in calls)
                yield "\n".join(made)
        case ExportedResults(results=results):
            yield f"**Tools**, {clock}"
            told = (
                f"- {_code(one.name)} {one.state}{f' ({_code(one.code)})' if one.code else ''}: {_line(one.outcome)}"
                for one in results
            )
            yield "\n".join(told)


def _event(entry: ExportedEvent) -> str:
    if entry.event == "turn_interrupted":
        return "the turn before was interrupted and is continued."
    data = entry.data
    about = wish(data) if "resource_name" in data else "something"
    who = str(data.get("requesting_user") or "somebody")
    if entry.event == "request_created":
        return f"{_line(who)} asks for this: {_line(about)}.{_said(data.get('reason'))}"
    by = f" by {_line(str(data['decided_by']))}" if data.get("decided_by") else ""
    status = _line(str(data.get("status", "decided")))
    return f"the request of {_line(who)} ({_line(about)}) was {status}{by}.{_said(data.get('comment'))}"


def _said(words: object) -> str:
    text = words.get("text") if isinstance(words, dict) else None
    return f" Their words: “{_line(str(text))}”" if text else ""


def _quote(text: str) -> str:
    """Text in a quote, its lines as they were."""
    paragraphs: list[list[str]] = [[]]
    for line in text.splitlines():
        if shown := _line(line):
            paragraphs[-1].append(_indent(line) + shown)
        elif paragraphs[-1]:
            paragraphs.append([])
    # A backslash at the end of a line is a line break.
    quoted = ["\\\n".join(lines) for lines in paragraphs if lines] or ["\u2014"]
    return "\n>\n".join("\n".join(f"> {line}" for line in part.split("\n")) for part in quoted)


def _indent(line: str) -> str:
    """The blanks a line begins with, as ones that Markdown leaves where they are: what is indented in code means something."""
    begun = line.expandtabs(4)
    blanks = min(len(begun) - len(begun.lstrip(" ")), _MOST_INDENT)
    # Spelled out, the first one keeps the others: some readers strip any blank from a paragraph's beginning.
    return "&nbsp;" + "\u00a0" * (blanks - 1) if blanks else ""


def _line(text: str) -> str:
    """One line of visible characters that mean nothing but themselves."""
    escaped = _MEANINGFUL.sub(r"\\\1", plain(text))
    return _BEGINS_A_BLOCK.sub(lambda found: f"{found[1] or ''}\\", escaped)


def _code(text: str) -> str:
    """One line between as many backticks as it takes."""
    line = plain(text) or " "
    fence = "`" * (max((len(run) for run in re.findall("`+", line)), default=0) + 1)
    padded = f" {line} " if line.startswith("`") or line.endswith("`") else line
    return f"{fence}{padded}{fence}"


def _json(arguments: dict[str, object]) -> str:
    return json.dumps(arguments, ensure_ascii=False)


def _moment(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"

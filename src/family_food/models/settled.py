"""A conversation in which every call has its answer.

Providers refuse a whole conversation for one call without a result, for ever after. A server that was killed between
a step and its results, or a turn that was cut, leaves one behind; here it is closed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from family_food.messages import ModelStep, Shown, ToolCall, ToolResult, ToolResults

NO_RESULT = {
    "error": {
        "code": "no_result",
        "message": "The call was interrupted; whether it had an effect is not known.",
        "hint": "Look before you repeat it.",
    }
}


def settled(entries: Sequence[Shown]) -> Iterator[Shown]:
    """The entries, each step with calls followed at once by exactly one result a call, in the order of the calls.

    A result that answers nothing is left out.
    """
    open_calls: list[ToolCall] = []
    for entry in entries:
        if isinstance(entry, ToolResults):
            if open_calls:
                yield _answers(open_calls, entry.results)
            open_calls = []
            continue
        if open_calls:
            yield _answers(open_calls, [])
        open_calls = entry.calls if isinstance(entry, ModelStep) else []
        yield entry
    if open_calls:
        yield _answers(open_calls, [])


def _answers(calls: list[ToolCall], results: list[ToolResult]) -> ToolResults:
    by_id = {result.call_id: result for result in results}
    return ToolResults(
        results=[
            by_id.get(call.id) or ToolResult(call_id=call.id, name=call.name, content=NO_RESULT, is_error=True)
            for call in calls
        ]
    )

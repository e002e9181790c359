"""Our conversation in the words of the chat completions protocol, and its answers in ours."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from family_food.messages import EventMessage, ModelStep, Recap, Shown, ToolCall, ToolResults, UserMessage
from family_food.models.completion_chunk import CallFragment, CompletionChunk
from family_food.models.fencing import event_text, person_text, recap_text
from family_food.models.port import Finish, Prompt, StepEnd, Usage
from family_food.models.run_step import UselessAnswerError
from family_food.models.settled import settled
from family_food.models.tool_arguments import read_arguments

_FINISH = {
    "stop": Finish.STOP,
    "tool_calls": Finish.STOP,
    "function_call": Finish.STOP,
    "eos": Finish.STOP,
    "eos_token": Finish.STOP,
    "stop_sequence": Finish.STOP,
    "length": Finish.LENGTH,
    "content_filter": Finish.BLOCKED,
}


def to_body(prompt: Prompt, model: str) -> dict[str, Any]:
    """The body of the request."""
    system = [{"role": "system", "content": prompt.system}] if prompt.system else []
    body: dict[str, Any] = {
        "model": model,
        "messages": [*system, *_messages(prompt.entries)],
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    if prompt.tools:
        body["tools"] = [
            {
                "type": "function",
                "function": {
                    "name": tool.name,
                    "description": tool.description,
                    "parameters": dict(tool.input_schema),
                },
            }
            for tool in prompt.tools
        ]
        body["tool_choice"] = "auto" if prompt.may_call else "none"
    return body


def _messages(entries: Sequence[Shown]) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = []
    for entry in settled(entries):
        match entry:
            case UserMessage():
                _add_user(messages, person_text(entry.text))
            case EventMessage():
                _add_user(messages, event_text(entry))
            case Recap():
                _add_user(messages, recap_text(entry))
            case ModelStep() if entry.text or entry.calls:
                message: dict[str, Any] = {"role": "assistant", "content": entry.text or None}
                if entry.calls:
                    message["tool_calls"] = [_sent_call(call) for call in entry.calls]
                messages.append(message)
            case ToolResults():
                messages.extend(
                    {
                        "role": "tool",
                        "tool_call_id": result.call_id,
                        "content": json.dumps(result.content, ensure_ascii=False),
                    }
                    for result in entry.results
                )
    return messages


def _add_user(messages: list[dict[str, Any]], text: str) -> None:
    """Say something as the user. Servers that fill in a chat template may insist that nobody speaks twice in a row."""
    if messages and messages[-1]["role"] == "user":
        messages[-1]["content"] += f"\n\n{text}"
    else:
        messages.append({"role": "user", "content": text})


def _sent_call(call: ToolCall) -> dict[str, Any]:
    arguments = json.dumps(call.arguments, ensure_ascii=False)
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": arguments}}


@dataclass(slots=True)
class _Call:
    """A call as its fragments have told so far."""

    id: str = ""
    name: str = ""
    arguments: str = ""

    @property
    def complete(self) -> bool:
        try:
            return isinstance(json.loads(self.arguments), dict)
        except (ValueError, RecursionError):
            return False


class CompletionAnswer:
    """An answer as it comes in, in ``chat.completion.chunk`` objects.

    Args:
        provider: for the step.
        may_call: False when calls were forbidden. Some servers do not know ``tool_choice``; theirs are left out.
    """

    def __init__(self, provider: str, *, may_call: bool = True) -> None:
        self._provider, self._may_call = provider, may_call
        self._text: list[str] = []
        self._calls: list[_Call] = []
        self._by_index: dict[int, _Call] = {}
        self._finish = ""
        self._usage = Usage()

    @property
    def usage(self) -> Usage:
        """Known only at the end, when the server tells it at all."""
        return self._usage

    def read(self, chunk: CompletionChunk) -> str:
        """Take in a chunk; its words, without a model's reasoning."""
        if counted := chunk.usage:
            self._usage = Usage(counted.prompt_tokens or 0, counted.completion_tokens or 0)
        if not chunk.choices:
            return ""
        choice = chunk.choices[0]
        self._finish = choice.finish_reason or self._finish
        for fragment in choice.delta.tool_calls or []:
            self._join(fragment)
        words = choice.delta.content or ""
        self._text.append(words)
        return words

    def end(self) -> StepEnd:
        """The whole step.

        Raises:
            UselessAnswerError: it is empty or broken off, or ended for an unknown reason.
        """
        if not self._finish:
            raise UselessAnswerError("model_unavailable", "The language model's answer broke off.")
        finish = _FINISH.get(self._finish)
        if finish is None:
            reason = "".join(sign for sign in self._finish[:40] if sign.isalnum() or sign == "_")
            raise UselessAnswerError(
                "model_malformed", f"The language model stopped for an unexpected reason ({reason})."
            )
        step = ModelStep(text="".join(self._text), calls=self._whole_calls(finish), provider=self._provider)
        if finish is Finish.STOP and not step.text.strip() and not step.calls:
            raise UselessAnswerError("model_empty", "The language model gave an empty answer.")
        return StepEnd(step, finish, self._usage)

    def _join(self, fragment: CallFragment) -> None:
        """Add a fragment to its call; begin a new one when it is not a continuation.

        Servers differ: some leave out the index or the id, some number every call 0, some send a call at once.
        """
        call_id, name = fragment.id or "", fragment.function.name or ""
        if fragment.index is not None:
            call = self._by_index.get(fragment.index)
        else:
            call = self._calls[-1] if self._calls else None
        if call is None or _is_another(call, call_id, name):
            call = _Call()
            self._calls.append(call)
        if fragment.index is not None:
            self._by_index[fragment.index] = call
        call.id = call.id or call_id
        call.name = call.name or name
        arguments = fragment.function.arguments or ""
        call.arguments += arguments if isinstance(arguments, str) else json.dumps(arguments)

    def _whole_calls(self, finish: Finish) -> list[ToolCall]:
        # A call cut off by the limit is not one; half a blocked answer's calls are not to be run.
        if not self._may_call or finish is not Finish.STOP:
            return []
        calls: list[ToolCall] = []
        for call in self._calls:
            taken = {other.id for other in calls}
            call_id = call.id if call.id and call.id not in taken else f"srv_{uuid4().hex}"
            calls.append(ToolCall(id=call_id, name=call.name, arguments=read_arguments(call.arguments)))
        return calls


def _is_another(call: _Call, call_id: str, name: str) -> bool:
    """Whether a fragment that landed on ``call`` begins the next one. Some servers repeat a call's name or id."""
    if call_id and call.id:
        return call_id != call.id
    return bool(name and call.name and call.complete)

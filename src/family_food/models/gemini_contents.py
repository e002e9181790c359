"""Our conversation in Gemini's words, and Gemini's answer in ours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from google.genai import types
from pydantic import ValidationError

from family_food.messages import EventMessage, ModelStep, Recap, Shown, ToolCall, ToolResult, ToolResults, UserMessage
from family_food.models.fencing import event_text, person_text, recap_text
from family_food.models.port import Finish, Prompt, StepEnd, Usage
from family_food.models.run_step import UselessAnswerError
from family_food.models.schema_tidy import tidy
from family_food.models.settled import settled

ANY_SIGNATURE = b"skip_thought_signature_validator"
"""Google's documented stand-in for the thought signature of a call that Gemini, or this Gemini, did not make."""

OWN_ID = "srv_"
"""How the ids begin that we give to calls which came without one; Gemini is never told them."""

_STOPPED = frozenset({"STOP"})
_CUT = frozenset({"MAX_TOKENS"})
_BLOCKED = frozenset(
    {"SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "LANGUAGE", "MODEL_ARMOR"}
    | {"IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION"}
)
_MALFORMED = frozenset({"MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "MALFORMED_RESPONSE"})


def to_contents(entries: Sequence[Shown], provider: str) -> list[types.Content]:
    """The conversation as the service wants it, ready to be answered.

    Args:
        entries: the conversation.
        provider: who will read it; its own earlier steps go back exactly as they came.
    """
    contents: list[types.Content] = []
    sent_ids: list[str | None] = []
    for entry in settled(entries):
        match entry:
            case UserMessage():
                contents.append(_user(types.Part(text=person_text(entry.text))))
            case EventMessage():
                contents.append(_user(types.Part(text=event_text(entry))))
            case Recap():
                contents.append(_user(types.Part(text=recap_text(entry))))
            case ModelStep():
                content = _own_step(entry, provider) or _foreign_step(entry)
                sent_ids = [part.function_call.id for part in content.parts or [] if part.function_call]
                # A step that was all thought, or blocked at once, has nothing to say twice.
                if any(part.text or part.function_call for part in content.parts or []):
                    contents.append(content)
            case ToolResults():
                answers = zip(entry.results, sent_ids, strict=True)
                contents.append(_user(*(_result_part(result, sent) for result, sent in answers)))
    return contents


def to_config(prompt: Prompt, thinking: types.ThinkingConfig | None) -> types.GenerateContentConfig:
    """System instruction, tools and how they may be used. The SDK never calls a tool itself."""
    declarations = [
        types.FunctionDeclaration(
            name=tool.name,
            description=tool.description or tool.name,
            parameters_json_schema=tidy(tool.input_schema),
        )
        for tool in prompt.tools
    ]
    # Without declarations a calling mode is an error; without the mode, declarations invite calls.
    mode = types.FunctionCallingConfigMode.AUTO if prompt.may_call else types.FunctionCallingConfigMode.NONE
    return types.GenerateContentConfig(
        system_instruction=prompt.system or None,
        tools=[types.Tool(function_declarations=declarations)] if declarations else None,
        tool_config=types.ToolConfig(function_calling_config=types.FunctionCallingConfig(mode=mode))
        if declarations
        else None,
        automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
        thinking_config=thinking,
    )


class GeminiAnswer:
    """An answer of Gemini as it comes in: every part is kept as it was, the signed and the empty ones too."""

    def __init__(self, provider: str) -> None:
        self._provider = provider
        self._parts: list[types.Part] = []
        self._finish = ""
        self._blocked = ""
        self._usage = Usage()

    @property
    def usage(self) -> Usage:
        """The count of the last chunk that had one; thinking is paid as output."""
        return self._usage

    def read(self, chunk: types.GenerateContentResponse) -> str:
        """Take in a chunk; its words, without the model's thoughts."""
        if counted := chunk.usage_metadata:
            self._usage = Usage(
                input_tokens=counted.prompt_token_count or 0,
                output_tokens=(counted.candidates_token_count or 0) + (counted.thoughts_token_count or 0),
            )
        if chunk.prompt_feedback and chunk.prompt_feedback.block_reason:
            self._blocked = _name(chunk.prompt_feedback.block_reason)
        if not chunk.candidates:
            return ""
        candidate = chunk.candidates[0]
        if candidate.finish_reason:
            self._finish = _name(candidate.finish_reason)
        parts = (candidate.content and candidate.content.parts) or []
        self._parts.extend(parts)
        return "".join(part.text for part in parts if part.text and not part.thought)

    def end(self) -> StepEnd:
        """The whole step.

        Raises:
            UselessAnswerError: it is empty, malformed or broken off.
        """
        if self._blocked or self._finish in _BLOCKED:
            # Half an answer's calls are not to be run.
            return StepEnd(self._step(with_calls=False), Finish.BLOCKED, self._usage)
        if self._finish in _CUT:
            return StepEnd(self._step(), Finish.LENGTH, self._usage)
        if self._finish not in _STOPPED:
            raise _useless(self._finish)
        step = self._step()
        if not step.text.strip() and not step.calls:
            raise UselessAnswerError("model_empty", "The language model gave an empty answer.")
        return StepEnd(step, Finish.STOP, self._usage)

    def _step(self, *, with_calls: bool = True) -> ModelStep:
        parts = self._parts if with_calls else [part for part in self._parts if not part.function_call]
        try:
            native = types.Content(role="model", parts=parts).model_dump(mode="json", exclude_none=True)
        except ValueError:  # arguments that are nested too deeply to be written down again
            raise _useless("MALFORMED_FUNCTION_CALL") from None
        return ModelStep(
            text="".join(part.text for part in parts if part.text and not part.thought),
            calls=_calls(parts),
            provider=self._provider,
            native=native,
        )


def _useless(finish: str) -> UselessAnswerError:
    if not finish:
        return UselessAnswerError("model_unavailable", "The language model's answer broke off.")
    if finish in _MALFORMED:
        return UselessAnswerError("model_malformed", "The language model produced a tool call that makes no sense.")
    reason = "".join(sign for sign in finish[:40] if sign.isalnum() or sign == "_")
    return UselessAnswerError("model_malformed", f"The language model stopped for an unexpected reason ({reason}).")


def _user(*parts: types.Part) -> types.Content:
    return types.Content(role="user", parts=list(parts))


def _own_step(step: ModelStep, provider: str) -> types.Content | None:
    """A step as this very model gave it, or None when it is another's, or does not read as one."""
    if step.provider != provider or step.native is None:
        return None
    try:
        content = types.Content.model_validate(step.native)
    except ValidationError:
        return None
    calls = sum(1 for part in content.parts or [] if part.function_call)
    return content if calls == len(step.calls) else None


def _foreign_step(step: ModelStep) -> types.Content:
    """A step of another model in words and calls. Its ids mean nothing to Gemini: calls are matched by order."""
    parts = [types.Part(text=step.text)] if step.text else []
    for number, call in enumerate(step.calls):
        parts.append(
            types.Part(
                function_call=types.FunctionCall(name=call.name, args=call.arguments),
                thought_signature=None if number else ANY_SIGNATURE,
            )
        )
    return types.Content(role="model", parts=parts)


def _result_part(result: ToolResult, sent_id: str | None) -> types.Part:
    failed = result.is_error and "error" not in result.content
    response = (
        {"error": result.content} if failed else result.content if result.is_error else {"result": result.content}
    )
    return types.Part(function_response=types.FunctionResponse(id=sent_id, name=result.name, response=response))


def _calls(parts: Sequence[types.Part]) -> list[ToolCall]:
    calls: list[ToolCall] = []
    used: set[str] = set()
    for part in parts:
        if call := part.function_call:
            call_id = call.id if call.id and call.id not in used else f"{OWN_ID}{uuid4().hex}"
            used.add(call_id)
            calls.append(ToolCall(id=call_id, name=call.name or "", arguments=dict(call.args or {})))
    return calls


def _name(reason: Any) -> str:
    """The word on the wire, also for one that the SDK does not know."""
    return str(getattr(reason, "value", reason))

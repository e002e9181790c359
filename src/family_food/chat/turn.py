"""One turn: a model speaks and calls tools until it has nothing more to call, within bounds."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from typing import Literal, Protocol

from family_food.chat.interruption import uninterrupted
from family_food.chat.pending import Pending
from family_food.chat.protocol import ErrorFrame, ServerFrameModel, Status, Text, TextDeltaFrame
from family_food.conversations.conversation import CONTEXT_CHARS, Conversation
from family_food.messages import Entry, ModelStep, ToolCall, ToolResult, ToolResults
from family_food.models.port import Finish, Model, ModelError, Prompt, StepEnd, TextDelta, ToolDeclaration, Usage
from family_food.settings import ChatSettings
from permit_core.errors import UserFacing

TurnOutcome = Literal["completed", "cancelled", "failed", "limit"]
Send = Callable[[ServerFrameModel], Awaitable[object]]

MAX_STEP_BYTES = 4 * 1024 * 1024
"""A step with all its calls is never larger: it is kept, and shown to the model again and again."""

MAX_SAME_CALLS = 3
"""The third time the same call comes in one turn, it is not made and the turn is closed."""


class _TooLong(Exception):
    """The turn has no room for more words."""


class Tools(Protocol):
    """What a turn needs to call tools."""

    async def open(self) -> list[ToolDeclaration]:
        """The tools there are now."""
        ...

    def only_look(self, calls: Sequence[ToolCall]) -> bool:
        """Whether none of these calls can have an effect."""
        ...

    async def run(self, calls: Sequence[ToolCall], results: list[ToolResult | None]) -> None:
        """Carry out calls; fills ``results`` in place."""
        ...


@dataclass(frozen=True, slots=True)
class TurnLimits:
    """How long a turn may get."""

    steps: int
    seconds: float
    output_chars: int

    @classmethod
    def of(cls, settings: ChatSettings) -> TurnLimits:
        """The limits that are set."""
        return cls(settings.turn_max_steps, settings.turn_timeout_seconds, settings.turn_max_output_chars)


class TurnBudget:
    """The time a turn has. It does not run while the person is waited for."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._timeout: asyncio.Timeout | None = None

    def start(self) -> asyncio.Timeout:
        """The timeout to do the work in."""
        self._timeout = asyncio.timeout(self._seconds)
        return self._timeout

    @contextmanager
    def unhurried(self) -> Iterator[None]:
        """A context in which the clock stands still."""
        deadline = self._timeout.when() if self._timeout else None
        if self._timeout is None or deadline is None:
            yield
            return
        loop = asyncio.get_running_loop()
        left = deadline - loop.time()
        self._timeout.reschedule(None)
        try:
            yield
        finally:
            self._timeout.reschedule(loop.time() + left)


class Turn:
    """Runs once.

    Args:
        number: counted from 1 in a conversation.
        system: the system instruction.
        budget: its ``unhurried`` is what the tools wait for the person in.
        context_chars: about how much of the conversation the model is shown.

    Attributes:
        usage: what it has cost, however it ended.
        steps: how often the model was asked.
        last: the words it ended with; kept by whoever ends the turn, together with how it ended.
    """

    def __init__(
        self,
        *,
        number: int,
        system: str,
        conversation: Conversation,
        model: Model,
        tools: Tools,
        send: Send,
        limits: TurnLimits,
        budget: TurnBudget,
        context_chars: int = CONTEXT_CHARS,
    ) -> None:
        self._number = number
        self._system = system
        self._conversation = conversation
        self._model = model
        self._tools = tools
        self._send = send
        self._limits = limits
        self._budget = budget
        self._context_chars = context_chars
        self._pending: Pending | None = None
        self._seen: Counter[str] = Counter()
        self._chars = 0
        self._said = ""
        self.usage = Usage()
        self.steps = 0
        self.last: list[Entry] = []

    async def run(self, opening: Pending) -> TurnOutcome:
        """Answer to ``opening``: the model is asked while it is written, and heard when it is.

        What was said and done so far is complete also when this is cancelled: in the conversation, on its way there
        (:meth:`settled`), or in ``last``.

        Raises:
            NotWritten: the database did not take the opening, or the results of calls.
        """
        self._pending = opening
        timeout = self._budget.start()
        try:
            async with timeout:
                return await self._answer()
        except ModelError as error:
            wait = f"Try again in {error.retry_after} seconds." if error.retry_after else "Try again in a moment."
            await self._tell(ErrorFrame(content=error.message, code=error.code, hint=wait))
            return "failed"
        except UserFacing as error:
            await self._tell(ErrorFrame(content=error.message, code=error.code, hint=error.hint))
            return "failed"
        except _TooLong:
            await self._send(Text(content=self._said, turn=self._number, streamed=True))
            await self._send(Status(content="The answer was cut: it became too long."))
            return "limit"
        except TimeoutError:
            if not timeout.expired():
                raise
            await self._tell(
                ErrorFrame(
                    content="This took too long and was stopped.", code="turn_timeout", hint="Ask for less at once."
                )
            )
            return "limit"

    async def _answer(self) -> TurnOutcome:
        declarations = await self._tools.open()
        closing = False
        while True:
            self.steps += 1
            closing = closing or (self.steps >= self._limits.steps > 1)
            end = await self._step(declarations, may_call=not closing)
            if end.finish is not Finish.STOP:
                return await self._cut(end)
            if not end.step.calls or closing:
                # A model that calls although it may not is not listened to; calls without results are never kept.
                self._keep(_words_of(end.step) if end.step.calls else end.step)
                return "limit" if closing else "completed"
            closing = not await self._call(end.step)
            if self.steps >= self._limits.steps:
                return "limit"

    async def _step(self, declarations: Sequence[ToolDeclaration], *, may_call: bool) -> StepEnd:
        """One answer of the model, its words sent as they come. What was said is kept when it does not end well."""
        entries = self._conversation.window(self._context_chars)
        if self._pending is not None and not self._pending.kept:
            entries = (*entries, *self._pending.entries)
        prompt = Prompt(self._system, entries, declarations, may_call)
        self._said = ""
        try:
            async with aclosing(self._model.step(prompt)) as events:
                end = await self._listen(events)
            await self._written()
            await self._say(end.step.text.removeprefix(self._said))  # what did not come as a stream
        except BaseException:
            self._keep(ModelStep(text=self._said))
            raise
        if end.step.text:
            await self._send(Text(content=end.step.text, turn=self._number, streamed=end.step.text == self._said))
        return end

    async def _listen(self, events: AsyncIterator[TextDelta | StepEnd]) -> StepEnd:
        end: StepEnd | None = None
        async for event in events:
            if isinstance(event, StepEnd):
                end = event
            else:
                await self._say(event.text)
        if end is None:
            raise ModelError("model_malformed", "The model stopped in the middle of its answer.")
        _refuse_unusable(end.step)
        spent, cost = self.usage, end.usage
        self.usage = Usage(spent.input_tokens + cost.input_tokens, spent.output_tokens + cost.output_tokens)
        if not (end.step.text or end.step.calls or end.finish is Finish.BLOCKED):
            raise ModelError("model_empty", "The model had nothing to say.")
        return end

    async def _say(self, text: str) -> None:
        """Send more words.

        Raises:
            _TooLong: there was no room for all of them.
        """
        words = text[: self._limits.output_chars - self._chars]
        if words:
            # Half a character, from a stream that was cut within one, can be sent to nobody.
            words = words.encode("utf-8", "replace").decode()
            await self._written()
            self._said += words
            self._chars += len(words)
            await self._send(TextDeltaFrame(content=words, turn=self._number))
        if len(words) < len(text):
            raise _TooLong

    async def _cut(self, end: StepEnd) -> TurnOutcome:
        self._keep(_words_of(end.step))
        if end.finish is Finish.BLOCKED:
            blocked = "The model's provider refused to answer this."
            await self._send(ErrorFrame(content=blocked, code="model_blocked", hint="Say it in other words."))
            return "failed"
        await self._send(Status(content="The answer was cut at the model's own limit."))
        return "limit"

    async def _call(self, step: ModelStep) -> bool:
        """Carry out the calls of a step and keep it with their results; False when the model goes round in circles.

        A step whose calls have effects is kept before they are made: should this process end meanwhile, the next one
        knows what was under way. One that only looks is kept with what it has seen, or not at all.
        """
        await self._send(Status(content="Processing function calls..."))
        results: list[ToolResult | None] = [None] * len(step.calls)
        fresh = self._fresh(step.calls, results)
        calls = [step.calls[index] for index in fresh]
        made: list[ToolResult | None] = [None] * len(fresh)
        looking, kept = self._tools.only_look(calls), False

        async def keep() -> None:
            nonlocal kept
            await self._conversation.add(step)
            kept = True

        try:
            if not looking:
                await uninterrupted(keep())
            if calls:
                await self._tools.run(calls, made)
        finally:
            for index, result in zip(fresh, made, strict=True):
                results[index] = result
            if looking or kept:
                # A call without its result would spoil the conversation for good.
                complete = [
                    result or _unanswered(call, "cancelled", "Stopped before it answered; it may have had its effect.")
                    for call, result in zip(step.calls, results, strict=True)
                ]
                answers = ToolResults(results=complete)
                entries: list[Entry] = [answers] if kept else [step, answers]
                self._pending = Pending(entries, self._conversation.add(*entries))
        return len(fresh) == len(step.calls)

    def _fresh(self, calls: Sequence[ToolCall], results: list[ToolResult | None]) -> list[int]:
        """The places of the calls that are to be made; the others get their results here."""
        fresh: list[int] = []
        for index, call in enumerate(calls):
            key = f"{call.name} {json.dumps(call.arguments, sort_keys=True, default=str)}"
            self._seen[key] += 1
            if self._seen[key] < MAX_SAME_CALLS:
                fresh.append(index)
            else:
                results[index] = _unanswered(
                    call, "repeated_call", "This very call was made before; it is not made again."
                )
        return fresh

    def _keep(self, step: ModelStep) -> None:
        if step.text:
            self.last.append(step)

    async def _tell(self, frame: ServerFrameModel) -> None:
        await self._written()
        await self._send(frame)

    async def _written(self) -> None:
        """Wait until everything before is written: until then nothing is said, called or kept.

        Raises:
            NotWritten: it is not.
        """
        if self._pending is not None:
            await self._pending.written()
            self._pending = None

    async def settled(self) -> None:
        """Wait until nothing is being written any more, however this turn ended.

        Raises:
            NotWritten: the results of calls are not kept.
        """
        if self._pending is not None:
            await uninterrupted(self._pending.written())


def _words_of(step: ModelStep) -> ModelStep:
    """The step without its calls, and so without what its provider wants to see again unchanged."""
    return ModelStep(text=step.text)


def _refuse_unusable(step: ModelStep) -> None:
    """Refuse, before anything is done for it, what could not be kept afterwards: its calls would be forgotten.

    Raises:
        ModelError: the step is endless, nested without end, or holds what is no text.
    """
    try:
        # The one encoder that takes no halves of characters and counts how deep it goes.
        size = len(step.model_dump_json())
    except ValueError:
        size = MAX_STEP_BYTES + 1
    if size > MAX_STEP_BYTES:
        raise ModelError("model_malformed", "The model's answer cannot be used.")


def _unanswered(call: ToolCall, code: str, message: str) -> ToolResult:
    error = {"code": code, "message": message, "hint": "Look before you try again."}
    return ToolResult(call_id=call.id, name=call.name, content={"error": error}, is_error=True)

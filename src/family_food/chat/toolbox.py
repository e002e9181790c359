"""The tools of one turn: which ones there are for this person, and how a model's calls are carried out."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from mcp.types import CallToolResult, TextContent, Tool

from family_food.chat.confirmation import Confirmations, DecidingTool, Outcome, decision_question, to_decide
from family_food.chat.consent import Consent
from family_food.chat.incidents import apology, log_incident
from family_food.chat.interruption import cancel_and_wait, uninterrupted
from family_food.chat.protocol import ServerFrameModel, ToolFrame
from family_food.chat.tool_session import ToolSession
from family_food.conversations.outcomes import happened, may_have_happened, outcome
from family_food.messages import ToolCall, ToolResult
from family_food.models.port import ToolDeclaration
from permit_core.decision.decision_log import decision_log
from permit_core.errors import UserFacing
from permit_core.identity import Actor
from permit_core.ports.approvals import Approvals
from permit_core.ports.audit import Audit
from permit_core.ports.record import AuditEvent
from permit_core.redaction import redact
from permit_core.views import plain

MAX_PARALLEL_CALLS = 16
REFUSAL = "permit/refusal"
"""Where a tool server that refuses a call says why, in the result's metadata."""
MAX_RESULT_CHARS = 100_000
MAX_NAME_CHARS = 128
GRACE_SECONDS = 2.0
"""How long a call that has effects may still tell how it ended when its turn is stopped."""

# Answers that say "you may not", as opposed to "that went wrong".
_REFUSALS = frozenset({
    "access_denied", "forbidden", "forbidden_argument", "may_not_ask", "not_a_reviewer", "own_request", "unknown_tool",
    "not_confirmed", "changed_meanwhile", "approval_needed", "approval_pending", "approval_expired", "approval_used", "approval_mismatch",
    "approval_denied", "approval_withdrawn",
})  # fmt: skip


@dataclass(frozen=True)
class ToolContext:
    """What a session's calls need of the server.

    Attributes:
        listed: what the tool server offers this person.
        visible: the names of the tools this person may see now, by the policy.
        consent: what the conversation has read, and what is to be asked because of it.
        wake: told after each call that may have an effect: something may have been asked or decided.
    """

    actor: Actor
    session_id: str
    tools: ToolSession
    approvals: Approvals
    audit: Audit
    confirmations: Confirmations
    consent: Consent
    listed: Callable[[], Awaitable[Sequence[Tool]]]
    visible: frozenset[str]
    wake: Callable[[], None]


class Toolbox:
    """The tools as they stand at the beginning of a turn.

    Args:
        context: what its calls need of the session.
        turn: the turn's number.
        send: sends a frame to the person.
        unhurried: a context in which the turn's time does not run, for waiting on the person.
    """

    def __init__(
        self,
        context: ToolContext,
        turn: int,
        send: Callable[[ServerFrameModel], Awaitable[object]],
        unhurried: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self._context = context
        self._turn = turn
        self._send = send
        self._unhurried = unhurried
        self._tools: dict[str, Tool] = {}
        self._effects: list[str] = []

    @property
    def account(self) -> str:
        """What calls that have effects came to so far, as sentences; empty when nothing happened."""
        return " ".join(self._effects)

    async def open(self) -> list[ToolDeclaration]:
        """Look what there is; answers it as a model sees it.

        Raises:
            ToolsUnavailable: the tool server does not answer.
        """
        self._tools = {tool.name: tool for tool in await self._context.listed() if tool.name in self._context.visible}
        return declarations(self._tools.values())

    def only_look(self, calls: Sequence[ToolCall]) -> bool:
        """Whether none of these calls can have an effect; one of a tool that is not there leaves a record, at least."""
        return all(self._looks(call) for call in calls)

    async def run(self, calls: Sequence[ToolCall], results: list[ToolResult | None]) -> None:
        """Carry out the calls of one step, in parallel; those the person is asked about one after another, at the end.

        The person is asked about decisions, and about every effect once the conversation holds what others wrote.

        ``results`` is filled in place, in the order of the calls, so that what is done is known even when this is
        cancelled half-way: then calls that change nothing are stopped, and those with effects have ``GRACE_SECONDS`` to
        tell how they ended.

        Raises:
            StoreError: it cannot be known what the conversation holds; no call was made.
        """
        acting = [index for index, call in enumerate(calls) if not self._looks(call)]
        tainted = bool(acting) and await self._context.consent.tainted()
        asking = acting if tainted else [index for index in acting if self._decides(calls[index])]

        async def run_one(index: int) -> None:
            await self._run(calls[index], index, results, tainted=tainted)

        try:
            async with asyncio.TaskGroup() as group:
                for index in range(len(calls)):
                    if index not in asking:
                        group.create_task(run_one(index))
        except ExceptionGroup as several:
            raise several.exceptions[0] from several  # once is enough
        for index in asking:
            await run_one(index)

    def _looks(self, call: ToolCall) -> bool:
        return call.name in self._tools and self._context.consent.looks(call.name) and not self._decides(call)

    def _decides(self, call: ToolCall) -> bool:
        tool = self._tools.get(call.name)
        try:
            return tool is not None and DecidingTool.of(tool.meta) is not None
        except (ValueError, KeyError, TypeError):
            return True  # unclear: not to be run along with the others, and refused below

    async def _run(self, call: ToolCall, index: int, results: list[ToolResult | None], *, tainted: bool) -> None:
        arguments = redact(call.arguments)
        name = plain(call.name)[:MAX_NAME_CHARS]

        async def tell(state: Any, content: str, code: str | None = None) -> None:
            frame = ToolFrame(
                content=content,
                turn=self._turn,
                call_id=call.id,
                name=name,
                arguments=arguments,
                state=state,
                code=code,
            )
            await self._send(frame)

        stopped: asyncio.CancelledError | None = None
        progress = _Progress()
        try:
            await tell("started", f"{name}({_spelled(arguments)})")
            content = await self._outcome(call, index, progress, tainted=tainted)
        except asyncio.CancelledError as cancelled:
            stopped, content = cancelled, progress.answer or failure("cancelled", *progress.cut)
        try:
            await uninterrupted(self._context.consent.note_result(call.name, content))
        except asyncio.CancelledError as cancelled:
            stopped = cancelled
        except Exception as problem:  # noqa: BLE001 - what cannot be labelled is not given to a model
            content = self._withheld(problem, call)
        error: dict[str, Any] = content["error"] if isinstance(content.get("error"), dict) else {}
        failed = bool(error)
        results[index] = ToolResult(call_id=call.id, name=call.name, content=content, is_error=failed)
        if progress.acting and not failed:
            self._effects.append(happened(name, content))
        if failed and error.get("code") == "cancelled" and progress.acting:
            self._effects.append(may_have_happened(name))
        if not failed:
            await tell("done", f"{name}: {outcome(content)}")
        else:
            code, message = str(error.get("code", "error")), plain(str(error.get("message", "")))
            state = "refused" if code in _REFUSALS or error.get("ask_for") else "failed"
            await tell(state, f"{name}: {message}", code)
        if stopped is not None:
            raise stopped

    async def _outcome(self, call: ToolCall, index: int, progress: _Progress, *, tainted: bool) -> dict[str, Any]:
        """The result of one call, whatever happens; only a cancellation leaves it."""
        try:
            if index >= MAX_PARALLEL_CALLS:
                return failure(
                    "too_many_calls", f"At most {MAX_PARALLEL_CALLS} calls at once.", "Call it in the next step."
                )
            tool = self._tools.get(call.name)
            if tool is None:
                return await self._unknown(call)
            deciding = DecidingTool.of(tool.meta)
            read_only = self._looks(call)
            if deciding is not None:
                refusal = await self._unconfirmed(deciding, call)
            else:
                refusal = await self._not_agreed(call) if tainted and not read_only else None
            if refusal is not None:
                return refusal
            try:
                calling = self._context.tools.call(call.name, call.arguments, read_only=read_only)
                return result_content(await (calling if read_only else self._to_its_end(calling, progress)))
            finally:
                if not read_only:
                    self._context.wake()
        except Exception as error:  # noqa: BLE001 - one failing call never ends the turn
            return self._failed(error, call)

    async def _to_its_end(self, calling: Coroutine[Any, Any, CallToolResult], progress: _Progress) -> CallToolResult:
        """A call with effects: when it is cancelled it may still tell how it ended, but not for long."""
        progress.acting = True
        progress.cut = ("Stopped before it answered; it may have had its effect.", "Look before you try again.")
        task = asyncio.create_task(calling, name="tool call")
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            await uninterrupted(_wait_for(task))
            if not task.cancelled():
                error = task.exception()
                progress.answer = result_content(task.result()) if error is None else self._failed(error, None)
            raise

    def _failed(self, error: BaseException, call: ToolCall | None) -> dict[str, Any]:
        if isinstance(error, UserFacing):
            return {"error": error.as_dict()}
        name = plain(call.name)[:MAX_NAME_CHARS] if call else "call"
        return failure("internal_error", apology(log_incident(error, f"tool {name} of {self._context.session_id}")))

    def _withheld(self, problem: BaseException, call: ToolCall) -> dict[str, Any]:
        log_incident(problem, f"the label of {plain(call.name)[:MAX_NAME_CHARS]} in {self._context.session_id}")
        return failure(
            "result_withheld",
            "The answer cannot be used now. If the call has effects it may have had them.",
            "Look before you try again.",
        )

    async def _unknown(self, call: ToolCall) -> dict[str, Any]:
        # The child would answer the same; but only what was listed for this turn is known to decide nothing.
        body = {"tool": plain(call.name)[:MAX_NAME_CHARS], "arguments": redact(call.arguments), "code": "unknown_tool"}
        await self._record("tool.refused", body)
        return failure("unknown_tool", f"Unknown tool: {plain(call.name)[:MAX_NAME_CHARS]}")

    async def _unconfirmed(self, deciding: DecidingTool, call: ToolCall) -> dict[str, Any] | None:
        """Ask the person; None when they said yes, else what the model is told.

        Raises:
            UserFacing: there is nothing to ask about; recorded, for the tool server does not hear of this call.
        """
        comment = plain(str(call.arguments.get(deciding.comment_argument) or ""))
        with decision_log() as decided:
            try:
                request_id = str(call.arguments.get(deciding.id_argument, ""))
                request, view = await to_decide(
                    self._context.approvals, self._context.actor, deciding.kinds, request_id, comment
                )
            except UserFacing as error:
                body = {"tool": call.name, "arguments": redact(call.arguments), "code": error.code}
                await self._record("tool.refused", {**body, **decided.as_dict()})
                raise
        outcome: Outcome = "cancelled"
        try:
            with self._unhurried():
                asking = decision_question(view, deciding.verb, comment)
                outcome = await self._context.confirmations.ask(self._turn, asking)
        finally:
            event = "decision.confirmed" if outcome == "confirmed" else "decision.declined"
            asked = {"request_id": request.id, "verb": deciding.verb, "comment": comment, "outcome": outcome}
            await uninterrupted(self._record(event, {**asked, **decided.as_dict()}))
        return None if outcome == "confirmed" else _not_confirmed(outcome, "decided")

    async def _not_agreed(self, call: ToolCall) -> dict[str, Any] | None:
        """Ask the person whether this very call shall be made; None when it shall, else what the model is told.

        Raises:
            UserFacing: there is nothing to ask about; recorded, for the tool server does not hear of this call.
        """
        consent, arguments = self._context.consent, redact(call.arguments)
        with decision_log() as decided:
            try:
                wish = await consent.wish(call)
            except UserFacing as error:
                body = {"tool": call.name, "arguments": arguments, "code": error.code}
                await self._record("tool.refused", {**body, **decided.as_dict()})
                raise
            if wish is None:
                return None  # a reviewer has agreed to exactly this
        outcome: Outcome = "cancelled"
        try:
            with self._unhurried():
                outcome = await self._context.confirmations.ask(self._turn, wish.question(call))
        finally:
            event = "call.confirmed" if outcome == "confirmed" else "call.declined"
            body = {"tool": call.name, "arguments": arguments, "asked": wish.sentence, "outcome": outcome}
            await uninterrupted(self._record(event, {**body, **decided.as_dict()}))
        if outcome != "confirmed":
            return _not_confirmed(outcome, "done")
        if await consent.wish(call) != wish:
            return failure(
                "changed_meanwhile", "It changed while the person was asked; nothing was done.", "Look again."
            )
        return None

    async def _record(self, event: str, body: dict[str, Any]) -> None:
        who = self._context.actor
        await self._context.audit.note(
            AuditEvent(event, who, {"session": self._context.session_id, "turn": self._turn, **body})
        )


@dataclass
class _Progress:
    """How far a call has come, for the case that it is stopped.

    Attributes:
        acting: it was sent to a tool that has effects.
        answer: its result, when it came after all.
        cut: message and hint for the model when it did not.
    """

    acting: bool = False
    answer: dict[str, Any] | None = None
    cut: tuple[str, str] = ("Stopped before it had any effect.", "")


async def _wait_for(task: asyncio.Task[Any]) -> None:
    await asyncio.wait([task], timeout=GRACE_SECONDS)
    if not task.done():
        await cancel_and_wait(task)


def _not_confirmed(outcome: Outcome, nothing: str) -> dict[str, Any]:
    said = {"expired": "The person did not answer in time", "unattended": "Nobody is there to be asked"}
    return failure(
        "not_confirmed",
        f"{said.get(outcome, 'The person said no')}; nothing was {nothing}.",
        "Do not try again unless they ask for it.",
    )


def declarations(tools: Any) -> list[ToolDeclaration]:
    """MCP tools as a model sees them."""
    return [ToolDeclaration(tool.name, tool.description or tool.name, tool.input_schema) for tool in tools]


def failure(code: str, message: str, hint: str = "", **details: Any) -> dict[str, Any]:
    """The content of a result that is an error."""
    return {"error": {"code": code, "message": message, "hint": hint, **details}}


def result_content(result: CallToolResult) -> dict[str, Any]:
    """What a model is given of a tool's answer: the structured content, else the text; a refusal under ``error``."""
    text = "\n".join(block.text for block in result.content if isinstance(block, TextContent))
    structured = result.structured_content if isinstance(result.structured_content, dict) else None
    if result.is_error:
        if (refused := (result.meta or {}).get(REFUSAL)) and "code" in refused:
            return {"error": refused}
        code = "unknown_tool" if text.startswith("Unknown tool: ") else "tool_error"
        return failure(code, plain(text)[:2000] or "The tool failed.")
    content = structured if structured is not None else {"result": text}
    if len(json.dumps(content, ensure_ascii=False, default=str)) > MAX_RESULT_CHARS:
        return failure("result_too_large", "The answer is too large.", "Ask for a smaller page.")
    return content


def _spelled(arguments: dict[str, Any]) -> str:
    return plain(", ".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in arguments.items()))[
        :200
    ]

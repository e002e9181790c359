"""What became of one question: told from the frames, no input, no output."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from family_food.terminal.problem import Exit
from family_food.terminal.visible import one_line, visible

Frame = Mapping[str, Any]

_DENIED = frozenset(
    {"access_denied", "not_confirmed", "may_not_ask", "not_a_reviewer", "own_request", "role_not_requestable"}
    | {"tool_not_allowed"}
)
_ASKS = frozenset({"create_access_request", "create_operation_approval"})
_SHORTCOMINGS = {
    "interrupted": (
        "The answer was cut short: the server was started anew.",
        "Look what was done already, and ask again.",
    ),
    "cancelled": ("The answer was cancelled.", ""),
    "empty_answer": ("The answer is empty.", "Ask again."),
}
_LIMITS = frozenset({"model_rate_limited"})


class AskedTurn:
    """Follows the turn of one message.

    Attributes:
        turn: its number; None while it has not begun.
        done: it is over, or will never begin.
        outcome: of the turn, as ``turn_end`` tells it; ``refused`` when it never began; empty before.
        tools: its calls, ``{name, arguments, state, code}``, in the order they began.
        usage: tokens, as far as the provider tells.
        error: ``{code, message, hint}``, or None.
        asked_for_approval: a request was made that now waits.
    """

    def __init__(self, message_id: str = "") -> None:
        self.message_id = message_id
        self.turn: int | None = None
        self.done = False
        self.outcome = ""
        self.usage: dict[str, Any] = {}
        self.error: dict[str, str] | None = None
        self.asked_for_approval = False
        self._denied = False
        self._calls: dict[str, dict[str, Any]] = {}
        self._texts: list[str] = []
        self._piece = ""

    @property
    def tools(self) -> list[dict[str, Any]]:
        """See above."""
        return list(self._calls.values())

    @property
    def answer(self) -> str:
        """Everything the assistant said, a blank line between its parts."""
        return "\n\n".join(part for text in (*self._texts, self._piece) if (part := visible(text).strip()))

    @property
    def shortcoming(self) -> dict[str, str] | None:
        """What kept the server from answering where it reported no error, as :attr:`error` has it; None when nothing did."""
        code = "empty_answer" if self.outcome == "completed" and self.exit_code is Exit.ERROR else self.outcome
        told = _SHORTCOMINGS.get(code)
        return None if told is None else {"code": code, "message": told[0], "hint": told[1]}

    @property
    def exit_code(self) -> Exit:
        """What a script ends with."""
        if self.outcome == "limit" or (self.error is not None and self.error["code"] in _LIMITS):
            return Exit.LIMIT
        if self.outcome != "completed":
            return Exit.ERROR
        if self._denied or self.asked_for_approval:
            return Exit.DENIED
        return Exit.OK if self.answer else Exit.ERROR

    def is_ours(self, frame: Frame) -> bool:
        """Whether a frame belongs to the turn."""
        return self.turn is not None and frame.get("turn") == self.turn

    def take(self, frame: Frame) -> None:
        """Follow a frame of the server or of the link."""
        match frame.get("type"):
            case "turn_start":
                self._begin(frame)
            case "error":
                self._error(frame)
            case "text_delta" if self.is_ours(frame):
                self._piece += frame["content"] if isinstance(frame.get("content"), str) else ""
            case "text" if self.is_ours(frame) and not frame.get("confirm_id"):
                self._texts.append(str(frame.get("content") or ""))
                self._piece = ""
            case "tool" if self.is_ours(frame):
                self._tool(frame)
            case "turn_end" if self.is_ours(frame):
                self.done, self.outcome = True, one_line(frame.get("outcome"))
                usage = frame.get("usage")
                self.usage = dict(usage) if isinstance(usage, Mapping) else {}

    def _begin(self, frame: Frame) -> None:
        said = frame.get("message_id")
        ours = said == self.message_id if said is not None else frame.get("cause") == "message" and self.turn is None
        if ours and isinstance(frame.get("turn"), int):
            self.turn = frame["turn"]

    def _error(self, frame: Frame) -> None:
        reply_to = frame.get("reply_to")
        refused = reply_to == self.message_id if reply_to is not None else self.turn is None
        if reply_to is not None and not refused:
            return
        told = {key: one_line(frame.get(key)) for key in ("code", "content", "hint")}
        self.error = {"code": told["code"], "message": told["content"], "hint": told["hint"]}
        if refused and self.turn is None and told["code"] != "unreadable":
            self.done, self.outcome = True, "refused"

    def _tool(self, frame: Frame) -> None:
        name, state, code = one_line(frame.get("name")), one_line(frame.get("state")), frame.get("code")
        arguments = frame.get("arguments")
        shown = dict(arguments) if isinstance(arguments, Mapping) else {}
        before = self._calls.get(str(frame.get("call_id")), {})
        call = {"name": name, "arguments": shown or before.get("arguments", {}), "state": state, "code": code}
        self._calls[str(frame.get("call_id"))] = call
        code = str(code or "")
        if state in ("refused", "failed") and (code in _DENIED or code.startswith("approval_")):
            self._denied = True
        if name in _ASKS and (state == "done" or code == "already_pending"):
            self.asked_for_approval = True

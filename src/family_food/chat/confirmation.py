"""The person's own yes, before a decision or a call is carried out: asked from what is stored, answered on the socket."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from family_food.chat.protocol import AskedCall, Confirm, ConfirmClosed, HistoryUpdate, Text
from permit_core.approvals.lifecycle import closed
from permit_core.approvals.wording import COMMENT_CHARACTERS
from permit_core.errors import InvalidInput
from permit_core.identity import Actor
from permit_core.ports.approvals import Approvals
from permit_core.ports.request import Kinds, Request, RequestKind, RequestStatus
from permit_core.views import RequestView, must_be_whole, plain, written_out

Outcome = Literal["confirmed", "declined", "unattended", "expired", "cancelled"]
"""How a question ended: ``unattended`` when its client has said that nobody is there to be asked."""
Verb = Literal["approve", "deny"]

DECIDES = "permit/decides"
"""The key in a tool's metadata that says: this tool carries out a person's decision."""

SAME_BREATH_SECONDS = 1.0
"""A plain yes so soon after the yes to the question before was said to that one, twice."""

_YES = frozenset({"yes", "y"})
_NO = frozenset({"no", "n"})


@dataclass(frozen=True, slots=True)
class DecidingTool:
    """What a tool's metadata says of the decision it carries out."""

    kinds: frozenset[RequestKind]
    verb: Verb
    id_argument: str
    comment_argument: str

    @classmethod
    def of(cls, meta: Mapping[str, Any] | None) -> DecidingTool | None:
        """None for a tool that decides nothing.

        Raises:
            ValueError, KeyError, TypeError: the tool says that it decides, but not intelligibly what.
        """
        told = (meta or {}).get(DECIDES)
        if told is None:
            return None
        if told["verb"] not in ("approve", "deny"):
            raise ValueError(f"{DECIDES}: unknown verb")
        kinds = frozenset(map(RequestKind, told["kinds"]))
        return cls(kinds, told["verb"], str(told["id_argument"]), str(told["comment_argument"]))


async def to_decide(
    approvals: Approvals, actor: Actor, kind: Kinds, request_id: str, comment: str
) -> tuple[Request, RequestView]:
    """The stored request that somebody wants to decide, and what they are shown of it: everything that would be done.

    Raises:
        InvalidInput: ``invalid_id``, ``invalid_comment``, ``not_shown_whole``: nobody says yes here to what they cannot see.
        NotFound: ``no_such_request``: there is none that this person may know of.
        Conflict: ``already_decided`` or ``expired``.
    """
    request = await approvals.get(actor, kind, request_id)
    if request.status is not RequestStatus.PENDING:
        raise closed(request)
    if len(comment) > COMMENT_CHARACTERS:
        raise InvalidInput(f"A comment has at most {COMMENT_CHARACTERS} characters.", code="invalid_comment")
    view = RequestView.of(request, await approvals.shown_arguments(actor, request))
    must_be_whole(view)
    return request, view


@dataclass(frozen=True, slots=True)
class Question:
    """What the person is asked.

    Attributes:
        words: the whole question on one line, for clients that show nothing else.
        verb: what a yes does.
        nothing: what a no leaves undone, in a word: ``decided`` or ``done``.
        comment: the reviewer's words that go with a decision.
        request: the stored request that would be decided.
        call: the call that would be made.
    """

    words: str
    verb: Literal["approve", "deny", "call"]
    nothing: str
    comment: str = ""
    request: RequestView | None = None
    call: AskedCall | None = None


def decision_question(view: RequestView, verb: Verb, comment: str) -> Question:
    """Who asks for what, at which price and why: everything from the stored request, the asker's words in quotes."""
    who, what = view.requesting_user, f"{view.resource_name} ({view.resource_instance})"
    pinned = "".join(f", {_pinned(name, value)}" for name, value in view.pinned.items())
    if view.call is not None:
        given = "".join(f", {written_out(name)} {written_out(value)}" for name, value in view.call.arguments.items())
        wish = f"one call of {view.call.tool} with {given[2:] or 'no arguments'}{pinned}"
    elif view.role is not None:
        wish = f"the role {view.role} on {what}"
    else:
        wish = f"to {view.operation} {what} once{pinned}"
    why = f" {who}'s reason: {quoted(view.reason.text)}" if view.reason.text or view.call is None else ""
    said = f" Your comment: {quoted(comment)}" if comment else ""
    return Question(f"{verb.capitalize()} {who}'s request: {wish}?{why}{said}", verb, "decided", comment, request=view)


def _pinned(name: str, value: Any) -> str:
    if name.endswith("_cents") and isinstance(value, int):
        return f"{name.removesuffix('_cents').replace('_', ' ')} {value // 100}.{value % 100:02d}"
    return f"{plain(name)} {plain(str(value))}"


def quoted(text: str) -> str:
    """Somebody's words in quotation marks, which do not end before their end."""
    return '"' + plain(text).replace('"', "'") + '"'


def yes_or_no(message: str) -> bool | None:
    """True or False for a plain yes or no, None for anything else."""
    word = message.strip().strip(".!").casefold()
    return True if word in _YES else False if word in _NO else None


class Confirmations:
    """At most one open question of a session.

    Args:
        send: sends a frame to the person.
        timeout_seconds: how long they have.
        history: the conversation as clients get it. The guide's client lets nobody type before it has come.
    """

    def __init__(
        self,
        send: Callable[[Confirm | ConfirmClosed | HistoryUpdate | Text], Awaitable[object]],
        timeout_seconds: float,
        history: Callable[[], HistoryUpdate],
    ) -> None:
        self._send = send
        self._history = history
        self._timeout = timeout_seconds
        self._id: str | None = None
        self._answer: asyncio.Future[Outcome] | None = None
        self._turn = 0
        self._agreed: tuple[int, float] | None = None  # the turn and the time of the last plain yes

    @property
    def open(self) -> str | None:
        """The id of the question that waits for an answer."""
        return self._id if self._answer is not None and not self._answer.done() else None

    def answer(self, confirm_id: str, yes: bool, *, unattended: bool = False) -> bool:
        """Give the person's answer; False when that question is not open (any more).

        Args:
            confirm_id: the question's.
            yes: the person's word.
            unattended: nobody is there who could have a word, whatever ``yes`` says.
        """
        if self._answer is None or self.open != confirm_id:
            return False
        self._answer.set_result("unattended" if unattended else "confirmed" if yes else "declined")
        return True

    def answer_in_words(self, yes: bool) -> None:
        """Give an answer that does not name its question, to the one that is open.

        Raises:
            InvalidInput: ``too_soon``: nobody can have read this question yet. It stays open.
        """
        if self._id is None:
            return
        now = asyncio.get_running_loop().time()
        if yes and self._agreed is not None:
            turn, then = self._agreed
            if turn == self._turn and now - then < SAME_BREATH_SECONDS:
                raise InvalidInput(
                    "That came too soon to be an answer to this question.",
                    code="too_soon",
                    hint="Read it, then answer yes or no.",
                )
        if self.answer(self._id, yes) and yes:
            self._agreed = (self._turn, now)

    async def ask(self, turn: int, question: Question) -> Outcome:
        """Put the question, wait for the answer, tell that it is closed. Anything but a yes in time is no yes."""
        confirm_id = f"confirm_{secrets.token_hex(8)}"
        outcome: Outcome = "cancelled"
        answer: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        asked = Confirm(
            content=question.words,
            confirm_id=confirm_id,
            verb=question.verb,
            comment=question.comment,
            request=question.request,
            call=question.call,
            expires_in=self._timeout,
        )
        try:
            await self._send(asked)
            # Only now: a yes that was said before the question went out is an answer to something else.
            self._id, self._answer, self._turn = confirm_id, answer, turn
            await self._send(Text(content=f'{question.words} Answer "yes" or "no".', turn=turn, confirm_id=confirm_id))
            await self._send(self._history())
            try:
                async with asyncio.timeout(self._timeout):
                    outcome = await answer
            except TimeoutError:
                outcome = "expired"
        finally:
            self._id = self._answer = None
            closed = _CLOSED[outcome].format(nothing=question.nothing)
            await self._send(ConfirmClosed(content=closed, confirm_id=confirm_id, outcome=outcome))
        return outcome


_CLOSED: dict[Outcome, str] = {
    "confirmed": "Confirmed.",
    "declined": "Not confirmed; nothing was {nothing}.",
    "unattended": "Nobody is there to confirm it; nothing was {nothing}.",
    "expired": "Nobody answered in time; nothing was {nothing}.",
    "cancelled": "Cancelled; nothing was {nothing}.",
}

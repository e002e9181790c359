"""The assistant of one session: what people say and what has happened becomes turns, one after another."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from family_food.chat.backend import ChatBackend
from family_food.chat.close_reasons import MOVED, CloseReason
from family_food.chat.incidents import apology, log_incident
from family_food.chat.interruption import cancel_and_wait, uninterrupted
from family_food.chat.outgoing import Outgoing
from family_food.chat.pending import NotWritten, Pending
from family_food.chat.protocol import Accepted, ErrorFrame, HistoryUpdate, Status, TokenUsage, TurnEnd, TurnStart
from family_food.chat.toolbox import Toolbox, ToolContext
from family_food.chat.turn import Turn, TurnBudget, TurnLimits, TurnOutcome
from family_food.conversations.conversation import Conversation
from family_food.conversations.stored_conversation import StoredOutcome, TurnCause
from family_food.messages import Entry
from family_food.models.instructions import system_instruction
from permit_core.errors import Conflict, InvalidInput, UserFacing
from permit_core.identity import Actor
from permit_core.ports.record import AuditEvent

MAX_WAITING_MESSAGES = 8
MAX_HEARD = 20


@dataclass(frozen=True, slots=True)
class Work:
    """What a turn is for.

    Attributes:
        begun: called once the turn is in the database.
        wanted: asked when everything before it is over: whether there is to be a turn at all. None: there is.
    """

    cause: TurnCause
    entry: Entry
    message_id: str | None = None
    begun: Callable[[], Awaitable[None]] | None = None
    wanted: Callable[[], Awaitable[bool]] | None = None


@dataclass(slots=True)
class _Attempt:
    """A turn as far as it has come."""

    number: int
    turn: Turn | None = None
    toolbox: Toolbox | None = None

    def cost(self) -> TokenUsage:
        if self.turn is None:
            return TokenUsage()
        usage = self.turn.usage
        return TokenUsage(input_tokens=usage.input_tokens, output_tokens=usage.output_tokens)


class Assistant:
    """Runs turns, and keeps what waits for one.

    Args:
        backend: what all sessions share.
        actor: for whom.
        conversation: what is said goes there.
        outgoing: frames for the person.
        history: the conversation as clients get it.
        context: what a turn's calls need, for holders of these roles.
        note: labels the conversation for entries, before a model sees them.
        stop: ends the session; called when what it knows may not be what is stored.

    Attributes:
        cut_short: how a turn ends that is running when :meth:`run` is cancelled.
    """

    def __init__(
        self,
        backend: ChatBackend,
        actor: Actor,
        conversation: Conversation,
        outgoing: Outgoing,
        *,
        history: Callable[[], HistoryUpdate],
        context: Callable[[frozenset[str]], ToolContext],
        note: Callable[[Sequence[Entry]], Awaitable[None]],
        stop: Callable[[CloseReason], None],
    ) -> None:
        self._backend = backend
        self._actor = actor
        self._conversation = conversation
        self._outgoing = outgoing
        self._history = history
        self._context = context
        self._note = note
        self._stop = stop
        self._waiting: deque[Work] = deque()
        self._arrived = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._work: Work | None = None
        self._task: asyncio.Task[TurnOutcome] | None = None
        # The ids of messages that are not in the conversation: waiting, about to be written, or answers to a question.
        self._ids: set[str] = set()
        self._heard: deque[Entry] = deque(maxlen=MAX_HEARD)
        self.turns = 0
        self.cut_short: StoredOutcome = "interrupted"

    @property
    def busy(self) -> bool:
        """Whether a turn runs or is about to."""
        return not self._idle.is_set()

    @property
    def continuing(self) -> bool:
        """Whether the interrupted turn is being taken up again, or about to be."""
        every = [*self._waiting, *([self._work] if self._work else [])]
        return any(work.cause == "continue" for work in every)

    def knows(self, message_id: str) -> bool:
        """Whether a message of this id was taken already, in whatever life of the session."""
        return message_id in self._ids or message_id in self._conversation.message_ids

    def note(self, message_id: str) -> None:
        """This message is taken, and begins no turn."""
        self._ids.add(message_id)

    def say(self, work: Work) -> int:
        """Let a person's words wait for their turn; answers how many wait before them.

        Raises:
            InvalidInput: ``busy``: too many do.
        """
        before = sum(1 for other in self._waiting if other.cause == "message")
        if before >= MAX_WAITING_MESSAGES:
            raise InvalidInput("Too many messages are waiting.", code="busy", hint="Wait for the answer.")
        if work.message_id is not None:
            self._ids.add(work.message_id)
        self.put(work)
        return before

    def put(self, work: Work) -> None:
        """Let something have a turn."""
        self._waiting.append(work)
        self._idle.clear()
        self._arrived.set()

    def hear(self, entry: Entry) -> None:
        """Remember something that the model is to know of when it is next spoken to; the newest, should many come."""
        self._heard.append(entry)

    def cancel(self) -> None:
        """Stop the running turn, if there is one."""
        if self._task is not None and not self._task.done() and not self._task.cancelling():
            self._task.cancel()

    async def idle(self) -> None:
        """Wait until nothing runs and nothing waits."""
        await self._idle.wait()

    async def run(self) -> None:
        """Take turns, for ever. When this is cancelled, the running turn is stopped and its end written."""
        while True:
            while not self._waiting:
                self._idle.set()
                self._arrived.clear()
                await self._arrived.wait()
            self._work = self._waiting.popleft()
            try:
                if self._work.wanted is None or await self._work.wanted():
                    await self._take_turn(self._work)
            finally:
                self._work = None

    async def _take_turn(self, work: Work) -> None:
        began = asyncio.get_running_loop().time()
        self.turns += 1
        attempt = _Attempt(self._conversation.next_turn)
        heard = list(self._heard)
        self._heard.clear()
        opening = self._begin(attempt.number, work, heard)
        outcome: TurnOutcome = "failed"
        problem: Exception | None = None
        try:
            outcome = await self._attempt(attempt, opening)
        except Exception as error:  # noqa: BLE001 - one failing turn never ends the session
            problem = error
        if opening.refused is not None:
            self._heard.extendleft(reversed(heard))
            if not self._refused(attempt.number, work, opening.refused):
                return
        elif problem is not None:
            await self._outgoing.send(_told(problem, f"turn {attempt.number} of {self._conversation.id}"))
        elif outcome == "cancelled":
            account = attempt.toolbox.account if attempt.toolbox else ""
            await self._outgoing.send(Status(content=f"Stopped. {account}".strip()))
        await self._outgoing.send(self._history())
        seconds = round(asyncio.get_running_loop().time() - began, 3)
        await self._outgoing.send(TurnEnd(turn=attempt.number, outcome=outcome, usage=attempt.cost(), seconds=seconds))

    def _begin(self, number: int, work: Work, heard: list[Entry]) -> Pending:
        """Write the beginning of a turn, and say that it has begun."""

        async def told() -> None:
            if work.message_id is not None:
                self._ids.discard(work.message_id)  # the conversation knows it now
            if work.begun is not None:
                await work.begun()
            await self._outgoing.send(TurnStart(turn=number, cause=work.cause, message_id=work.message_id))

        entries = [*heard, work.entry]
        started = self._event("turn.started", {"turn": number, "cause": work.cause})

        async def write() -> None:
            await self._note(entries)
            await self._conversation.begin_turn(work.cause, work.message_id, entries, [started])

        return Pending(entries, write(), told)

    def _refused(self, number: int, work: Work, why: BaseException) -> bool:
        """The turn has not begun, and is not in the database; True when it is to be told as one that failed."""
        if work.message_id is not None:
            self._ids.discard(work.message_id)
        if isinstance(why, Conflict) and why.code == "duplicate_message" and work.message_id is not None:
            self._conversation.message_ids.add(work.message_id)
            self._outgoing.put(Accepted(message_id=work.message_id, duplicate=True))
            return False
        self._outgoing.put(TurnStart(turn=number, cause=work.cause, message_id=work.message_id))
        self._outgoing.put(_told(why, f"the beginning of turn {number} of {self._conversation.id}"))
        return True

    async def _attempt(self, attempt: _Attempt, opening: Pending) -> TurnOutcome:
        """Run a turn that can be cancelled on its own, and write how it ended."""
        outcome: StoredOutcome = "failed"
        news = self._work is not None and self._work.cause == "event"
        self._task = asyncio.create_task(self._answer(attempt, opening), name="chat turn")
        try:
            try:
                await asyncio.wait([self._task])
            except asyncio.CancelledError:
                # Nobody has said stop to a turn that news began: whoever comes back can take it up.
                outcome = "interrupted" if news else self.cut_short
                await cancel_and_wait(self._task)
                raise
            if self._task.cancelled():
                outcome = "cancelled"
                return "cancelled"
            outcome = answered = self._task.result()
            return answered
        finally:
            self._task = None
            await uninterrupted(self._end(attempt, opening, outcome))

    async def _answer(self, attempt: _Attempt, opening: Pending) -> TurnOutcome:
        backend, actor = self._backend, self._actor
        await opening.written()  # a moment; at the same time as what follows, both would take longer
        roles = await backend.core.directory.tenant_roles(actor.environment, actor.tenant, actor.user)
        budget = TurnBudget(backend.settings.turn_timeout_seconds)
        attempt.toolbox = Toolbox(self._context(roles), attempt.number, self._outgoing.send, budget.unhurried)
        attempt.turn = Turn(
            number=attempt.number,
            system=system_instruction(actor.name, ", ".join(sorted(roles))),
            conversation=self._conversation,
            model=backend.model,
            tools=attempt.toolbox,
            send=self._outgoing.send,
            limits=TurnLimits.of(backend.settings),
            budget=budget,
            context_chars=backend.settings.model_context_chars,
        )
        return await attempt.turn.run(opening)

    async def _end(self, attempt: _Attempt, opening: Pending, outcome: StoredOutcome) -> None:
        """Write the end of a turn that was begun. A session that cannot do that ends: the next one reads it anew."""
        try:
            await opening.written()
        except NotWritten:
            if opening.refused is not None:
                return
        try:
            last: list[Entry] = []
            if attempt.turn is not None:
                await attempt.turn.settled()
                last = attempt.turn.last
            steps = attempt.turn.steps if attempt.turn else 0
            body = {"turn": attempt.number, "outcome": outcome, "steps": steps, **attempt.cost().model_dump()}
            ended = self._event("turn.ended", body)
            await self._conversation.end_turn(attempt.number, outcome, last, [ended])
        except Exception as error:  # noqa: BLE001 - whatever it is, what is stored is not what is known here
            if isinstance(error, UserFacing):
                self._stop(MOVED if error.code == "conversation_moved" else CloseReason(1011, error.message))
                return
            self._stop(CloseReason(1011, apology(log_incident(error, f"the end of turn {attempt.number}"))))

    def _event(self, event: str, body: dict[str, object]) -> AuditEvent:
        who = self._actor
        return AuditEvent(event, who, {"session": self._conversation.id, **body})


def _told(problem: BaseException, during: str) -> ErrorFrame:
    """What the person is told of a problem: its own words when it is meant for people, else where to look it up."""
    if isinstance(problem, UserFacing):
        return ErrorFrame(content=problem.message, code=problem.code, hint=problem.hint)
    incident = log_incident(problem, during)
    return ErrorFrame(content=apology(incident), code="internal_error", hint=f"Incident {incident}.")

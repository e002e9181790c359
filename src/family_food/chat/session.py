"""One chat session: a socket, a person, a conversation, and a tool server of their own."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal

from anyio import to_thread
from starlette.websockets import WebSocket, WebSocketDisconnect

from family_food.chat.backend import ChatBackend
from family_food.chat.confirmation import Confirmations, yes_or_no
from family_food.chat.conversation import Conversation
from family_food.chat.gemini_history import gemini_history
from family_food.chat.incidents import apology, log_incident
from family_food.chat.interruption import cancel_and_wait
from family_food.chat.outgoing import SLOW_SECONDS, ClientGone, Outgoing
from family_food.chat.protocol import (
    HISTORY_BYTES,
    Answer,
    Authenticate,
    Cancel,
    ClientSays,
    ErrorFrame,
    Goodbye,
    Hello,
    HistoryUpdate,
    Message,
    ModelInfo,
    NoticeFrame,
    Status,
    TokenUsage,
    TurnEnd,
    TurnStart,
    UserInfo,
    read_frame,
)
from family_food.chat.token_watch import TokenWatch
from family_food.chat.tool_session import ToolSession
from family_food.chat.toolbox import Desk, Toolbox
from family_food.chat.turn import Turn, TurnBudget, TurnLimits, TurnOutcome
from family_food.login.accounts import ChatUser
from family_food.login.tokens import TokenClaims
from family_food.messages import Entry, EventMessage, UserMessage
from family_food.models.instructions import system_instruction
from permit_core.errors import Forbidden, InvalidInput
from permit_core.ports.record import AuditEvent
from permit_core.stores.notices import Notice
from permit_core.views import RequestView, plain

MAX_WAITING_MESSAGES = 8
_LARGE_FRAME = 256 * 1024
_FAREWELL_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Ending:
    """Why a session ends. Without words the client has left, and nobody is told."""

    code: int
    words: str = ""


CLIENT_LEFT = Ending(1000)
TOO_SLOW = Ending(1008)
TOKEN_EXPIRED = Ending(1008, "Your log-in has expired. Log in again.")
MOVED = Ending(1000, "This conversation goes on in another window.")
SHUTDOWN = Ending(1001, "The server is shutting down. Come back in a moment.")


@dataclass(frozen=True, slots=True)
class _Work:
    cause: Literal["message", "event"]
    entry: Entry
    message_id: str | None = None


class ChatSession:
    """Serves one accepted socket from hello to goodbye.

    Args:
        backend: what all sessions share.
        socket: accepted already.
        user: whose token was verified.
        claims: the token's.
        conversation: the one that goes on here.
    """

    def __init__(
        self, backend: ChatBackend, socket: WebSocket, user: ChatUser, claims: TokenClaims, conversation: Conversation
    ) -> None:
        self.id = conversation.id
        self.user = user
        self._backend = backend
        self._socket = socket
        self._conversation = conversation
        self._outgoing = Outgoing(socket.send_text)
        self._send = self._outgoing.send
        self._token = TokenWatch(backend.tokens, claims, self._send)
        self._confirmations = Confirmations(self._send, backend.settings.confirm_timeout_seconds, self._history)
        self._tools = ToolSession(
            backend.tool_start(user.principal.user), backend.settings.tool_timeout_seconds, self._tell_restart
        )
        self._work: asyncio.Queue[_Work] = asyncio.Queue()
        self._notices: asyncio.Queue[Notice] = asyncio.Queue()
        self._noticed: set[int] = set()
        # Events the model is to know of when it is next spoken to; the newest, should many come.
        self._heard: deque[Entry] = deque(maxlen=20)
        self._turn: asyncio.Task[TurnOutcome] | None = None
        self._turns = 0
        self._ending: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()

    def notify(self, notice: Notice) -> None:
        """Take a notice to show; each id once."""
        if notice.id not in self._noticed:
            self._noticed.add(notice.id)
            self._notices.put_nowait(notice)

    def stop(self, ending: Ending) -> None:
        """End the session; the first reason counts. Returns at once, :meth:`run` a little later."""
        if not self._ending.done():
            self._ending.set_result(ending)

    async def run(self) -> None:
        """Serve the socket until it ends. No process of the session is left when this returns."""
        await self._record("session.opened", {"token": self._token.claims.token_id, "model": self._backend.model.label})
        try:
            async with self._tools:
                await self._serve()
        finally:
            ending = self._ending.result() if self._ending.done() else SHUTDOWN
            await self._record("session.closed", {"code": ending.code, "turns": self._turns})

    async def _serve(self) -> None:
        await self._send(self._hello())
        writer = asyncio.create_task(self._job(self._outgoing.run), name="chat writer")
        others = [
            asyncio.create_task(self._job(work), name="chat session")
            for work in (self._read, self._answer, self._watch_token, self._tell_notices, self._watch_pace)
        ]
        try:
            await asyncio.shield(self._ending)
        finally:
            await cancel_and_wait(*others)
            await self._leave(writer)

    async def _leave(self, writer: asyncio.Task[None]) -> None:
        ending = self._ending.result() if self._ending.done() else SHUTDOWN
        try:
            async with asyncio.timeout(_FAREWELL_SECONDS):
                if ending.words and not writer.done():
                    await self._send(Goodbye(content=ending.words, code=ending.code))
                    await self._outgoing.drained(_FAREWELL_SECONDS)
                await cancel_and_wait(writer)
                if ending is not CLIENT_LEFT:
                    await self._socket.close(ending.code)
        except (TimeoutError, ClientGone, WebSocketDisconnect, RuntimeError):
            pass  # it was polite to try
        finally:
            await cancel_and_wait(writer)

    async def _job(self, work: Callable[[], Awaitable[None]]) -> None:
        """Run a part of the session; whatever it ends with ends the session."""
        try:
            await work()
        except (ClientGone, WebSocketDisconnect):
            self.stop(CLIENT_LEFT)
        except Exception as error:  # noqa: BLE001 - the session ends, the server does not
            self.stop(Ending(1011, apology(log_incident(error, f"session {self.id}"))))

    def _history(self) -> HistoryUpdate:
        return HistoryUpdate(content=gemini_history(self._conversation.window(), HISTORY_BYTES))

    def _hello(self) -> Hello:
        name, model = plain(self.user.principal.name), self._backend.model
        return Hello(
            content=f"Hello {name}. Ask for restaurants, dishes, or what you may order.",
            user=UserInfo(name=name, role=self.user.role),
            model=ModelInfo(label=model.label, offline=model.offline),
            session_id=self.id,
            token_expires_at=self._token.claims.expires_at,
        )

    # What comes in

    async def _read(self) -> None:
        limit = self._backend.settings.max_message_bytes
        while True:
            event = await self._socket.receive()
            if event["type"] != "websocket.receive":
                self.stop(CLIENT_LEFT)
                return
            data = event.get("text")
            data = event.get("bytes") or b"" if data is None else data
            try:
                if len(data) > _LARGE_FRAME:
                    frame = await to_thread.run_sync(read_frame, data, limit)
                else:
                    frame = read_frame(data, limit)
                await self._take(frame)
            except (InvalidInput, Forbidden) as error:
                await self._send(ErrorFrame(content=error.message, code=error.code, hint=error.hint))

    async def _take(self, frame: ClientSays) -> None:
        match frame:
            case Message():
                self._take_message(frame)
            case Answer():
                if not self._confirmations.answer(frame.confirm_id, frame.answer):
                    raise InvalidInput(
                        "That question is not open.", code="no_such_confirm", hint="It was answered or has lapsed."
                    )
            case Cancel():
                if self._turn is not None:
                    self._turn.cancel()
            case Authenticate():
                claims = await self._token.renew(frame.token)
                await self._record("session.renewed", {"token": claims.token_id})

    def _take_message(self, frame: Message) -> None:
        if self._confirmations.open:
            answer = yes_or_no(frame.message)
            self._confirmations.answer_in_words(answer is True)
            if answer is not None:
                return
        if self._work.qsize() >= MAX_WAITING_MESSAGES:
            raise InvalidInput("Too many messages are waiting.", code="busy", hint="Wait for the answer.")
        self._work.put_nowait(_Work("message", UserMessage(text=frame.message), frame.id))

    # What happens by itself

    async def _watch_token(self) -> None:
        await self._token.expired()
        self.stop(TOKEN_EXPIRED)

    async def _watch_pace(self) -> None:
        await self._outgoing.too_slow.wait()
        self.stop(TOO_SLOW)

    async def _tell_notices(self) -> None:
        principal = self.user.principal
        for notice in await self._backend.core.notices.undelivered(principal.user, principal.tenant):
            self.notify(notice)
        while True:
            notice = await self._notices.get()
            view = RequestView.of(notice.request)
            await self._send(NoticeFrame(content=_told(notice.event, view), event=notice.event, request=view))
            entry = EventMessage(event=notice.event, data=view.model_dump(mode="json"))
            if notice.event == "request_decided":
                self._work.put_nowait(_Work("event", entry))
            else:
                # A reviewer is told by the notice; the model needs to know it only when it is spoken to.
                self._heard.append(entry)
            # What was still in line when the client left is told again on its return.
            if await self._outgoing.drained(SLOW_SECONDS):
                await self._backend.core.notices.mark_delivered([notice.id])

    async def _tell_restart(self) -> None:
        await self._send(Status(content="The tool server had stopped and was started again."))

    # Turns

    async def _answer(self) -> None:
        while True:
            await self._run_turn(await self._work.get())

    async def _run_turn(self, work: _Work) -> None:
        self._turns += 1
        number, usage = self._turns, TokenUsage()
        await self._send(TurnStart(turn=number, cause=work.cause, message_id=work.message_id))
        try:
            outcome, usage = await self._attempt(number, work)
        except (ClientGone, WebSocketDisconnect):
            raise
        except Exception as error:  # noqa: BLE001 - one failing turn never ends the session
            outcome, incident = "failed", log_incident(error, f"turn {number} of {self.id}")
            await self._send(ErrorFrame(content=apology(incident), code="internal_error", hint=f"Incident {incident}."))
        await self._send(self._history())
        await self._send(TurnEnd(turn=number, outcome=outcome, usage=usage))

    async def _attempt(self, number: int, work: _Work) -> tuple[TurnOutcome, TokenUsage]:
        """Run a turn that can be cancelled on its own; answers how it ended and what it cost."""
        await self._record("turn.started", {"turn": number, "cause": work.cause})
        turn = await self._new_turn(number)
        heard = list(self._heard)
        self._heard.clear()
        outcome: TurnOutcome = "failed"
        self._turn = asyncio.create_task(turn.run([*heard, work.entry]), name="chat turn")
        try:
            try:
                await asyncio.wait([self._turn])
            except asyncio.CancelledError:
                outcome = "cancelled"
                await cancel_and_wait(self._turn)
                raise
            if self._turn.cancelled():
                outcome = "cancelled"
                await self._send(Status(content="Stopped."))
            else:
                outcome = self._turn.result()
        finally:
            self._turn = None
            cost = {"input_tokens": turn.usage.input_tokens, "output_tokens": turn.usage.output_tokens}
            await self._record("turn.ended", {"turn": number, "outcome": outcome, "steps": turn.steps, **cost})
        return outcome, TokenUsage(**cost)

    async def _new_turn(self, number: int) -> Turn:
        backend, principal = self._backend, self.user.principal
        roles = await backend.core.directory.tenant_roles(principal.user, principal.tenant)
        budget = TurnBudget(backend.settings.turn_timeout_seconds)
        return Turn(
            number=number,
            system=system_instruction(principal.name, ", ".join(sorted(roles))),
            conversation=self._conversation,
            model=backend.model,
            tools=Toolbox(self._desk(), number, self._send, budget.unhurried),
            send=self._send,
            limits=TurnLimits.of(backend.settings),
            budget=budget,
        )

    def _desk(self) -> Desk:
        core, principal = self._backend.core, self.user.principal

        async def visible() -> frozenset[str]:
            return core.model.tools_for(await core.directory.tenant_roles(principal.user, principal.tenant))

        return Desk(
            principal=principal,
            session_id=self.id,
            tools=self._tools,
            approvals=core.approvals,
            audit=core.audit,
            confirmations=self._confirmations,
            visible=visible,
            poke=self._backend.notices.poke,
        )

    # What is remembered

    async def _record(self, event: str, body: dict[str, Any]) -> None:
        who = self.user.principal
        await self._backend.core.audit.record(AuditEvent(event, who.user, who.tenant, {"session": self.id, **body}))


def _told(event: str, view: RequestView) -> str:
    what = f"{view.operation} {view.resource_name}" if view.operation else f"see {view.resource_name}"
    if event == "request_created":
        return f"{view.requesting_user} asks to {what}."
    by = f" by {view.decided_by}" if view.decided_by else ""
    return f"Your request to {what} was {view.status}{by}."

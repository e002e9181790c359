"""One chat session: a person, a conversation and a tool server of their own; shown in a window, or waiting for one."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any

from mcp.types import Tool

from family_food.chat.assistant import Assistant, Work
from family_food.chat.backend import ChatBackend
from family_food.chat.close_reasons import ABANDONED, CLIENT_LEFT, MOVED, SHUTDOWN, TOKEN_EXPIRED, TOO_SLOW, CloseReason
from family_food.chat.confirmation import Confirmations, yes_or_no
from family_food.chat.consent import Consent
from family_food.chat.gemini_history import HistoryCopy
from family_food.chat.incidents import apology, log_incident
from family_food.chat.interruption import cancel_and_wait, uninterrupted
from family_food.chat.notice_delivery import NoticeDelivery
from family_food.chat.outgoing import Bookmark, Outgoing
from family_food.chat.protocol import (
    HISTORY_BYTES,
    Accepted,
    Answer,
    Authenticate,
    Cancel,
    ClientSays,
    Continue,
    Decide,
    Hello,
    HistoryUpdate,
    ListStored,
    Message,
    ModelInfo,
    Status,
    UserInfo,
)
from family_food.chat.stored_answers import StoredAnswers
from family_food.chat.token_watch import TokenWatch
from family_food.chat.tool_session import ToolSession
from family_food.chat.toolbox import ToolContext
from family_food.chat.window import FAREWELL_SECONDS, Window
from family_food.conversations.conversation import Conversation
from family_food.login.accounts import ChatUser
from family_food.messages import EventMessage, UserMessage
from permit_core.accounts.tokens import TokenClaims
from permit_core.errors import Forbidden, InvalidInput, StoreError
from permit_core.ports.record import AuditEvent
from permit_core.stores.notices import Notice
from permit_core.views import plain

logger = logging.getLogger(__name__)


class ChatSession:
    """Lives from its first window until its client leaves, or is away for too long; however many sockets that takes.

    Args:
        backend: what all sessions share.
        user: whose token was verified.
        claims: the token's.
        conversation: the one that goes on here.
        resumed: whether it was there before.

    Attributes:
        lost_at: since when it has no window, in seconds of the loop's clock; None while it has one.
    """

    def __init__(
        self,
        backend: ChatBackend,
        user: ChatUser,
        claims: TokenClaims,
        conversation: Conversation,
        *,
        resumed: bool = False,
    ) -> None:
        self.id = conversation.id
        self.user = user
        self.outgoing = Outgoing()
        self.lost_at: float | None = None
        self._backend = backend
        self._conversation = conversation
        self._resumed = resumed
        self._window: Window | None = None
        self._wants_history = True
        self._history_copy = HistoryCopy(HISTORY_BYTES)
        send = self.outgoing.send
        self._token = TokenWatch(backend.tokens, claims, send, backend.accounts.holds)
        self._confirmations = Confirmations(send, backend.settings.confirm_timeout_seconds, self._history)
        self._tools = ToolSession(
            backend.tool_start(user.actor.user), backend.settings.tool_timeout_seconds, self._tell_restart
        )
        actor, core = user.actor, backend.core
        self._consent = Consent(core, actor, self.id, own_tools=backend.own_tools)
        self._assistant = Assistant(
            backend,
            actor,
            conversation,
            self.outgoing,
            history=self._history,
            context=self._context,
            note=self._consent.note_entries,
            stop=self.stop,
        )
        self._notices = NoticeDelivery(
            core.notices,
            backend.asked,
            core.approvals,
            actor=actor,
            conversation_id=self.id,
            outgoing=self.outgoing,
            assistant=self._assistant,
        )
        self._answers = StoredAnswers(core, actor, self.id, self.outgoing, self._desk_now)
        self._lost, self._back = asyncio.Event(), asyncio.Event()
        self._ending: asyncio.Future[CloseReason] = asyncio.get_running_loop().create_future()

    @property
    def who(self) -> tuple[str, str]:
        """User key and tenant."""
        return self.user.actor.user, self.user.actor.tenant

    @property
    def ending(self) -> bool:
        """It is over, or about to be: nobody may come to it any more."""
        return self._ending.done()

    @property
    def busy(self) -> bool:
        """A turn runs, or waits to."""
        return self._assistant.busy

    def belongs_to(self, user: ChatUser) -> bool:
        """Whether this is the person whose session it is."""
        return self.who == (user.actor.user, user.actor.tenant)

    def renamed(self, title: str) -> None:
        """The conversation is called something else now."""
        self._conversation.title = title

    def notify(self, notice: Notice) -> None:
        """Take a notice to tell; each id once."""
        self._notices.notify(notice)

    def stop(self, ending: CloseReason) -> None:
        """End the session; the first reason counts. Returns at once, :meth:`run` a little later."""
        if not self._ending.done():
            self._assistant.cut_short = "cancelled" if ending is CLIENT_LEFT else "interrupted"
            self._ending.set_result(ending)
            self.outgoing.hurry()

    # Windows

    def attach(self, window: Window, user: ChatUser, claims: TokenClaims, after: int | None) -> tuple[Hello, Bookmark]:
        """Show the session in a window from now on, and in no other; the turn that runs notices nothing.

        Args:
            window: whose socket is about to be accepted.
            user: the same person, as the directory knows them now.
            claims: of the token the window came with; the session lives as long as the better one.
            after: the last frame its client had; None when it had none.

        Returns:
            What the window says first, and where it goes on.
        """
        before, self._window = self._window, window
        if before is not None:
            before.leave(MOVED)
        came_before = self._resumed or before is not None or self.lost_at is not None
        self.user, self._wants_history = user, window.history
        self._token.replace(claims)
        mark = self.outgoing.attach(after if came_before else None, lambda: window.leave(TOO_SLOW))
        self.lost_at = None
        self._lost.clear()
        self._back.set()
        self._notices.look()
        hello = self._hello(resumed=came_before, missed=mark.missed)
        self._resumed = True
        return hello, mark

    async def show(self, window: Window, hello: Hello, mark: Bookmark) -> None:
        """Serve the window's socket until it closes, by whomever."""
        noted = None
        if hello.resumed:
            body = {"token": self._token.claims.token_id, "turn": hello.turn}
            noted = asyncio.create_task(self._record("session.resumed", body), name="chat record")
        try:
            await window.serve(self, hello, mark)
        finally:
            if noted is not None:
                await uninterrupted(_over(noted))

    def left(self, window: Window, ending: CloseReason | None) -> None:
        """A window is gone: its client has left, or may come back."""
        if self._window is not window:
            return
        self._window = None
        if ending is CLIENT_LEFT:
            self.stop(CLIENT_LEFT)
        else:
            self.lost_at = asyncio.get_running_loop().time()
            self._back.clear()
            self._lost.set()

    def _hello(self, *, resumed: bool, missed: bool) -> Hello:
        name, model = plain(self.user.actor.name), self._backend.model
        conversation = self._conversation
        return Hello(
            content=f"Hello {name}. Ask for restaurants, dishes, or what you may order.",
            user=UserInfo(name=name, role=self.user.role),
            model=ModelInfo(label=model.label, offline=model.offline),
            session_id=self.id,
            token_expires_at=self._token.claims.expires_at,
            title=conversation.title,
            resumed=resumed,
            turn=self.outgoing.turn,
            newest=self.outgoing.last,
            missed=missed,
            interrupted=None if self._assistant.continuing else conversation.interrupted,
        )

    def _history(self) -> HistoryUpdate:
        if not self._wants_history:
            return HistoryUpdate(content=[])
        copy = self._history_copy
        copy.add(self._conversation.entries[copy.seen :])
        return HistoryUpdate(content=copy.contents())

    # Its life

    async def run(self) -> None:
        """Live until somebody ends it. No process of the session is left when this returns."""
        body = {"token": self._token.claims.token_id, "model": self._backend.model.label}
        opened = asyncio.create_task(self._record("session.opened", body), name="chat record")
        try:
            async with self._tools:
                await self._serve(opened)
        finally:
            await uninterrupted(_over(opened))
            ending = self._ending.result() if self._ending.done() else SHUTDOWN
            await self._record("session.closed", {"code": ending.code, "turns": self._assistant.turns})
            with suppress(StoreError):  # an empty conversation that stays is not shown
                await self._backend.conversations.forget_if_empty(self.id)

    async def _serve(self, opened: asyncio.Task[None]) -> None:
        async def take_turns() -> None:
            await asyncio.shield(opened)  # nothing is on record before its session is
            await self._assistant.run()

        parts = (take_turns, self._watch_token, self._watch_absence, self._notices.run, self._answers.run)
        jobs = [asyncio.create_task(self._job(part), name="chat session") for part in parts]
        try:
            await asyncio.shield(self._ending)
        finally:
            await cancel_and_wait(*jobs)
            window = self._window
            if window is not None:
                window.leave(self._ending.result() if self._ending.done() else SHUTDOWN)
                await _within(2 * FAREWELL_SECONDS, window.gone.wait())

    async def _job(self, work: Callable[[], Awaitable[None]]) -> None:
        """Run a part of the session; whatever it ends with ends the session."""
        try:
            await work()
        except Exception as error:  # noqa: BLE001 - the session ends, the server does not
            self.stop(CloseReason(1011, apology(log_incident(error, f"session {self.id}"))))

    async def _watch_token(self) -> None:
        await self._token.expired()
        self.stop(TOKEN_EXPIRED)

    async def _watch_absence(self) -> None:
        """End the session when its client stays away, though not in the middle of a turn."""
        patience, now = self._backend.settings.reconnect_seconds, asyncio.get_running_loop().time
        while True:
            await self._lost.wait()
            if await _within(patience, self._back.wait()):
                continue
            await self._assistant.idle()
            if self.lost_at is not None and now() - self.lost_at >= patience:
                self.stop(ABANDONED)
                return

    async def _tell_restart(self) -> None:
        await self.outgoing.send(Status(content="The tool server had stopped and was started again."))

    # What comes in

    async def take(self, frame: ClientSays) -> None:
        """Do what the client says.

        Raises:
            UserFacing: it cannot be done; the client is told, and the session goes on.
        """
        if not isinstance(frame, Cancel | Authenticate):
            try:
                await self._token.check()
            except Forbidden:
                self.stop(TOKEN_EXPIRED)
                raise
        match frame:
            case Message():
                await self.outgoing.room()  # whoever does not read what is accepted is not listened to
                self._take_message(frame)
            case Answer():
                if not self._confirmations.answer(frame.confirm_id, frame.answer, unattended=frame.unattended):
                    raise InvalidInput(
                        "That question is not open.", code="no_such_confirm", hint="It was answered or has lapsed."
                    )
            case Cancel():
                self._assistant.cancel()
            case Continue():
                self._continue()
            case ListStored() | Decide():
                self._answers.ask(frame)
            case Authenticate():
                claims = await self._token.renew(frame.token)
                await self._record("session.renewed", {"token": claims.token_id})

    def _take_message(self, frame: Message) -> None:
        """Take words: nothing is waited for, so that a message is taken and said to be, or neither."""
        if self.ending:
            return
        if frame.id is None:
            if not self._answered(frame.message):
                self._assistant.say(Work("message", UserMessage(text=frame.message)))
            return
        if not frame.id.isprintable():
            raise InvalidInput("The id cannot be used.", code="invalid_message_id", hint="Use letters and digits.")
        if self._assistant.knows(frame.id):
            self.outgoing.put(Accepted(message_id=frame.id, duplicate=True))
            return
        waiting = 0
        if self._answered(frame.message):
            self._assistant.note(frame.id)
        else:
            waiting = self._assistant.say(Work("message", UserMessage(text=frame.message), frame.id))
        self.outgoing.put(Accepted(message_id=frame.id, waiting=waiting))

    def _answered(self, words: str) -> bool:
        """Whether the words were the answer to an open question; any others close it with a no."""
        if not self._confirmations.open:
            return False
        answer = yes_or_no(words)
        self._confirmations.answer_in_words(answer is True)
        return answer is not None

    def _continue(self) -> None:
        if self._conversation.interrupted is None or self._assistant.continuing:
            raise InvalidInput(
                "There is nothing to continue.", code="nothing_to_continue", hint="Say what you would like."
            )
        self._assistant.put(Work("continue", EventMessage(event="turn_interrupted", data={})))

    # What turns and questions have at hand

    def _context(self, roles: frozenset[str]) -> ToolContext:
        core = self._backend.core

        async def listed() -> Sequence[Tool]:
            return await self._backend.listings.of(roles, self._tools)

        return ToolContext(
            actor=self.user.actor,
            session_id=self.id,
            tools=self._tools,
            approvals=core.approvals,
            audit=core.audit,
            confirmations=self._confirmations,
            consent=self._consent,
            listed=listed,
            visible=core.model.tools_for(roles),
            wake=self._backend.notices.wake,
        )

    async def _desk_now(self) -> ToolContext:
        directory, actor = self._backend.core.directory, self.user.actor
        return self._context(await directory.tenant_roles(actor.environment, actor.tenant, actor.user))

    async def _record(self, event: str, body: dict[str, Any]) -> None:
        """Remember what costs nobody their chat when the database is away: it is bookkeeping, and there is no effect."""
        try:
            await self._backend.core.audit.note(AuditEvent(event, self.user.actor, {"session": self.id, **body}))
        except StoreError:
            logger.warning("%s of %s could not be recorded", event, self.id)


async def _over(task: asyncio.Task[None]) -> None:
    await asyncio.wait([task])
    if task.exception() is not None:
        log_incident(task.exception() or RuntimeError(), "the record of a session")


async def _within(seconds: float, event: Awaitable[object]) -> bool:
    """Whether something happens within this time."""
    try:
        async with asyncio.timeout(seconds):
            await event
    except TimeoutError:
        return False
    return True

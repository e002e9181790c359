"""What a session tells its person of requests: each notice once, and none is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Protocol

from family_food.chat.assistant import Assistant, Work
from family_food.chat.confirmation import quoted
from family_food.chat.outgoing import Outgoing
from family_food.chat.protocol import NoticeFrame
from family_food.messages import EventMessage
from permit_core.errors import NotFound, StoreError
from permit_core.identity import Actor
from permit_core.ports.request import Request, RequestKind, RequestStatus
from permit_core.stores.notices import Notice, NoticeEvent
from permit_core.views import RequestView

_DECIDED = frozenset({RequestStatus.APPROVED, RequestStatus.DENIED})


class Board(Protocol):
    """Where notices are kept."""

    async def latest_id(self) -> int:
        """The id of the newest notice, or 0."""
        ...

    async def undelivered(self, actor: Actor) -> list[Notice]:
        """What this person was not told yet."""
        ...

    async def mark_delivered(self, ids: list[int]) -> None:
        """These were told."""
        ...


class Asked(Protocol):
    """Where requests were asked: :class:`family_food.conversations.asked_requests.AskedRequests`."""

    async def where(self, request_id: str) -> str | None:
        """The conversation in which this was asked, or None."""
        ...

    async def unanswered(self, conversation_id: str) -> Sequence[tuple[RequestKind, str]]:
        """What was asked in this conversation, and of which no decision has come back to it."""
        ...


class Requests(Protocol):
    """Where requests are kept."""

    async def get(self, viewer: Actor, kind: RequestKind, request_id: str) -> Request:
        """One request of the viewer's."""
        ...


class NoticeDelivery:
    """Tells notices while somebody is there to read them, and lets the assistant act on decisions.

    A notice counts as delivered when a socket has taken it; one that the assistant is to act on, when that turn is in
    the database. Until then the next session tells it again, or this one, should its client come back. What is older
    than the session comes from the board alone: whoever follows the board may be behind, and hand on what another
    session has told already.

    A decision is acted on in the conversation in which its request was asked, and nowhere else: two windows of one
    person would both go on and order. Another conversation tells it, and the assistant there knows of it. When that one
    has taken the notice, the asking conversation still goes on as soon as it is opened. A request that no conversation
    asked, as far as is known, is acted on where its notice is told.

    Args:
        board: where notices are kept.
        asked: where requests were asked.
        requests: as they stand now.
        actor: whose.
        conversation_id: the conversation of this session.
        outgoing: where they are told.
        assistant: acts on decisions, and knows of new requests when it is next spoken to.
    """

    def __init__(
        self,
        board: Board,
        asked: Asked,
        requests: Requests,
        *,
        actor: Actor,
        conversation_id: str,
        outgoing: Outgoing,
        assistant: Assistant,
    ) -> None:
        self._board = board
        self._asked = asked
        self._requests = requests
        self._actor = actor
        self._conversation_id = conversation_id
        self._outgoing = outgoing
        self._assistant = assistant
        self._incoming: asyncio.Queue[Notice | None] = asyncio.Queue()
        self._told: set[int] = set()
        self._acting: set[str] = set()  # on these requests, from here on

    def notify(self, notice: Notice) -> None:
        """Take a notice to tell. When nobody is there, it stays on the board for whoever comes."""
        if self._outgoing.shown and notice.id not in self._told:
            self._incoming.put_nowait(notice)

    def look(self) -> None:
        """Somebody has come: tell what is on the board, and what was decided elsewhere meanwhile."""
        self._incoming.put_nowait(None)

    async def run(self) -> None:
        """Tell, for ever; while the database is away, later: what is not marked as delivered stays on the board."""
        older: int | None = None
        while True:
            try:
                if older is None:
                    older = await self._board.latest_id()
                notice = await self._incoming.get()
                if notice is None or notice.id > older:
                    await self._tell_all(notice)
            except StoreError as error:
                await asyncio.sleep(error.retry_after)
                self.look()

    async def _tell_all(self, notice: Notice | None) -> None:
        """Tell this notice, or all that are on the board."""
        for each in [notice] if notice else await self._board.undelivered(self._actor):
            if self._outgoing.shown and each.id not in self._told:
                await self._tell(each)
        if notice is None:
            await self._catch_up()

    async def _tell(self, notice: Notice) -> None:
        async def mark() -> None:
            await self._board.mark_delivered([notice.id])

        self._told.add(notice.id)
        if notice.event == "request_decided" and notice.request.id in self._acting:
            await mark()  # it was found decided a moment before its notice came
            return
        if not await self._show(notice.event, notice.request):
            self._told.discard(notice.id)  # the window that came had no use for old frames
            self.look()
            return

        async def ours() -> bool:
            if await self._asked.where(notice.request.id) in (None, self._conversation_id):
                return True
            self._assistant.hear(_entry(notice.event, notice.request, asked_here=False))
            await mark()
            return False

        if notice.event == "request_decided":
            self._acting.add(notice.request.id)
            # A request that a running turn has made is known as this conversation's when that turn is over.
            self._assistant.put(Work("event", _entry(notice.event, notice.request), begun=mark, wanted=ours))
        else:
            # A reviewer is told by the notice; the model needs to know it only when it is spoken to.
            self._assistant.hear(_entry(notice.event, notice.request))
            await mark()

    async def _catch_up(self) -> None:
        """Go on with what was asked here and decided while this conversation was closed, whoever told its notice."""
        for kind, request_id in await self._asked.unanswered(self._conversation_id):
            if request_id in self._acting or not self._outgoing.shown:
                continue
            try:
                request = await self._requests.get(self._actor, kind, request_id)
            except NotFound:
                continue
            if request.status not in _DECIDED:
                if request.status is not RequestStatus.PENDING:
                    self._acting.add(request_id)
                    self._assistant.hear(_entry("request_decided", request))
                continue
            if await self._show("request_decided", request):
                self._acting.add(request_id)
                self._assistant.put(Work("event", _entry("request_decided", request)))

    async def _show(self, event: NoticeEvent, request: Request) -> bool:
        """Whether a window has written the notice."""
        view = RequestView.of(request)
        frame = NoticeFrame(content=told(event, view), event=event, request=view)
        return await self._outgoing.delivered(await self._outgoing.send(frame))


def _entry(event: NoticeEvent, request: Request, *, asked_here: bool = True) -> EventMessage:
    """The news for the model; the asker's reason is on the reviewer's screen, where it instructs nobody."""
    without = {"reason"} if event == "request_created" else None
    data: dict[str, Any] = RequestView.of(request).model_dump(mode="json", exclude=without)
    return EventMessage(event=event, data=data if asked_here else {**data, "asked_here": False})


def told(event: str, view: RequestView) -> str:
    """A notice in one line, with the words that came with it."""
    what = f"{view.operation} {view.resource_name}" if view.operation else f"see {view.resource_name}"
    if event == "request_created":
        reason = f" Reason: {quoted(view.reason.text)}" if view.reason.text else ""
        return f"{view.requesting_user} asks to {what}.{reason}"
    by = f" by {view.decided_by}" if view.decided_by else ""
    said = f" Comment: {quoted(view.comment.text)}" if view.comment and view.comment.text else ""
    return f"Your request to {what} was {view.status}{by}.{said}"

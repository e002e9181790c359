"""What a session tells its person of requests: each notice once, and none is lost."""

from __future__ import annotations

import asyncio
from typing import Protocol

from family_food.chat.assistant import Assistant, Work
from family_food.chat.outgoing import Outgoing
from family_food.chat.protocol import NoticeFrame
from family_food.messages import EventMessage
from permit_core.identity import Principal
from permit_core.stores.notices import Notice
from permit_core.views import RequestView


class Board(Protocol):
    """Where notices are kept."""

    async def latest_id(self) -> int:
        """The id of the newest notice, or 0."""
        ...

    async def undelivered(self, user: str, tenant: str) -> list[Notice]:
        """What this user was not told yet."""
        ...

    async def mark_delivered(self, ids: list[int]) -> None:
        """These were told."""
        ...


class NoticeDesk:
    """Tells notices while somebody is there to read them.

    A notice counts as delivered when a socket has taken it; one that the assistant is to act on, when that turn is in
    the database. Until then the next session tells it again, or this one, should its client come back. What is older
    than the session comes from the board alone: whoever follows the board may be behind, and hand on what another
    session has told already.

    Args:
        board: where notices are kept.
        principal: whose.
        outgoing: where they are told.
        assistant: acts on decisions, and knows of new requests when it is next spoken to.
    """

    def __init__(self, board: Board, principal: Principal, outgoing: Outgoing, assistant: Assistant) -> None:
        self._board = board
        self._principal = principal
        self._outgoing = outgoing
        self._assistant = assistant
        self._incoming: asyncio.Queue[Notice | None] = asyncio.Queue()
        self._told: set[int] = set()

    def notify(self, notice: Notice) -> None:
        """Take a notice to tell. When nobody is there, it stays on the board for whoever comes."""
        if self._outgoing.shown and notice.id not in self._told:
            self._incoming.put_nowait(notice)

    def look(self) -> None:
        """Somebody has come: tell what is on the board."""
        self._incoming.put_nowait(None)

    async def run(self) -> None:
        """Tell, for ever."""
        user, tenant = self._principal.user, self._principal.tenant
        older = await self._board.latest_id()
        while True:
            notice = await self._incoming.get()
            if notice is not None and notice.id <= older:
                continue
            for each in [notice] if notice else await self._board.undelivered(user, tenant):
                if self._outgoing.shown and each.id not in self._told:
                    await self._tell(each)

    async def _tell(self, notice: Notice) -> None:
        self._told.add(notice.id)
        view = RequestView.of(notice.request)
        frame = NoticeFrame(content=told(notice.event, view), event=notice.event, request=view)
        if not await self._outgoing.delivered(await self._outgoing.send(frame)):
            self._told.discard(notice.id)  # the window that came had no use for old frames
            self.look()
            return
        entry = EventMessage(event=notice.event, data=view.model_dump(mode="json"))

        async def mark() -> None:
            await self._board.mark_delivered([notice.id])

        if notice.event == "request_decided":
            self._assistant.put(Work("event", entry, begun=mark))
        else:
            # A reviewer is told by the notice; the model needs to know it only when it is spoken to.
            self._assistant.hear(entry)
            await mark()


def told(event: str, view: RequestView) -> str:
    """A notice in one sentence."""
    what = f"{view.operation} {view.resource_name}" if view.operation else f"see {view.resource_name}"
    if event == "request_created":
        return f"{view.requesting_user} asks to {what}."
    by = f" by {view.decided_by}" if view.decided_by else ""
    return f"Your request to {what} was {view.status}{by}."

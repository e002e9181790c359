"""The sessions of one server: who has how many, which one a window is shown, and how all of them end."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from weakref import WeakValueDictionary

from family_food.chat.backend import ChatBackend
from family_food.chat.close_reasons import ABANDONED, CLIENT_LEFT, CloseReason
from family_food.chat.session import ChatSession
from family_food.conversations.conversation import Conversation
from family_food.login.accounts import ChatUser
from permit_core.accounts.tokens import TokenClaims
from permit_core.errors import NotFound

logger = logging.getLogger(__name__)

MAX_SESSIONS_PER_USER = 8
SHUTDOWN_SECONDS = 10

_Who = tuple[str, str]


class ConnectionManager:
    """The open sessions, with a window or without. Two windows of one user are two of them.

    Attributes:
        active_connections: by the id of the conversation.
        closing: the server stops; nobody is let in any more.
    """

    def __init__(self) -> None:
        self.active_connections: dict[str, ChatSession] = {}
        self._seats: Counter[_Who] = Counter()
        self._seated: set[ChatSession] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._gone = asyncio.Condition()
        self._opening: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self.closing = False

    # A window comes

    async def open(
        self, backend: ChatBackend, user: ChatUser, claims: TokenClaims, wanted: str | None
    ) -> ChatSession | None:
        """The session that a new window is to show; None when the user has too many open.

        Whoever calls attaches a window to it before anything else is waited for.

        Args:
            backend: what a new session is made of.
            user: whose token was verified.
            claims: the token's.
            wanted: the conversation that is to go on. When it is not there, or somebody else's, a new one begins.
        """
        if wanted is None:
            return await self._begin(backend, user, claims, None)
        lock = self._opening.setdefault(wanted, asyncio.Lock())
        async with lock:  # of those who want the same one at once, the first opens it
            session = self.active_connections.get(wanted)
            if session is not None and session.belongs_to(user):
                if not session.ending:
                    return session
                await self._gone_for_good(session)
            mine = session is None or session.belongs_to(user)  # nobody touches the session of somebody else
            return await self._begin(backend, user, claims, wanted if mine else None)

    async def _begin(
        self, backend: ChatBackend, user: ChatUser, claims: TokenClaims, wanted: str | None
    ) -> ChatSession | None:
        who = (user.actor.user, user.actor.tenant)
        if not await self._take_seat(who):
            return None
        try:
            conversation, resumed = await _conversation(backend, user, wanted)
        except BaseException:
            self._give_back(who)
            raise
        session = ChatSession(backend, user, claims, conversation, resumed=resumed)
        self.connect(session)
        return session

    def connect(self, session: ChatSession) -> None:
        """Run a session that has a seat. From here on it hears of what concerns its user."""
        self.active_connections[session.id] = session
        self._seated.add(session)
        task = asyncio.create_task(self._run(session), name="chat session")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, session: ChatSession) -> None:
        try:
            await session.run()
        except Exception:
            logger.exception("a session ended badly")
        finally:
            await self.disconnect(session)

    async def disconnect(self, session: ChatSession) -> None:
        """It is over."""
        if self.active_connections.get(session.id) is session:
            del self.active_connections[session.id]
        if session in self._seated:
            self._seated.discard(session)
            self._give_back(session.who)
        async with self._gone:
            self._gone.notify_all()

    # Seats

    async def _take_seat(self, who: _Who) -> bool:
        """A place for one more session of a user; False when all are taken.

        It is taken before anything is waited for: of a hundred windows that open at once no more get in than of a
        hundred that open one by one. A session that nobody shows makes room, and one that is about to end does; the
        newcomer has their seat, and waits until they are gone.
        """
        if self._seats[who] < MAX_SESSIONS_PER_USER:
            self._seats[who] += 1
            return True
        mine = [session for session in self._seated if session.who == who]
        leaving = [session for session in mine if session.ending]
        lost = sorted((s for s in mine if s.lost_at is not None), key=lambda s: (s.busy, s.lost_at))
        going = next(iter([*leaving, *lost]), None)
        if going is None:
            return False
        self._seated.discard(going)
        going.stop(ABANDONED)
        try:
            await self._gone_for_good(going)
        except BaseException:
            self._give_back(who)
            raise
        return True

    def _give_back(self, who: _Who) -> None:
        self._seats[who] -= 1
        if not self._seats[who]:
            del self._seats[who]

    # Everybody

    def sessions_of(self, user: str, tenant: str) -> list[ChatSession]:
        """The open sessions of a user."""
        return [session for session in self.active_connections.values() if session.who == (user, tenant)]

    async def end(self, session_id: str, ending: CloseReason = CLIENT_LEFT) -> None:
        """End one session, if it is open, and wait until it is gone; not for ever."""
        session = self.active_connections.get(session_id)
        if session is not None:
            session.stop(ending)
            await self._gone_for_good(session)

    def renamed(self, conversation_id: str, title: str) -> None:
        """A conversation has another title now; its session, if it has one, is to know."""
        session = self.active_connections.get(conversation_id)
        if session is not None:
            session.renamed(title)

    async def shut(self, ending: CloseReason) -> None:
        """End every session, and let nobody begin another one."""
        self.closing = True
        await self.close_all(ending)

    async def close_all(self, ending: CloseReason) -> None:
        """End every session, and wait until they are gone; not for ever."""
        for session in list(self.active_connections.values()):
            session.stop(ending)
        await self._until(lambda: not self.active_connections)

    async def _gone_for_good(self, session: ChatSession) -> None:
        await self._until(lambda: self.active_connections.get(session.id) is not session)

    async def _until(self, gone: Callable[[], bool]) -> None:
        try:
            async with asyncio.timeout(SHUTDOWN_SECONDS), self._gone:
                await self._gone.wait_for(gone)
        except TimeoutError:
            logger.warning("a session did not end in time")


async def _conversation(backend: ChatBackend, user: ChatUser, wanted: str | None) -> tuple[Conversation, bool]:
    """The stored conversation that is to go on, or a new one; and which of the two."""
    store = backend.conversations
    if wanted is not None:
        try:
            return Conversation.of(await store.load(wanted, user.actor), store), True
        except NotFound:
            pass
    return Conversation(await store.create(user.actor), store), False

"""One life of a session's tool server: started, ready, ended."""

from __future__ import annotations

import asyncio
import logging

from anyio.streams.memory import MemoryObjectReceiveStream
from mcp import ClientSession

from permit_core.errors import UserFacing
from prefork.tool_start import ToolStart
from prefork.unchecked_session import UncheckedSession

logger = logging.getLogger(__name__)


class ToolsUnavailable(UserFacing):
    """The tool server could not do the call.

    ``code`` is ``tools_unavailable``, ``tool_timeout``, ``tool_failed``, or ``tools_restarted``: the process died, and
    whether the call had an effect is not known.
    """

    default_code = "tools_unavailable"


class ToolChild:
    """One life of the process. A task of its own enters and leaves it: the SDK's task groups demand that."""

    def __init__(self, start: ToolStart, start_seconds: float) -> None:
        self._start = start
        self._start_seconds = start_seconds
        self._over = asyncio.Event()
        self._ready: asyncio.Future[ClientSession] = asyncio.get_running_loop().create_future()
        self._dead = False
        self._read: object = None
        self._task = asyncio.create_task(self._own(), name="tool child")

    @property
    def dead(self) -> bool:
        """It is over, or its process has ended, as far as that has been noticed."""
        read = self._read
        return self._dead or (isinstance(read, MemoryObjectReceiveStream) and not read.statistics().open_send_streams)

    def give_up(self) -> None:
        """Nothing more is expected of it."""
        self._dead = True

    async def session(self) -> ClientSession:
        """The session, once the process has answered.

        Raises:
            ToolsUnavailable: it did not start.
        """
        return await asyncio.shield(self._ready)

    async def end(self) -> None:
        """Stop the process; returns when it is gone."""
        self._dead = True
        self._over.set()
        if not self._ready.done():
            self._task.cancel()
        await asyncio.wait([self._task])

    async def _own(self) -> None:
        try:
            await self._live()
        except asyncio.CancelledError:
            self._fail(None)
            raise
        except Exception as error:  # noqa: BLE001 - the SDK lets nearly anything out, wrapped in groups
            self._fail(error)
        finally:
            self._dead = True

    async def _live(self) -> None:
        async with (
            asyncio.timeout(self._start_seconds) as limit,
            self._start() as (read, write),
            UncheckedSession(read, write) as session,
        ):
            self._read = read
            await session.initialize()
            limit.reschedule(None)
            if not self._ready.done():
                self._ready.set_result(session)
            await self._over.wait()

    def _fail(self, error: BaseException | None) -> None:
        if self._ready.done():
            if error is not None:
                logger.warning("a tool server process ended badly", exc_info=error)
            return
        if error is not None:  # otherwise the session was over before it had
            logger.error("the tool server did not start", exc_info=error)
        self._ready.set_exception(
            ToolsUnavailable("The ordering tools could not be started.", hint="Try again in a moment.")
        )
        self._ready.exception()  # nobody may be waiting any more: that is no news

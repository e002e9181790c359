"""The checks that were made here: what was asked and what was answered, kept for thirty days.

No check waits for it. They are written in groups, a moment after they were answered, so that the last moment is lost when
the process is killed. Where more checks come than can be written, the rest is not kept, and the program's log says how
many.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import Counter, defaultdict, deque
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import Connection, delete, insert, select

from permit_api.store.session import new_id
from permit_api.store.tables import CHECKS_KEPT, checks
from permit_core.access import Check
from permit_core.audit.trailing import Trailing
from permit_core.clock import Clock
from permit_core.database import ROOM_FOR_BOOKKEEPING, Database
from permit_core.errors import ConstraintViolated
from permit_core.redaction import masked, redact

MOST_KEPT = 50_000
"""So many checks of one environment are kept: the newest."""
MOST_CHARACTERS = 4_000
"""Of a question that is longer, attributes and context are not kept."""
MOST_WAITING = 20_000
GROUP = 500
"""How many are written in one transaction."""
PAUSE_SECONDS = 0.25
CLEARED_EVERY = 1_000
"""After so many written checks of an environment those are taken away that are too many or too old."""

logger = logging.getLogger(__name__)


class _Made(NamedTuple):
    """A check that was answered."""

    at: datetime
    check: Check
    answer: Mapping[str, Any]


class CheckLog:
    """Takes the checks of all environments, and writes them behind the answers.

    Args:
        database: where they are kept; whoever opened it closes it, after this.
        clock: the present moment, in UTC.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock
        self._waiting: defaultdict[str, deque[_Made]] = defaultdict(deque)
        self._count = self._lost = 0
        self._uncleared: Counter[str] = Counter()
        self._writing = asyncio.Lock()
        self._behind = Trailing("keeping the checks that were made", self._write, PAUSE_SECONDS)

    def note(self, environment_id: str, check: Check, answer: Mapping[str, Any]) -> None:
        """Keep a check and its answer. Called on the event loop; waits for nothing."""
        if self._count >= MOST_WAITING:
            self._lost += 1
            return
        if not self._count:
            self._behind.belong(asyncio.get_running_loop())
            self._behind.wake()
        self._count += 1
        self._waiting[environment_id].append(_Made(self._clock(), check, answer))

    async def flush(self) -> None:
        """Write what waits.

        Raises:
            StoreError: the database is unreachable; all of it waits on.
        """
        await self._write()

    async def close(self) -> None:
        """Write what waits, and end."""
        await self._behind.close()

    async def _write(self) -> bool:
        async with self._writing:
            while self._waiting:
                environment_id, waiting = next(iter(self._waiting.items()))
                group = [waiting[place] for place in range(min(GROUP, len(waiting)))]
                await self._keep(environment_id, group)
                for _ in group:
                    waiting.popleft()
                self._count -= len(group)
                if not waiting:
                    del self._waiting[environment_id]
            lost, self._lost = self._lost, 0
        if lost:
            logger.warning("%d checks were answered and not kept: more came than could be written", lost)
        return False

    async def _keep(self, environment_id: str, group: Sequence[_Made]) -> None:
        clear = not self._uncleared[environment_id] or self._uncleared[environment_id] >= CLEARED_EVERY

        def keep(connection: Connection) -> None:
            connection.execute(insert(checks), [_row(environment_id, made) for made in group])
            if clear:
                _clear(connection, environment_id, self._clock() - CHECKS_KEPT)

        try:
            await self._database.write(keep, environment=environment_id, durable=False, room=ROOM_FOR_BOOKKEEPING)
        except ConstraintViolated:
            logger.debug("the environment of %d checks is not there any more", len(group))
        self._uncleared[environment_id] = len(group) + (0 if clear else self._uncleared[environment_id])


def _row(environment_id: str, made: _Made) -> dict[str, Any]:
    asked, written = _asked(made.check)
    return {
        "id": new_id(),
        "environment_id": environment_id,
        "at": made.at,
        "user_key": asked["user"]["key"],
        "action": asked["action"],
        "resource_type": asked["resource"]["type"],
        "resource_key": asked["resource"].get("key"),
        "tenant": asked["resource"]["tenant"],
        "allowed": made.answer["allow"],
        "input": written,
        "result": _kept(made.answer)[1],
    }


def _asked(check: Check) -> tuple[Mapping[str, Any], str]:
    """What was asked, in the shape of the call, as it is kept."""
    user = {"key": _visible(check.actor.user)}
    resource = {"type": _visible(check.resource.type), "tenant": _visible(check.actor.tenant)}
    if check.resource.key is not None:
        resource["key"] = _visible(check.resource.key)
    names = {"user": user, "action": _visible(check.action), "resource": resource}
    if not (check.user_attributes or check.resource_attributes or check.context):
        return _kept(names)
    of_user, of_resource = (
        {"attributes": each} if each else {} for each in (check.user_attributes, check.resource_attributes)
    )
    whole = redact({**names, "user": user | of_user, "resource": resource | of_resource, "context": check.context})
    written = json.dumps(whole)
    return (
        (whole, written) if len(written) <= MOST_CHARACTERS else _kept({**names, "left_out": "attributes and context"})
    )


def _kept(said: Mapping[str, Any]) -> tuple[Mapping[str, Any], str]:
    """What may be remembered of names and sentences, and that as JSON: no secret, nothing endless or unseen."""
    written = json.dumps(said)
    if not _may_stay(written):
        said = redact(said)
        written = json.dumps(said)
    return said, written


@lru_cache(maxsize=4096)
def _may_stay(written: str) -> bool:
    """Whether nothing is to be changed in it, as is nearly always so; looking at each text takes ten times as long."""
    return len(written) <= MOST_CHARACTERS and "\\" not in written and masked({"": written})[""] == written


def _visible(name: str) -> str:
    """A name as it was sent; one that cannot be seen as such is written out, so that it is not taken for another."""
    return name if name.isprintable() else ascii(name)


def _clear(connection: Connection, environment_id: str, before: datetime) -> None:
    """Take away what is too old, of whatever environment, and what is too much of this one."""
    connection.execute(delete(checks).where(checks.c.at < before))
    mine = checks.c.environment_id == environment_id
    newest = select(checks.c.at).where(mine).order_by(checks.c.at.desc()).offset(MOST_KEPT).limit(1)
    oldest = connection.execute(newest).scalar_one_or_none()
    if oldest is not None:
        connection.execute(delete(checks).where(mine, checks.c.at <= oldest))

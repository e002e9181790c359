"""The last checks of an environment, kept so that a changed policy can be tried on them before it is in force."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import logging
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable, Iterable, Sequence
from contextlib import suppress
from contextvars import Context

from permit_core.access import Check
from permit_core.clock import Clock
from permit_core.database import ROOM_FOR_BOOKKEEPING, Database
from permit_core.errors import ConfigurationError, PermitError
from permit_core.policy.changes import Loosening, loosened
from permit_core.policy.facts import Facts
from permit_core.policy.model import PolicyModel
from permit_core.policy.remembered import recall, remember
from permit_core.ports.policy_source import PolicySource
from permit_core.stores.current_facts import CurrentFacts
from permit_core.stores.recent_checks import MOST_KEPT, has_old_checks, read_checks, write_checks

WRITE_SECONDS = 5.0
"""How long a check waits to be written together with others; a process that is killed loses that much."""

SAME_SECONDS = 3600.0
"""How long a check that was written needs not to be written again."""

CLOSING_SECONDS = 2.0
"""How long closing waits for the last of them."""

MOST_REMEMBERED = 10_000
"""How many checks a process knows that it wrote."""

KEY_FILE = "recent-checks.key"

logger = logging.getLogger(__name__)


class RecentChecks:
    """Notes checks without waiting, and writes them in groups, each different one once an hour.

    What conditions read is kept with a check; texts as hashes under a key of this account's state folder, so that the table
    alone does not tell which text it was.

    Args:
        environment: whose checks; others are not kept.
        policies: the policy, which says what conditions read.
        facts: what they read it from.
        database: where the checks are kept.
        clock: the present moment.
        key: gives the key of the hashes, read when the first checks are written.
    """

    def __init__(
        self,
        environment: str,
        policies: PolicySource,
        facts: CurrentFacts,
        database: Database,
        clock: Clock,
        key: Callable[[], bytes],
    ) -> None:
        self._environment, self._policies, self._facts = environment, policies, facts
        self._database, self._clock, self._read_key = database, clock, key
        self._key: bytes | None = None
        self._waiting: deque[Check] = deque(maxlen=MOST_KEPT)
        self._written: OrderedDict[Hashable, float] = OrderedDict()
        self._ending = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def note(self, checks: Iterable[Check]) -> None:
        """Keep checks that were decided. Never waits; of what is more than can be kept, the first go."""
        self._waiting.extend(checks)
        if self._task is None:
            self._task = asyncio.create_task(self._run(), context=Context())

    async def close(self) -> None:
        """Write what waits, and look no more."""
        self._ending.set()
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSING_SECONDS):
                if self._task is not None:
                    await self._task
                await self._write()

    async def prune(self) -> None:
        """Remove what is older than it may be. Every write does so, too.

        Raises:
            StoreError: the database is unreachable.
        """
        now = self._clock()
        async with self._database.reading() as reading:
            if not await has_old_checks(self._environment, reading, now):
                return
        await self._database.write(
            lambda connection: write_checks(connection, self._environment, {}, now), environment=self._environment
        )

    async def loosened(self, before: PolicyModel, after: PolicyModel) -> list[str]:
        """What of the kept checks a changed policy answers more generously, a line for each kind of it.

        Raises:
            StoreError: the database is unreachable.
            ConfigurationError: the key of the hashes can be neither read nor made.
        """
        await self._write()
        async with self._database.reading() as reading:
            rows = await read_checks(self._environment, reading, self._clock())
        facts = await self._facts.facts(self._environment)
        key = self._own_key()
        checks = [recall(row, key) for row in rows if row["key"] == _mark(key)]
        return await asyncio.to_thread(_tried, before, after, facts, checks)

    async def _run(self) -> None:
        try:
            while self._waiting:
                with suppress(TimeoutError):
                    async with asyncio.timeout(WRITE_SECONDS):
                        await self._ending.wait()
                await self._write()
        finally:
            self._task = None

    async def _write(self) -> None:
        """Write what waits. What cannot be written is not kept: nobody waits for it."""
        checks = [check for check in self._waiting if check.actor.environment == self._environment]
        self._waiting.clear()
        checks = [check for check in checks if _has_own_values(check) or self._is_news(_asked(check))]
        if not checks:
            return
        try:
            key = self._own_key()
            facts = await self._facts.facts(self._environment)
            model = self._policies.current(self._environment).model
            found = await asyncio.to_thread(_bodies, model, facts, checks, key)
            news = {digest: body for digest, body in found.items() if self._is_news(digest)}
            if news:
                now = self._clock()
                await self._database.write(
                    lambda connection: write_checks(connection, self._environment, news, now),
                    environment=self._environment,
                    durable=False,
                    room=ROOM_FOR_BOOKKEEPING,
                )
        except PermitError as error:
            self._written.clear()
            logger.debug("%d checks are not kept: %s", len(checks), error)
        except Exception:
            self._written.clear()
            logger.exception("%d checks are not kept", len(checks))

    def _is_news(self, which: Hashable) -> bool:
        """Whether this was not written lately; from now on it was."""
        now = time.monotonic()
        if now - self._written.get(which, -SAME_SECONDS) < SAME_SECONDS:
            return False
        self._written[which] = now
        self._written.move_to_end(which)
        if len(self._written) > MOST_REMEMBERED:
            self._written.popitem(last=False)
        return True

    def _own_key(self) -> bytes:
        if self._key is None:
            try:
                self._key = self._read_key()
            except OSError as error:
                raise ConfigurationError(f"STATE_DIR: the key of kept checks cannot be read or made: {error}") from None
        return self._key


def _has_own_values(check: Check) -> bool:
    return bool(check.call or check.user_attributes or check.resource_attributes or check.context)


def _asked(check: Check) -> Hashable:
    """Who asked what; what conditions read of it is stored, and seldom another within an hour."""
    return check.actor, check.action, check.resource


def _mark(key: bytes) -> str:
    """Which key it is: hashes under another one can be compared with nothing."""
    return hashlib.sha256(b"recent checks " + key).hexdigest()[:16]


def _bodies(model: PolicyModel, facts: Facts, checks: Iterable[Check], key: bytes) -> dict[str, str]:
    """What is written of checks, by digest."""
    found, mark = {}, _mark(key)
    for check in checks:
        body = json.dumps({**remember(model, facts, check, key), "key": mark}, sort_keys=True)
        found[hmac.new(key, body.encode(), "sha256").hexdigest()] = body
    return found


def _tried(before: PolicyModel, after: PolicyModel, facts: Facts, checks: Sequence[Check]) -> list[str]:
    """A line for each kind of check that is answered more generously: how many there are, and one of them."""
    kinds: dict[tuple[object, ...], list[Loosening]] = {}
    for each in loosened(before, after, facts, checks):
        kind = (each.check.action, each.check.resource.type, each.before.effect, each.after.effect, each.after.rule)
        kinds.setdefault(kind, []).append(each)
    return [f"{len(found)} of the last {len(checks)} checks, such as {found[0]}" for found in kinds.values()]

"""The policy of a file, followed while the file changes."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from contextvars import Context
from dataclasses import dataclass, replace

from permit_core.clock import Clock
from permit_core.database import Database, Transaction
from permit_core.errors import ConfigurationError, PermitError, StoreError
from permit_core.identity import Actor, system_actor
from permit_core.policy.changes import loosened_guards
from permit_core.policy.loader import ReadPolicy, policy_of, text_hash
from permit_core.policy.model import PolicyModel
from permit_core.policy.scenarios import compare_scenarios, scenarios_beside
from permit_core.policy_source.policy_file import FoundPolicy, Mark, find_policy, mark_of
from permit_core.ports.audit import Audit
from permit_core.ports.policy_source import PolicyVersion, held, one_version
from permit_core.ports.record import AuditEvent
from permit_core.stores.policies import AcceptedPolicy, PolicyStore

WATCH_SECONDS = 1.0
"""How often a program looks by itself."""

LOOK_SECONDS = 1.0
"""How often what can change without the file is looked at: whether a policy was accepted, who can write the folder."""

COMPARE_SECONDS = 5.0
"""How long a change may wait for what is said of it."""

MOST_LINES = 100
"""How many loosenings a record lists; it counts the rest."""

TRIES = 5

logger = logging.getLogger(__name__)

InForce = Callable[[Transaction, PolicyModel], Awaitable[object]]
"""What else happens, in the same transaction, when a policy comes into force."""

Loosened = Callable[[PolicyModel, PolicyModel], Awaitable[list[str]]]
"""What a policy loosens that takes another's place, a line for each thing that is found."""


@dataclass(frozen=True, slots=True)
class PolicyChange:
    """A policy that is to take another's place.

    Attributes:
        policy: the new one.
        before: the one in force; None in an environment that has none.
        loosens: what it loosens, a line for each thing that was found.
    """

    policy: ReadPolicy
    before: AcceptedPolicy | None
    loosens: tuple[str, ...]


class PolicyFile:
    """Implements :class:`permit_core.ports.policy_source.PolicySource` over a file and what the database says of it.

    The last row of ``accepted_policies`` is the policy in force. Where that policy says ``reload: ask``, it alone decides,
    whatever is in the file, also in a process that starts now: its text is taken from the row. Where it does not, each
    process takes the file it was given; whichever takes it first enters the row and the record, in one transaction,
    before anything is decided by it.

    Args:
        policy: what was read from the file last.
        environment: in which environment it is in force; the log of it is told.
        database: where it stands which policy is in force.
        audit: the log.
        clock: the present moment.
        in_force: what else happens when a policy comes into force.
        afterwards: what is done once a changed policy is in force, by the process that put it there.
        loosened: what else there is to find of what a change loosens, beside the declarations and the scenario table.
    """

    def __init__(
        self,
        policy: ReadPolicy,
        environment: str,
        database: Database,
        audit: Audit,
        clock: Clock,
        *,
        in_force: Iterable[InForce] = (),
        loosened: Loosened | None = None,
        afterwards: Callable[[PolicyModel], Awaitable[None]] | None = None,
    ) -> None:
        self._path, self._environment = policy.file, environment
        self._database, self._audit, self._clock = database, audit, clock
        self._store, self._in_force = PolicyStore(), tuple(in_force)
        self._loosened, self._afterwards = loosened, afterwards
        self._version = PolicyVersion(policy.model, policy.hash)
        self._begun = False
        self._checks: list[Callable[[PolicyModel], object]] = []
        self._seen: Mark | None = None
        self._found: FoundPolicy | None = None
        self._again_at: float | None = None
        self._said: tuple[str, str] | None = None
        self._looking = asyncio.Lock()
        self._watching: asyncio.Task[None] | None = None

    def current(self, environment: str) -> PolicyVersion:
        """The policy in force; see the port."""
        return held(self, environment) or self._version

    async def renew(self, environment: str) -> PolicyVersion:
        """Look at the file, and take up what is new; see the port. Also raises what :meth:`begin` raises, the first time."""
        if not self._is_up_to_date():
            async with self._looking:
                if not self._is_up_to_date():
                    await self._look()
        return self.current(environment)

    async def begin(self) -> None:
        """Start with the file, whoever could have written it; that much is only warned of.

        Raises:
            ConfigurationError: the policy that was accepted is damaged, or this program cannot read it.
            StoreError: the database is unreachable.
        """
        async with self._looking:
            await self._look(starting=True)

    def must_fit(self, check: Callable[[PolicyModel], object]) -> None:
        """Refuse, from now on, every policy that does not fit the program; see the port."""
        self._checks.append(check)

    async def change(self) -> PolicyChange | None:
        """What the file would change; None where it holds what is in force.

        Raises:
            ConfigurationError: the file is no valid policy, others can write it, or what it would replace is damaged.
            StoreError: the database is unreachable.
        """
        found = await self._find()
        if found.policy is None or found.writable:
            raise ConfigurationError(found.fault or f"{found.writable}: let its owner alone write it first")
        async with self._database.reading() as reading:
            before = await self._store.in_force(self._environment, reading)
        if before is not None and before.hash == found.hash:
            return None
        return await self._change(found.policy, before)

    async def accept(self, actor: Actor, change: PolicyChange) -> bool:
        """Put a policy in force, on record; False when another one has come into force since the change was looked at.

        Raises:
            StoreError: the database is unreachable; nothing was changed.
        """
        before, policy = change.before, change.policy
        number = 1 if before is None else before.number + 1
        new = AcceptedPolicy(number, policy.hash, policy.model.reload == "ask")
        async with self._database.transaction(self._environment) as transaction:
            if await self._store.in_force(self._environment, transaction) != before:
                return False
            await self._store.accept(
                self._environment, transaction, new, text=policy.text, by=actor.user, now=self._clock()
            )
            version = PolicyVersion(policy.model, policy.hash, number)
            with one_version(self, self._environment, version):
                for act in self._in_force:
                    await act(transaction, policy.model)
                if before is not None:
                    more = len(change.loosens) - MOST_LINES
                    body = {
                        "before": before.hash,
                        "after": policy.hash,
                        "number": number,
                        "loosens": list(change.loosens[:MOST_LINES]),
                        **({"more": more} if more > 0 else {}),
                    }
                    await self._audit.append(transaction, AuditEvent("policy.changed", actor, body))
        return True

    def watch(self) -> None:
        """Look once a second from now on, until :meth:`close`."""
        if self._watching is None:
            self._watching = asyncio.create_task(self._watch(), context=Context())

    async def close(self) -> None:
        """Look no more."""
        task, self._watching = self._watching, None
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            try:
                await self.renew(self._environment)
            except PermitError as error:
                logger.debug("the policy could not be looked at: %s", error)
            except Exception:
                logger.exception("the policy could not be looked at")

    def _is_up_to_date(self) -> bool:
        if not self._begun or (self._again_at is not None and time.monotonic() >= self._again_at):
            return False
        return mark_of(self._path) == self._seen

    async def _look(self, *, starting: bool = False) -> None:
        """Find out which policy is in force, and put the file's in force where that is to be."""
        try:
            for _ in range(TRIES):  # another process may put one in force meanwhile
                if await self._looked(starting=starting):
                    break
            self._begun = True
        except StoreError as error:
            if not self._begun:
                raise
            self._again_at = time.monotonic() + LOOK_SECONDS
            logger.debug("a changed policy could not be put on record, so it is not in force: %s", error)

    async def _looked(self, *, starting: bool) -> bool:
        seen = mark_of(self._path)
        found = await self._find()
        async with self._database.reading() as reading:
            accepted = await self._store.in_force(self._environment, reading)
        done, again = True, not found.settled
        if accepted is not None and accepted.asks:
            await self._take(accepted)
            again = True  # it is in the database, and not in the file, that somebody says yes
            if found.hash != accepted.hash:
                await self._leave(found)
        elif found.policy is None or (found.writable and not starting):
            again = True
            if not self._begun and accepted is not None:
                await self._take(accepted)
            await self._leave(found)
        elif found.policy.model.version == 1 and not found.settled and self._begun:
            pass  # nothing in it says that it is whole: once nobody writes it
        else:
            if found.writable:
                logger.warning("%s; a change of the policy is not taken up while that is so", found.writable)
            done = await self._take_file(found.policy, accepted)
        self._seen = seen
        self._again_at = time.monotonic() + LOOK_SECONDS if again else None
        return done

    async def _find(self) -> FoundPolicy:
        """What is in the file; what does not fit is at fault, too."""
        found = self._found = await asyncio.to_thread(find_policy, self._path, self._found)
        if found.policy is not None:
            try:
                for check in self._checks:
                    check(found.policy.model)
            except ConfigurationError as error:
                return replace(found, policy=None, fault=str(error))
        return found

    async def _take(self, accepted: AcceptedPolicy) -> None:
        """Decide by the policy in force."""
        if accepted.hash != self._version.hash:
            async with self._database.reading() as reading:
                policy = await self._read(reading, accepted)
            logger.info("the policy that was accepted is in force: %s", accepted.hash)
            self._version = PolicyVersion(policy.model, policy.hash, accepted.number)
        elif accepted.number != self._version.number:
            self._version = PolicyVersion(self._version.model, accepted.hash, accepted.number)

    async def _read(self, reading: Transaction, accepted: AcceptedPolicy) -> ReadPolicy:
        """A policy that was in force, from its row.

        Raises:
            ConfigurationError: it is not what was accepted, or this program cannot read it.
        """
        text = await self._store.text(self._environment, reading, accepted.number)
        name = f"policy {accepted.number} of the database"
        if text_hash(text) != accepted.hash:
            raise ConfigurationError(f"{name} is not what was accepted: restore the database from a backup")
        return await asyncio.to_thread(policy_of, text, name)

    async def _take_file(self, policy: ReadPolicy, before: AcceptedPolicy | None) -> bool:
        """Decide by the file's policy, put in force first; False when another one came into force meanwhile."""
        changed, number = before is None or before.hash != policy.hash, before.number if before is not None else 1
        if changed:
            change = await self._change(policy, before)
            if not await self.accept(system_actor(self._environment), change):
                return False
            if before is not None:
                number += 1
                logger.warning("the policy has changed: %s is in force, before %s", policy.hash, before.hash)
            for line in change.loosens:
                logger.warning("the changed policy loosens: %s", line)
        if (policy.hash, number) != (self._version.hash, self._version.number):
            self._version = PolicyVersion(policy.model, policy.hash, number)
        self._said = None
        if changed and self._begun and self._afterwards is not None:
            try:
                await self._afterwards(policy.model)
            except StoreError as error:
                logger.debug("what the changed policy does not know could not be looked for: %s", error)
        return True

    async def _change(self, policy: ReadPolicy, before: AcceptedPolicy | None) -> PolicyChange:
        """What a policy loosens that takes another's place."""
        if before is None:
            return PolicyChange(policy, None, ())
        lines: list[str] = []
        try:
            if before.hash == self._version.hash:
                old = self._version.model
            else:
                async with self._database.reading() as reading:
                    old = (await self._read(reading, before)).model
            async with asyncio.timeout(COMPARE_SECONDS):
                lines += await asyncio.to_thread(_loosened, self._path, old, policy.model)
                if self._loosened is not None:
                    lines += await self._loosened(old, policy.model)
        except (ConfigurationError, TimeoutError) as error:
            lines.append(f"and what else is not known: {error or 'it takes too long to find out'}")
        return PolicyChange(policy, before, tuple(lines))

    async def _leave(self, found: FoundPolicy) -> None:
        """Say, and put on record once, that what is in the file is not taken up, and why."""
        code = "invalid" if found.policy is None else "writable" if found.writable else "waiting"
        if code == "invalid" and not found.settled:
            return  # perhaps somebody is writing it
        if self._said == (found.hash, code):
            return
        if code == "waiting":
            why = f"it waits for an operator: permit-mcp policy accept {found.hash[:12]}"
        else:
            why = found.fault or found.writable
        logger.warning("%s: the changed policy is not taken up: %s", self._path, why)
        event = "policy.waiting" if code == "waiting" else "policy.refused"
        body = {"hash": found.hash, "code": code, "reason": why}
        async with self._database.transaction(self._environment) as transaction:
            if await self._store.refuse(self._environment, transaction, found.hash, code, self._clock()):
                await self._audit.append(transaction, AuditEvent(event, system_actor(self._environment), body))
        self._said = (found.hash, code)


def _loosened(path: str, before: PolicyModel, after: PolicyModel) -> list[str]:
    """What a policy loosens: in what it declares, and in the rows of the scenario table beside it."""
    lines = loosened_guards(before, after)
    table = scenarios_beside(path)
    if table.exists():
        try:
            lines += compare_scenarios(table, before, after)
        except PermitError as error:
            lines.append(f"not known: the scenario table cannot be played ({error})")
    return lines

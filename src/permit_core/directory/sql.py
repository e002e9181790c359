"""The directory in our own database."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from permit_core.access import ResourceRef
from permit_core.clock import Clock
from permit_core.database import Database, Transaction
from permit_core.directory.entry_writer import Change, EntryWriter, told_of
from permit_core.entries import RelationshipTuple, ResourceInstance, RoleAssignment, User
from permit_core.identity import Actor
from permit_core.page import Page, page_offset
from permit_core.policy.facts import Facts
from permit_core.policy.facts_file import FactsFile
from permit_core.ports.audit import Audit
from permit_core.ports.policy_source import PolicySource
from permit_core.ports.record import AuditEvent
from permit_core.stores.current_facts import CurrentFacts
from permit_core.stores.facts import FactStore, collector_resting, read_tenant_roles, read_user_in
from permit_core.views import plain

SEED = "facts"

logger = logging.getLogger(__name__)


class SqlDirectory:
    """Users, tenants, instances, roles and relationships as rows.

    Implements :class:`permit_core.ports.directory.Directory`. Every writer checks what it is given against the policy
    and against what is there, audits, and makes every process's snapshot stale: all in one transaction, the given one
    or its own. Writing what is there already changes, audits and costs nothing; a writer answers whether it did more.

    Outside of a transaction the database is asked only where the snapshot on which decisions are made is not at hand;
    for a list of things it is brought up to date.
    """

    def __init__(
        self,
        policies: PolicySource,
        database: Database,
        facts: FactStore,
        audit: Audit,
        clock: Clock,
        *,
        current: CurrentFacts | None = None,
    ) -> None:
        self._current = current or CurrentFacts(facts, database, clock)
        self._writer = EntryWriter(policies, facts)
        self._database = database
        self._facts = facts
        self._audit = audit
        self._clock = clock

    # Reading

    async def user(self, environment: str, key: str, transaction: Transaction | None = None) -> User | None:
        """The user with this key, or None."""
        if transaction is None and (facts := self._current.peek(environment)) is not None:
            found: User | None = facts.users.get(key)
            return found
        async with self._database.joined(transaction) as reading:
            return await self._facts.user(environment, reading, key)

    async def actor(
        self, environment: str, tenant: str, key: str, transaction: Transaction | None = None
    ) -> Actor | None:
        """The user as somebody who acts in ``tenant``; None when there is no such user or tenant."""
        user: User | None
        if transaction is None and (facts := self._current.peek(environment)) is not None:
            user = facts.users.get(key) if tenant in facts.tenants else None
        else:
            user = await self._database.read(
                lambda connection: read_user_in(connection, environment, tenant, key), transaction
            )
        return None if user is None else Actor(environment, tenant, user.key, plain(user.name))

    async def tenant_roles(
        self, environment: str, tenant: str, user: str, transaction: Transaction | None = None
    ) -> frozenset[str]:
        """The keys of the tenant-wide roles the user holds in ``tenant``."""
        if transaction is None and (facts := self._current.peek(environment)) is not None:
            return frozenset(facts.direct_roles(user, tenant, None))
        now = self._clock()
        return await self._database.read(
            lambda connection: read_tenant_roles(connection, environment, tenant, user, now), transaction
        )

    async def instance(
        self, environment: str, tenant: str, ref: ResourceRef, transaction: Transaction | None = None
    ) -> ResourceInstance | None:
        """The instance, or None when it does not exist in this tenant."""
        if transaction is None and (facts := self._current.peek(environment)) is not None:
            return facts.instance(ref, tenant)
        async with self._database.joined(transaction) as reading:
            found = await self._facts.instance(environment, reading, ref)
        return found if found is not None and found.tenant == tenant else None

    async def instances(
        self, environment: str, tenant: str, resource_type: str, page: int = 1, per_page: int = 100
    ) -> Page[ResourceInstance]:
        """The instances of one type in one tenant, ordered by key (numbers by value).

        Raises:
            InvalidInput: ``invalid_page``.
        """
        skip = page_offset(page, per_page)
        found = (await self._now(environment)).instances_of(resource_type, tenant)
        return Page(list(found[skip : skip + per_page]), len(found), page, per_page)

    async def objects(self, environment: str, tenant: str, ref: ResourceRef, relation: str) -> list[ResourceInstance]:
        """The objects to which ``ref`` stands in ``relation`` (the dishes of a restaurant), ordered by key."""
        facts = await self._now(environment)
        found = [facts.instances[each] for each in facts.objects_of(ref, relation)]
        return [each for each in found if each.tenant == tenant]

    async def _now(self, environment: str) -> Facts:
        """All facts: whoever lists things asks for decisions on them next, which need these as well."""
        return self._current.peek(environment) or await self._current.facts(environment)

    # Writing

    async def put_tenant(self, actor: Actor, key: str, name: str, transaction: Transaction | None = None) -> bool:
        """Add a tenant, or rename it.

        Raises:
            InvalidInput: ``invalid_key``, ``invalid_name``.
        """
        async with self._database.writing(transaction, actor.environment) as writing:
            return await self._remember(actor, writing, await self._writer.put_tenant(actor, writing, key, name))

    async def put_user(self, actor: Actor, user: User, transaction: Transaction | None = None) -> bool:
        """Add a user, or replace what is known of the user. E-mail and attributes do not enter the audit log.

        Raises:
            InvalidInput: ``invalid_key``, ``invalid_name``, ``invalid_attributes``.
        """
        async with self._database.writing(transaction, actor.environment) as writing:
            return await self._remember(actor, writing, await self._writer.put_user(actor, writing, user))

    async def put_instance(
        self, actor: Actor, instance: ResourceInstance, transaction: Transaction | None = None
    ) -> bool:
        """Add an instance, or replace its attributes.

        Raises:
            InvalidInput: ``no_such_resource``, ``invalid_key``, ``invalid_attributes``.
            NotFound: ``no_such_tenant``.
            Conflict: ``other_tenant``: the key belongs to an instance of another tenant.
        """
        async with self._database.writing(transaction, actor.environment) as writing:
            return await self._remember(actor, writing, await self._writer.put_instance(actor, writing, instance))

    async def assign(self, actor: Actor, assignment: RoleAssignment, transaction: Transaction | None = None) -> bool:
        """Give a role.

        Raises:
            InvalidInput: ``no_such_role``, ``no_such_resource``, ``invalid_key``.
            NotFound: ``no_such_tenant``, ``no_such_user``, ``no_such_instance`` (in this tenant).
        """
        async with self._database.writing(transaction, actor.environment) as writing:
            return await self._remember(actor, writing, await self._writer.assign(actor, writing, assignment))

    async def unassign(self, actor: Actor, assignment: RoleAssignment, transaction: Transaction | None = None) -> bool:
        """Take a role away; also one that the policy does not know any more."""
        async with self._database.writing(transaction, actor.environment) as writing:
            return await self._remember(actor, writing, await self._writer.unassign(actor, writing, assignment))

    async def relate(self, actor: Actor, link: RelationshipTuple, transaction: Transaction | None = None) -> bool:
        """Put two instances in relation.

        Raises:
            InvalidInput: ``no_such_resource``, ``no_such_relation``, ``invalid_key``.
            NotFound: ``no_such_tenant``, ``no_such_instance`` (in this tenant).
        """
        async with self._database.writing(transaction, actor.environment) as writing:
            return await self._remember(actor, writing, await self._writer.relate(actor, writing, link))

    async def unrelate(self, actor: Actor, link: RelationshipTuple, transaction: Transaction | None = None) -> bool:
        """Take two instances out of a relation; also out of one that the policy does not know any more."""
        async with self._database.writing(transaction, actor.environment) as writing:
            return await self._remember(actor, writing, await self._writer.unrelate(actor, writing, link))

    async def remove_user(self, actor: Actor, key: str, transaction: Transaction | None = None) -> bool:
        """Remove a user, with every role of theirs. What they asked, and what is remembered of them, stays."""
        async with self._database.writing(transaction, actor.environment) as writing:
            return await self._remember(actor, writing, await self._writer.remove_user(actor, writing, key))

    async def remove_instance(self, actor: Actor, ref: ResourceRef, transaction: Transaction | None = None) -> bool:
        """Remove an instance, with the roles on it and its relationships."""
        async with self._database.writing(transaction, actor.environment) as writing:
            return await self._remember(actor, writing, await self._writer.remove_instance(actor, writing, ref))

    async def remove_tenant(self, actor: Actor, key: str, transaction: Transaction | None = None) -> bool:
        """Remove a tenant, with everything in it; its users stay, for they belong to the environment."""
        async with self._database.writing(transaction, actor.environment) as writing:
            return await self._remember(actor, writing, await self._writer.remove_tenant(actor, writing, key))

    async def load(self, actor: Actor, facts: FactsFile, transaction: Transaction | None = None) -> bool:
        """Give a new environment what it starts with; one that was given it before is left alone.

        What is there already stays as it is, and what an operator took away since does not come back. All or nothing
        is loaded, so a process that died meanwhile left an environment that is still new. It is one record: the digest
        of the facts, how many of each were new, and every role.

        Returns:
            Whether it was loaded.

        Raises:
            InvalidInput, NotFound, Conflict: as the writers above, for an entry that they refuse.
        """
        with collector_resting():
            digest = await asyncio.to_thread(facts_digest, facts)
        async with self._database.writing(transaction, actor.environment) as writing:
            before = await self._facts.seed_digest(actor.environment, writing, SEED)
            if before is not None:
                if before != digest:
                    logger.warning(
                        "the facts file has changed since this environment was started with it; not loaded again"
                    )
                return False
            body = {"digest": digest, **await self._load(actor, facts, writing)}
            await self._facts.mark_seeded(actor.environment, writing, SEED, digest, self._clock())
            await self._remember(actor, writing, Change(AuditEvent("directory.seeded", actor, body), None))
        return True

    async def _load(self, actor: Actor, facts: FactsFile, transaction: Transaction) -> dict[str, Any]:
        """Check and write all entries; what is to be remembered of them."""
        names = {tenant.key: tenant.name for tenant in facts.tenants}
        with collector_resting():
            there = await self._facts.stored(actor.environment, transaction)
            new = await asyncio.to_thread(self._writer.checked, actor.environment, facts, there)
            added = await self._facts.add_new(actor.environment, transaction, new, names)
        return {"added": added, "roles": [told_of(each) for each in new.assignments]}

    async def _remember(self, actor: Actor, transaction: Transaction, change: Change | None) -> bool:
        """Audit what changed and let every snapshot follow; whether there was anything."""
        if change is None:
            return False
        await self._facts.bump(actor.environment, transaction, change.facts, self._clock())
        await self._audit.append(transaction, change.event)
        return True


def facts_digest(facts: FactsFile) -> str:
    """What tells one facts file from another."""
    # Entry by entry: one text of very many would hold the interpreter while it is made.
    parts: list[Iterator[dict[str, Any]]] = [(entry.model_dump() for entry in facts.tenants)]
    parts += [
        (asdict(entry, dict_factory=_named) for entry in part)
        for part in (facts.users, facts.instances, facts.assignments, facts.tuples)
    ]
    digest = hashlib.sha256(b"[")
    for place, part in enumerate(parts):
        digest.update(b", [" if place else b"[")
        for number, entry in enumerate(part):
            text = json.dumps(entry, sort_keys=True, default=str)
            digest.update(f"{', ' if number else ''}{text}".encode())
        digest.update(b"]")
    digest.update(b"]")
    return digest.hexdigest()


def _named(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return {name: value._asdict() if isinstance(value, ResourceRef) else value for name, value in pairs}

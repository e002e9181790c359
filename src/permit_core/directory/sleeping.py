"""Where the policy changed: grants of roles that it no longer has fall asleep, and what else it does not know is named.

A sleeping grant wakes by a person's word and not by a name that comes back.
"""

from __future__ import annotations

import logging

from permit_core.access import ResourceRef
from permit_core.clock import Clock
from permit_core.database import Database, Transaction
from permit_core.entries import RoleAssignment
from permit_core.identity import Actor
from permit_core.policy.facts import FactChange, Facts
from permit_core.policy.model import PolicyModel
from permit_core.policy.strangers import knows_role, strangers
from permit_core.ports.audit import Audit
from permit_core.ports.record import AuditEvent
from permit_core.stores.current_facts import CurrentFacts
from permit_core.stores.facts import FactStore
from permit_core.stores.requests import RequestStore

logger = logging.getLogger(__name__)

MOST_LOOKED_AT = 5_000
"""How many things and relationships are looked at when a program starts."""


async def put_to_sleep(
    actor: Actor, model: PolicyModel, transaction: Transaction, facts: FactStore, audit: Audit, clock: Clock
) -> list[RoleAssignment]:
    """Let every grant sleep whose role the policy does not have; those that fell asleep now.

    A sleeping grant is no fact, whatever policy comes after. Giving the role again wakes it; revoking it removes it.

    Args:
        actor: in whose name it is recorded, and in whose environment it is done.
        model: the policy.
        transaction: a write transaction of that environment.
        facts: the store of the grants.
        audit: where each role is recorded, in the same transaction.
        clock: the present moment.

    Raises:
        StoreError: the database is unreachable.
    """
    environment = actor.environment
    lost = _unknown(model, await facts.given_roles(environment, transaction))
    slept = [each for which in sorted(lost) for each in await _one(actor, which, transaction, facts, audit, clock)]
    if slept:
        await facts.bump(environment, transaction, [FactChange(each, removed=True) for each in slept], clock())
    return slept


async def put_all_to_sleep(
    actor: Actor, model: PolicyModel, database: Database, facts: FactStore, audit: Audit, clock: Clock
) -> list[RoleAssignment]:
    """The same in a transaction of its own, which is begun only where there is something to do.

    Raises:
        StoreError: the database is unreachable.
    """
    async with database.reading() as reading:
        if not _unknown(model, await facts.given_roles(actor.environment, reading)):
            return []
    async with database.transaction(actor.environment) as transaction:
        return await put_to_sleep(actor, model, transaction, facts, audit, clock)


async def warn_of_strangers(
    environment: str, model: PolicyModel, database: Database, current: CurrentFacts | None, requests: RequestStore
) -> None:
    """Say in the log which stored names the policy does not know: types, relations, attributes, undecided requests.

    Where the facts are many nobody waits for that: then ``policy check --database`` says it.

    Raises:
        StoreError: the database is unreachable.
    """
    facts = Facts.of([], [], [], [], [])
    async with database.reading() as reading:
        undecided = await requests.undecided(environment, reading)
        few = current is not None and await FactStore().are_few(environment, reading, MOST_LOOKED_AT)
    if current is not None and few:
        facts = await current.facts(environment)
    elif current is not None:
        logger.info("the facts are many: permit-mcp policy check --database says what of them the policy does not know")
    for stranger in strangers(model, facts, undecided):
        logger.warning("%s", stranger.text)


def _unknown(model: PolicyModel, given: set[tuple[str, str]]) -> set[tuple[str, str]]:
    return {
        (kind, role) for kind, role in given if not knows_role(model, ResourceRef(kind, None) if kind else None, role)
    }


async def _one(
    actor: Actor, which: tuple[str, str], transaction: Transaction, facts: FactStore, audit: Audit, clock: Clock
) -> list[RoleAssignment]:
    """Let all grants of one role sleep, and remember it."""
    kind, role = which
    slept = await facts.fall_asleep(actor.environment, transaction, kind, role, clock())
    name = f"{kind}#{role}" if kind else role
    await audit.append(transaction, AuditEvent("role.asleep", actor, {"role": name, "assignments": len(slept)}))
    logger.warning(
        "role %s is given %d times and the policy has no such role: these grants sleep until somebody gives the role again",
        name,
        len(slept),
    )
    return slept

"""Where the policy changed: grants and relationships that it has no name for fall asleep; what else it does not know is named.

What sleeps wakes by a person's word and not by a name that comes back.
"""

from __future__ import annotations

import logging

from permit_core.access import ResourceRef
from permit_core.clock import Clock
from permit_core.database import Database, Transaction
from permit_core.entries import RelationshipTuple, RoleAssignment
from permit_core.identity import Actor
from permit_core.policy.facts import Entry, FactChange, Facts
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
) -> list[Entry]:
    """Let every grant sleep whose role the policy does not have, and every relationship whose relation it does not have.

    What sleeps is no fact, whatever policy comes after. Giving or relating it again wakes it; taking it away removes it.

    Args:
        actor: in whose name it is recorded, and in whose environment it is done.
        model: the policy.
        transaction: a write transaction of that environment.
        facts: the store of the facts.
        audit: where each role and relation is recorded, in the same transaction.
        clock: the present moment.

    Returns:
        What fell asleep now.

    Raises:
        StoreError: the database is unreachable.
    """
    roles, relations = await _unknown(model, actor.environment, transaction, facts)
    slept: list[Entry] = []
    for role in sorted(roles):
        slept += await _role_sleeps(actor, role, transaction, facts, audit, clock)
    for relation in sorted(relations):
        slept += await _relation_sleeps(actor, relation, transaction, facts, audit, clock)
    if slept:
        await facts.bump(actor.environment, transaction, [FactChange(each, removed=True) for each in slept], clock())
    return slept


async def put_all_to_sleep(
    actor: Actor, model: PolicyModel, database: Database, facts: FactStore, audit: Audit, clock: Clock
) -> list[Entry]:
    """The same in a transaction of its own, which is begun only where there is something to do.

    Raises:
        StoreError: the database is unreachable.
    """
    async with database.reading() as reading:
        roles, relations = await _unknown(model, actor.environment, reading, facts)
        if not roles and not relations:
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


async def _unknown(
    model: PolicyModel, environment: str, transaction: Transaction, facts: FactStore
) -> tuple[set[tuple[str, str]], set[tuple[str, str, str]]]:
    """Roles that are given and relations that are used, and that the policy does not have."""
    given = await facts.given_roles(environment, transaction)
    used = await facts.used_relations(environment, transaction)
    return (
        {(kind, role) for kind, role in given if not knows_role(model, ResourceRef(kind) if kind else None, role)},
        {each for each in used if model.relation_subject(each[0], each[1]) != each[2]},
    )


async def _role_sleeps(
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


async def _relation_sleeps(
    actor: Actor, which: tuple[str, str, str], transaction: Transaction, facts: FactStore, audit: Audit, clock: Clock
) -> list[RelationshipTuple]:
    """Let all relationships of one relation between two types sleep, and remember it."""
    object_type, relation, subject_type = which
    slept = await facts.relationships_fall_asleep(actor.environment, transaction, which, clock())
    body = {"relation": f"{object_type}.{relation}", "subjects": subject_type, "relationships": len(slept)}
    await audit.append(transaction, AuditEvent("relationship.asleep", actor, body))
    logger.warning(
        "%d relationships are %s of %s to %s and the policy has no such relation: they sleep until somebody relates these again",
        len(slept),
        relation,
        subject_type,
        object_type,
    )
    return slept

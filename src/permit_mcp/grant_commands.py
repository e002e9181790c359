"""``permit-mcp grant`` and ``revoke``: a role given and taken by an operator, as far as the policy lets them decide on it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Annotated

import typer

from permit_core.access import Check, ResourceRef
from permit_core.bootstrap import Core
from permit_core.database import Transaction
from permit_core.entries import RoleAssignment
from permit_core.errors import ConfigurationError, Forbidden, InvalidInput
from permit_core.identity import Actor
from permit_core.policy.guards import DEFAULT_REVIEW
from permit_core.policy.model import PolicyModel
from permit_core.policy.reverse import permissions_of
from permit_core.policy.schema import AccessRequestRule, OperationRule
from permit_core.policy.strangers import knows_role
from permit_core.stores.facts import FactStore
from permit_core.views import plain
from permit_mcp.judging import decide
from permit_mcp.operating import AsJson, For, Operator, Until, end_of, moment_in_words, operator, run, show_json
from permit_mcp.terminal import at_the_terminal

OnInstance = Annotated[str | None, typer.Argument(help="The instance, as type:key; everywhere when it is left out.")]


def grant(
    user: Annotated[str, typer.Argument(help="The user's key.")],
    role: Annotated[str, typer.Argument(help="The role.")],
    resource: OnInstance = None,
    *,
    until: Until = None,
    length: For = None,
    as_operator: Operator = None,
    as_json: AsJson = False,
) -> None:
    """Give a user a role, for good or until a time, after a yes at the terminal."""

    async def work(core: Core) -> bool | None:
        ends = end_of(until, length, core.clock())
        return await _assign(core, as_operator, _given(core, user, role, resource, ends), give=True)

    _say_whether(run(work), user, role, resource, as_json=as_json)


def revoke(
    user: Annotated[str, typer.Argument(help="The user's key.")],
    role: Annotated[str, typer.Argument(help="The role.")],
    resource: OnInstance = None,
    *,
    as_operator: Operator = None,
    as_json: AsJson = False,
) -> None:
    """Take a role away from a user, after a yes at the terminal. It counts from the next call on, in every process."""

    async def work(core: Core) -> bool | None:
        return await _assign(core, as_operator, _given(core, user, role, resource), give=False)

    _say_whether(run(work), user, role, resource, as_json=as_json)


def _given(
    core: Core, user: str, role: str, resource: str | None, expires_at: datetime | None = None
) -> RoleAssignment:
    on = ResourceRef.parse(resource) if resource is not None else None
    return RoleAssignment(user, role, core.settings.tenant, on, expires_at)


async def _assign(core: Core, as_operator: str | None, given: RoleAssignment, *, give: bool) -> bool | None:
    """Give or take a role; whether that changed anything, None where the person did not want it."""
    actor = await operator(core, as_operator)
    if give:
        _check_known(core, given)
    await check_may_decide(core, actor, given)
    async with core.database.reading() as reading:
        held = await _kept(core, given, reading, asleep=not give)
    if held == given if give else held is None:
        return False
    line = f"{'give' if give else 'take'} {given.user} {'' if give else 'away '}the role {role_in_words(given)}"
    if give and held is not None:
        line += f", {_end(given)} and no more {_end(held)}"
    elif give and given.expires_at is not None:
        line += f", {_end(given)}"
    if not await confirmed([line], [], "Do this?"):
        return None
    if not give and given.resource is not None and any(_rules(core.model, given)):
        # The requests that gave it are voided with it.
        return await core.approvals.revoke_role(actor, given.user, given.role, given.resource)
    async with core.database.transaction(core.environment) as transaction:
        await check_may_decide(core, actor, given, transaction)
        if give:
            return await core.directory.assign(actor, given, transaction)
        return await core.directory.unassign(actor, given, transaction)


def _end(given: RoleAssignment) -> str:
    return "for good" if given.expires_at is None else f"until {moment_in_words(given.expires_at)}"


async def _kept(core: Core, given: RoleAssignment, transaction: Transaction, *, asleep: bool) -> RoleAssignment | None:
    """The role as it is in the database, with its own end, and not one that is over; one that sleeps where that is asked."""
    if core.facts is None:
        raise in_permit_io()
    store = FactStore()
    found = await store.assignment(core.environment, transaction, given)
    if found is None and asleep:
        sleepers = [each for each, _ in await store.sleepers(core.environment, transaction)]
        found = next((each for each in sleepers if replace(each, expires_at=given.expires_at) == given), None)
    over = found is not None and found.expires_at is not None and found.expires_at <= core.clock()
    return None if over else found


def _say_whether(changed: bool | None, user: str, role: str, resource: str | None, *, as_json: bool) -> None:
    if as_json:
        show_json({"user": user, "role": role, "resource_instance": resource, "changed": bool(changed)})
    elif changed is None:
        typer.echo("Nothing was done.", err=True)
    else:
        typer.echo("Done." if changed else "It is so already.")
    if changed is None:
        raise typer.Exit(1)


def _check_known(core: Core, given: RoleAssignment) -> None:
    if not knows_role(core.model, given.resource, given.role):
        kind = None if given.resource is None else core.model.resource_type(given.resource.type)
        known = core.model.roles if given.resource is None else kind.roles if kind is not None else {}
        where = f"on {given.resource.type}" if given.resource is not None else "that holds everywhere"
        raise InvalidInput(
            f"The policy has no role {given.role!r} {where}.",
            code="role_not_requestable",
            hint=f"Use one of: {', '.join(sorted(known))}." if known else "",
        )


async def check_may_decide(
    core: Core, actor: Actor, given: RoleAssignment, transaction: Transaction | None = None
) -> None:
    """An operator decides on a role only as the policy lets them: nobody gives or takes a right to decide without having it.

    A role that people can ask for is decided on by whoever may review it; any other that lets its holder review things, by
    whoever may review these.
    """
    for check in _needed(core.model, actor, given):
        _, decision = await decide(core, check, transaction)
        if not decision.allowed:
            raise Forbidden(
                f"The policy does not let {plain(actor.user)} decide on the role {given.role}.",
                code="not_a_reviewer",
                hint=f"Whoever may {check.action} {check.resource} decides.",
            )


def _needed(model: PolicyModel, actor: Actor, given: RoleAssignment) -> list[Check]:
    """What an operator must be allowed to do to decide on a role."""
    rule = next(_rules(model, given), None)
    if rule is not None and given.resource is not None:
        return [Check(actor, rule.review_action, given.resource)]
    kind = None if given.resource is None else given.resource.type
    permitted = sorted(permissions_of(model, kind, given.role))
    return [
        Check(actor, action, given.resource if given.resource is not None and of == kind else ResourceRef(of))
        for of, action in permitted
        if action in _review_actions(model, of)
    ]


def _rules(model: PolicyModel, given: RoleAssignment) -> Iterator[AccessRequestRule]:
    if given.resource is not None:
        yield from (rule for rule in model.requestable_roles(given.resource.type) if rule.role == given.role)


def _review_actions(model: PolicyModel, kind: str) -> set[str]:
    """The actions by which something about things of a type is decided; by default it is called so."""
    asked: list[AccessRequestRule | OperationRule] = [*model.access_requests, *model.operation_approvals]
    rules = [rule for rule in asked if rule.resource == kind]
    guards = [guard for guard in model.index.guards.values() if guard.resource_type == kind]
    confirmed = {confirm.review_action for guard in guards for confirm in guard.confirms if confirm.review_action}
    return {DEFAULT_REVIEW, *confirmed, *(rule.review_action for rule in rules)}


async def confirmed(lines: list[str], left: list[str], question: str) -> bool:
    """Whether the person at the terminal wants what the lines say, and is told what is left as it is."""
    with at_the_terminal() as terminal:
        for line in lines:
            terminal.say(plain(line))
        for line in left:
            terminal.say(plain(f"left as it is: {line}"))
        return await asyncio.to_thread(terminal.confirms, question)


def in_permit_io() -> ConfigurationError:
    """What is said where the facts are not in our database."""
    return ConfigurationError("the facts are in Permit.io: its console and API show and change them")


def role_in_words(given: RoleAssignment) -> str:
    """``owner on files:a``; the role alone where it holds everywhere."""
    return f"{given.role} on {given.resource}" if given.resource is not None else given.role

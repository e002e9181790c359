"""``permit-mcp facts``, ``users``, ``grant`` and ``revoke``: who there is, what there is, and who has which role."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from permit_core.access import Check, ResourceRef
from permit_core.bootstrap import Core
from permit_core.database import Transaction
from permit_core.entries import RoleAssignment
from permit_core.errors import ConfigurationError, Forbidden, InvalidInput
from permit_core.identity import Actor
from permit_core.policy.facts import Facts
from permit_core.policy.facts_file import FactsFile, load_facts
from permit_core.views import plain
from permit_mcp.operating import AsJson, Operator, operator, run, show_json, show_table
from permit_mcp.terminal import at_the_terminal

app = typer.Typer(help="Users, things and roles in the database.", no_args_is_help=True)

OnInstance = Annotated[str | None, typer.Argument(help="The instance, as type:key; everywhere when it is left out.")]


@app.command("load")
def load_(
    file: Annotated[Path, typer.Argument(help="A facts file.")],
    *,
    bring_back: Annotated[
        list[str] | None,
        typer.Option(metavar="USER:ROLE[:TYPE:KEY]", help="A role that was taken away and is to be given again."),
    ] = None,
    as_operator: Operator = None,
    as_json: AsJson = False,
) -> None:
    """Add what a facts file says and the database does not, after a yes at the terminal; nothing is taken away.

    What it would change is shown first. A role that was taken away stays away, unless it is named.
    """
    returning = frozenset(bring_back or ())

    async def work(core: Core) -> tuple[list[str], list[str], bool]:
        actor = await operator(core, as_operator)
        wanted = load_facts(file, core.model)
        changes, left = await _changes(core, wanted, returning)
        if unknown := returning - {
            _named(change.what) for change in changes if isinstance(change.what, RoleAssignment)
        }:
            raise ConfigurationError(f"--bring-back names what the file would not add: {', '.join(sorted(unknown))}")
        if changes and not await _confirmed([change.text for change in changes], left, "Do this?"):
            return [change.text for change in changes], left, False
        async with core.database.transaction(core.environment) as transaction:
            for change in changes:
                await _write(core, actor, change.what, transaction)
        return [change.text for change in changes], left, True

    changed, left, done = run(work)
    if as_json:
        show_json({"changes": changed, "left": left, "done": done})
    else:
        _say_what_was_done(changed, left, done=done)
    if not done:
        raise typer.Exit(1)


@app.command()
def show(*, as_json: AsJson = False) -> None:
    """Show what is in the database: how many of everything, and who has which role."""
    facts = run(_facts)
    counts = {
        "users": len(facts.users),
        "tenants": len(facts.tenants),
        "resource_instances": len(facts.instances),
        "role_assignments": sum(1 for _ in _assignments(facts)),
    }
    if as_json:
        show_json(counts)
        return
    for name, count in counts.items():
        typer.echo(f"{name.replace('_', ' ')}: {count}")
    show_table(
        [
            {"user": given.user, "role": given.role, "on": str(given.resource or "everything")}
            for given in _assignments(facts)
        ],
        "Nobody has a role.",
    )


@app.command()
def export() -> None:
    """Print the database's facts as a facts file."""

    async def work(core: Core) -> tuple[Facts, str]:
        return await _facts(core), core.settings.tenant

    facts, tenant = run(work)
    typer.echo(yaml.safe_dump(_document(facts, tenant), sort_keys=False, allow_unicode=True), nl=False)


def users(*, as_json: AsJson = False) -> None:
    """List the users of the directory and their roles."""
    facts = run(_facts)
    rows = [
        {
            "user": user.key,
            "name": f"{user.first_name} {user.last_name}".strip(),
            "roles": [_role(given) for given in _assignments(facts) if given.user == user.key],
        }
        for user in sorted(facts.users.values(), key=lambda user: user.key)
    ]
    if as_json:
        show_json(rows)
    else:
        show_table([{**row, "roles": ", ".join(row["roles"])} for row in rows], "There are no users.")


def grant(
    user: Annotated[str, typer.Argument(help="The user's key.")],
    role: Annotated[str, typer.Argument(help="The role.")],
    resource: OnInstance = None,
    *,
    as_operator: Operator = None,
    as_json: AsJson = False,
) -> None:
    """Give a user a role, after a yes at the terminal."""
    _assign(user, role, resource, as_operator, give=True, as_json=as_json)


def revoke(
    user: Annotated[str, typer.Argument(help="The user's key.")],
    role: Annotated[str, typer.Argument(help="The role.")],
    resource: OnInstance = None,
    *,
    as_operator: Operator = None,
    as_json: AsJson = False,
) -> None:
    """Take a role away from a user, after a yes at the terminal. It counts from the next call on, in every process."""
    _assign(user, role, resource, as_operator, give=False, as_json=as_json)


def _assign(user: str, role: str, resource: str | None, as_operator: str | None, *, give: bool, as_json: bool) -> None:
    async def work(core: Core) -> bool | None:
        actor = await operator(core, as_operator)
        on = ResourceRef.parse(resource) if resource is not None else None
        await _check_may_decide(core, actor, role, on)
        given = RoleAssignment(user, role, core.settings.tenant, on)
        there = given in set(_assignments(await _facts(core)))
        if there is give:
            return False
        line = f"{'give' if give else 'take'} {plain(user)} {'' if give else 'away '}the role {_role(given)}"
        if not await _confirmed([line], [], "Do this?"):
            return None
        if give:
            return await core.directory.assign(actor, given)
        return await core.directory.unassign(actor, given)

    changed = run(work)
    if as_json:
        show_json({"user": user, "role": role, "resource_instance": resource, "changed": bool(changed)})
    elif changed is None:
        typer.echo("Nothing was done.", err=True)
    else:
        typer.echo("Done." if changed else "It is so already.")
    if changed is None:
        raise typer.Exit(1)


async def _check_may_decide(core: Core, actor: Actor, role: str, on: ResourceRef | None) -> None:
    """An operator decides on a role that people can ask for only where the policy lets them review it."""
    known = core.model.roles if on is None else getattr(core.model.resources.get(on.type), "roles", {})
    if role not in known:
        where = f"on {on.type}" if on is not None else "that holds everywhere"
        raise InvalidInput(
            f"The policy has no role {role!r} {where}.",
            code="role_not_requestable",
            hint=f"Use one of: {', '.join(sorted(known))}." if known else "",
        )
    if on is None:
        return
    for rule in core.model.access_requests:
        if rule.resource == on.type and rule.role == role:
            decision = await core.pdp.decide(Check(actor, rule.review_action, on))
            if not decision.allowed:
                raise Forbidden(
                    f"The policy does not let {plain(actor.user)} decide on this role.",
                    code="not_a_reviewer",
                    hint=f"Somebody decides who may {rule.review_action} {on}.",
                )


async def _confirmed(lines: list[str], left: list[str], question: str) -> bool:
    with at_the_terminal() as terminal:
        for line in lines:
            terminal.say(plain(line))
        for line in left:
            terminal.say(plain(f"left as it is: {line}"))
        return await asyncio.to_thread(terminal.confirms, question)


def _say_what_was_done(changed: list[str], left: list[str], *, done: bool) -> None:
    if not changed:
        typer.echo("The database has all of it already.")
    else:
        typer.echo(f"{len(changed)} changes." if done else "Nothing was done.")
    for line in left:
        typer.echo(plain(f"left as it is: {line}"))


async def _facts(core: Core) -> Facts:
    if core.facts is None:
        raise ConfigurationError("the facts are in Permit.io: its console and API show and change them")
    return await core.facts.facts(core.environment)


@dataclass(frozen=True, slots=True)
class _Change:
    text: str
    what: Any


async def _changes(core: Core, wanted: FactsFile, returning: Iterable[str]) -> tuple[list[_Change], list[str]]:
    """What a file would add or change, and what of it was taken away before and stays so."""
    there = await _facts(core)
    found = [_Change(f"add the tenant {it.key}", it) for it in wanted.tenants if it.key not in there.tenants]
    found += [
        _Change(f"{'change' if user.key in there.users else 'add'} the user {user.key}", user)
        for user in wanted.users
        if there.users.get(user.key) != user
    ]
    for instance in wanted.instances:
        if there.instances.get(instance.ref) != instance:
            verb = "change" if instance.ref in there.instances else "add"
            found.append(_Change(f"{verb} {instance.ref}", instance))
    taken = await _taken_away(core)
    held, left = set(_assignments(there)), []
    for given in wanted.assignments:
        if given in held:
            continue
        text = f"give {given.user} the role {_role(given)}"
        if given in taken and _named(given) not in set(returning):
            left.append(
                f"{given.user} had the role {_role(given)}, and it was taken away (--bring-back {_named(given)})"
            )
        else:
            found.append(_Change(text, given))
    found += [
        _Change(f"relate {link.subject} as {link.relation} to {link.object}", link)
        for link in wanted.tuples
        if link.subject not in there.subjects_of(link.object, link.relation)
    ]
    return found, left


async def _taken_away(core: Core) -> set[RoleAssignment]:
    """Roles that somebody took away and nobody gave again, as the log has it."""
    taken: set[RoleAssignment] = set()
    for record in await core.audit.records(core.environment):
        if record.event not in {"role.assigned", "role.unassigned"}:
            continue
        on = record.body.get("instance")
        given = RoleAssignment(
            str(record.body.get("user")),
            str(record.body.get("role")),
            record.tenant,
            ResourceRef.parse(on) if on else None,
        )
        (taken.add if record.event == "role.unassigned" else taken.discard)(given)
    return taken


async def _write(core: Core, actor: Actor, what: Any, transaction: Transaction) -> None:
    directory = core.directory
    match type(what).__name__:
        case "TenantEntry":
            await directory.put_tenant(actor, what.key, what.name, transaction)
        case "User":
            await directory.put_user(actor, what, transaction)
        case "ResourceInstance":
            await directory.put_instance(actor, what, transaction)
        case "RoleAssignment":
            await directory.assign(actor, what, transaction)
        case _:
            await directory.relate(actor, what, transaction)


def _assignments(facts: Facts) -> Iterator[RoleAssignment]:
    for (user, tenant), held in sorted(facts.held.items()):
        for on, roles in sorted(held.items(), key=lambda item: str(item[0] or "")):
            for role in roles:
                yield RoleAssignment(user, role, tenant, on)


def _role(given: RoleAssignment) -> str:
    return f"{given.role} on {given.resource}" if given.resource is not None else given.role


def _named(given: RoleAssignment) -> str:
    return ":".join([given.user, given.role, *([str(given.resource)] if given.resource is not None else [])])


def _document(facts: Facts, first: str) -> dict[str, Any]:
    tenants = sorted(facts.tenants, key=lambda key: (key != first, key))

    def entry(**values: Any) -> dict[str, Any]:
        return {name: value for name, value in values.items() if value not in (None, "", {})}

    links = [
        entry(subject=str(subject), relation=relation, object=str(thing))
        for (thing, relation), subjects in sorted(facts.subjects.items(), key=str)
        for subject in subjects
    ]
    return {
        "tenants": [{"key": key, "name": key} for key in tenants],
        "users": [
            entry(
                key=user.key,
                first_name=user.first_name,
                last_name=user.last_name,
                email=user.email,
                attributes=dict(user.attributes),
            )
            for user in facts.users.values()
        ],
        "resource_instances": [
            entry(
                resource=instance.ref.type,
                key=instance.ref.key,
                tenant=instance.tenant if instance.tenant != tenants[0] else None,
                attributes=dict(instance.attributes),
            )
            for instance in facts.instances.values()
        ],
        "relationship_tuples": links,
        "role_assignments": [
            entry(
                user=given.user,
                role=given.role,
                resource_instance=str(given.resource) if given.resource is not None else None,
                tenant=given.tenant if given.tenant != tenants[0] else None,
            )
            for given in _assignments(facts)
        ],
    }

"""``permit-mcp facts``, ``users``, ``grant`` and ``revoke``: who there is, what there is, and who has which role."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer
import yaml

from permit_core.access import Check, ResourceRef
from permit_core.bootstrap import Core
from permit_core.database import Transaction
from permit_core.entries import RelationshipTuple, ResourceInstance, RoleAssignment, User
from permit_core.errors import ConfigurationError, Conflict, Forbidden, InvalidInput
from permit_core.identity import Actor
from permit_core.policy.facts import Facts
from permit_core.policy.facts_file import FactsFile, load_facts
from permit_core.policy.facts_schema import TenantEntry
from permit_core.ports.record import AuditRecord, RecordFilter
from permit_core.views import plain
from permit_mcp.operating import AsJson, Operator, operator, run, show_json, show_table
from permit_mcp.terminal import at_the_terminal

app = typer.Typer(help="Users, things and roles in the database.", no_args_is_help=True)

PAGE = 500
"""How many records are read at a time."""

OnInstance = Annotated[str | None, typer.Argument(help="The instance, as type:key; everywhere when it is left out.")]


@app.command("load")
def load_(
    file: Annotated[Path, typer.Argument(help="A facts file.")],
    *,
    bring_back: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="What was taken away and is to be there again, by the name that is shown."),
    ] = None,
    as_operator: Operator = None,
    as_json: AsJson = False,
) -> None:
    """Add what a facts file says and the database does not, after a yes at the terminal; nothing is taken away.

    What it would change is shown first. What was taken away or removed stays away, unless it is named.
    """
    returning = frozenset(bring_back or ())

    async def work(core: Core) -> tuple[list[str], list[str], bool]:
        actor = await operator(core, as_operator)
        wanted = load_facts(file, core.model)
        changes, left, named = await _changes(core, wanted, returning)
        if unknown := returning - named:
            raise ConfigurationError(f"--bring-back names what the file would not add: {', '.join(sorted(unknown))}")
        if changes and not await _confirmed([change.text for change in changes], left, "Do this?"):
            return [change.text for change in changes], left, False
        async with core.database.transaction(core.environment) as transaction:
            if await _changes(core, wanted, returning, transaction) != (changes, left, named):
                raise Conflict(
                    "The database changed since the question was asked, so nothing was done.",
                    code="changed_meanwhile",
                    hint="Look at what would change now: run the command again.",
                )
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


async def _facts(core: Core, transaction: Transaction | None = None) -> Facts:
    if core.facts is None:
        raise ConfigurationError("the facts are in Permit.io: its console and API show and change them")
    return await core.facts.facts(core.environment, transaction)


@dataclass(frozen=True, slots=True)
class _Change:
    text: str
    what: Any


class _Wanted(NamedTuple):
    """An entry of a file that the database has not, or has otherwise; ``name`` is its name for ``--bring-back``."""

    what: Any
    text: str
    name: str
    needs: tuple[Any, ...] = ()


async def _changes(
    core: Core, file: FactsFile, returning: frozenset[str], transaction: Transaction | None = None
) -> tuple[list[_Change], list[str], frozenset[str]]:
    """What a file would add or change; what of it was taken away before and stays so; and what of that is named."""
    there, taken = await _facts(core, transaction), await _taken_away(core, file, transaction)
    found, left = [], []
    named, gone = set(), set()
    for wanted in _missing(core, file, there):
        this = _identity(wanted.what)
        if this in taken and wanted.name not in returning:
            left.append(f"{wanted.text}: it was taken away (--bring-back {wanted.name})")
            gone.add(this)
        elif not gone.isdisjoint(wanted.needs):
            left.append(f"{wanted.text}: what it is about was taken away")
            gone.add(this)
        else:
            named.update({wanted.name} & returning)
            found.append(_Change(wanted.text, wanted.what))
    return found, left, frozenset(named)


def _missing(core: Core, file: FactsFile, there: Facts) -> Iterator[_Wanted]:
    """What a file says and the database does not; what others need comes before them."""
    for tenant in file.tenants:
        if tenant.key not in there.tenants:
            yield _Wanted(tenant, f"add the tenant {tenant.key}", f"tenant={tenant.key}")
    for user in file.users:
        if there.users.get(user.key) != user:
            verb = "change" if user.key in there.users else "add"
            yield _Wanted(user, f"{verb} the user {user.key}", f"user={user.key}")
    for instance in file.instances:
        if there.instances.get(instance.ref) != instance:
            text = f"{'change' if instance.ref in there.instances else 'add'} {instance.ref}"
            yield _Wanted(instance, text, f"instance={instance.ref}", (("tenant", instance.tenant),))
    held = set(_assignments(there))
    for given in file.assignments:
        if given not in held:
            needs = ("tenant", given.tenant), ("user", given.user), given.resource
            yield _Wanted(given, f"give {given.user} the role {_role(given)}", _named(core, given), needs)
    for link in file.tuples:
        if link.subject not in there.subjects_of(link.object, link.relation):
            text = f"relate {link.subject} as {link.relation} to {link.object}"
            name = f"relationship={link.subject}:{link.relation}:{link.object}"
            yield _Wanted(link, text, name, (("tenant", link.tenant), link.subject, link.object))


def _identity(what: Any) -> Any:
    """What stays the same of an entry when its attributes change."""
    match what:
        case TenantEntry():
            return "tenant", what.key
        case User():
            return "user", what.key
        case ResourceInstance():
            return what.ref
        case RoleAssignment():
            return replace(what, expires_at=None)
    return what


async def _taken_away(core: Core, file: FactsFile, transaction: Transaction | None) -> set[Any]:
    """What of a file somebody took away and nobody gave again, as the log has it: identities of entries."""
    taken: set[Any] = set()
    for record in await _directory_records(core, transaction):
        roles = {_assignment(told, record.tenant) for told in record.body.get("roles", ())}
        if record.event.endswith(("removed", "unassigned")):
            taken |= roles | _removed(record, file)
        else:
            taken -= roles | _given(record)
    return taken


def _removed(record: AuditRecord, file: FactsFile) -> set[Any]:
    """What went, and what of the file went with it without a word of its own in the record."""
    gone = _given(record)
    match record.event:
        case "instance.removed":
            gone |= {link for link in file.tuples if not gone.isdisjoint({link.subject, link.object})}
        case "tenant.removed":
            gone |= {it.ref for it in file.instances if it.tenant == record.tenant}
            gone |= {link for link in file.tuples if link.tenant == record.tenant}
    return gone


def _given(record: AuditRecord) -> set[Any]:
    """The one entry that a record is about."""
    body = record.body
    match record.event.partition(".")[0], body:
        case "role", {"user": _, "role": _}:
            return {_assignment(body, record.tenant)}
        case "user", {"user": user}:
            return {("user", user)}
        case "instance", {"instance": str() as instance}:
            return {ResourceRef.parse(instance)}
        case "tenant", _:
            return {("tenant", record.tenant)}
        case "relationship", {"subject": str() as subject, "relation": relation, "object": str() as thing}:
            return {RelationshipTuple(ResourceRef.parse(subject), relation, ResourceRef.parse(thing), record.tenant)}
    return set()


async def _directory_records(core: Core, transaction: Transaction | None) -> list[AuditRecord]:
    """Every record of a fact that came or went, oldest first."""
    found: list[AuditRecord] = []
    for family in ("role", "user", "instance", "tenant", "relationship", "directory"):
        wanted, last = RecordFilter(event=family), 0
        while page := await core.audit.records(
            core.environment, wanted, after_seq=last, limit=PAGE, transaction=transaction
        ):
            found += page
            last = page[-1].seq
    return sorted(found, key=lambda record: record.seq)


def _assignment(told: Mapping[str, Any], tenant: str) -> RoleAssignment:
    on = told.get("instance")
    resource = ResourceRef.parse(on) if on else None
    return RoleAssignment(str(told["user"]), str(told["role"]), str(told.get("tenant", tenant)), resource)


async def _write(core: Core, actor: Actor, what: Any, transaction: Transaction) -> None:
    directory = core.directory
    match what:
        case TenantEntry():
            await directory.put_tenant(actor, what.key, what.name, transaction)
        case User():
            await directory.put_user(actor, what, transaction)
        case ResourceInstance():
            await directory.put_instance(actor, what, transaction)
        case RoleAssignment():
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


def _named(core: Core, given: RoleAssignment) -> str:
    """A role as ``--bring-back`` names it; the tenant is said where it is not the one that is worked in."""
    tenant = "" if given.tenant == core.settings.tenant else f"{given.tenant}/"
    on = [] if given.resource is None else [str(given.resource)]
    return tenant + ":".join([given.user, given.role, *on])


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

"""``permit-mcp facts`` and ``users``: who there is, what there is, and who has which role."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer
import yaml

from permit_core.access import ResourceRef
from permit_core.bootstrap import Core
from permit_core.database import Transaction
from permit_core.entries import RelationshipTuple, ResourceInstance, RoleAssignment, User
from permit_core.errors import ConfigurationError, Conflict
from permit_core.identity import Actor
from permit_core.policy.facts import Facts
from permit_core.policy.facts_file import FactsFile, load_facts
from permit_core.policy.facts_schema import TenantEntry
from permit_core.ports.record import AuditRecord, RecordFilter
from permit_core.views import plain, written_out
from permit_mcp.grant_commands import check_may_decide, confirmed, in_permit_io, role_in_words
from permit_mcp.operating import AsJson, Operator, operator, run, show_json, show_table

app = typer.Typer(help="Users, things and roles in the database.", no_args_is_help=True)

PAGE = 500
"""How many records are read at a time."""


@app.command("load")
def load_(
    file: Annotated[Path, typer.Argument(help="A facts file.")],
    *,
    bring_back: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="What was taken away and is to be there again, by the name that is shown."),
    ] = None,
    change: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="What the database has otherwise and is to be as the file says, by its name."
        ),
    ] = None,
    as_operator: Operator = None,
    as_json: AsJson = False,
) -> None:
    """Add what a facts file says and the database does not have, after a yes at the terminal; nothing is taken away.

    What it would do is shown first. What was taken away or removed stays away, and what the database has otherwise stays as
    it is, unless it is named.
    """
    chosen = _Chosen(frozenset(bring_back or ()), frozenset(change or ()))

    async def work(core: Core) -> tuple[list[str], list[str], bool]:
        actor = await operator(core, as_operator)
        wanted = load_facts(file, core.model)
        changes, left, named = await _changes(core, wanted, chosen)
        for option, does, unknown in (
            ("bring-back", "add", chosen.back - named.back),
            ("change", "change", chosen.change - named.change),
        ):
            if unknown:
                raise ConfigurationError(
                    f"--{option} names what the file would not {does}: {', '.join(sorted(unknown))}"
                )
        await _check_all(core, actor, changes)
        if changes and not await confirmed([each.text for each in changes], left, "Do this?"):
            return [each.text for each in changes], left, False
        async with core.database.transaction(core.environment) as transaction:
            if await _changes(core, wanted, chosen, transaction) != (changes, left, named):
                raise Conflict(
                    "The database changed since the question was asked, so nothing was done.",
                    code="changed_meanwhile",
                    hint="Look at what would change now: run the command again.",
                )
            await _check_all(core, actor, changes, transaction)
            for each in changes:
                await _write(core, actor, each.what, transaction)
        return [each.text for each in changes], left, True

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
            "roles": [role_in_words(given) for given in _assignments(facts) if given.user == user.key],
        }
        for user in sorted(facts.users.values(), key=lambda user: user.key)
    ]
    if as_json:
        show_json(rows)
    else:
        show_table([{**row, "roles": ", ".join(row["roles"])} for row in rows], "There are no users.")


def _say_what_was_done(changed: list[str], left: list[str], *, done: bool) -> None:
    if not changed:
        typer.echo("The database has all of it already.")
    else:
        typer.echo(f"{len(changed)} changes." if done else "Nothing was done.")
    for line in left:
        typer.echo(plain(f"left as it is: {line}"))


async def _facts(core: Core, transaction: Transaction | None = None) -> Facts:
    if core.facts is None:
        raise in_permit_io()
    return await core.facts.facts(core.environment, transaction)


@dataclass(frozen=True, slots=True)
class _Change:
    text: str
    what: Any


class _Wanted(NamedTuple):
    """An entry of a file that the database has not, or has otherwise; ``name`` is its name for the options."""

    what: Any
    text: str
    name: str
    needs: tuple[Any, ...] = ()
    differs: bool = False


class _Chosen(NamedTuple):
    """Names of what is to come back although it was taken away, and of what is to be as the file says."""

    back: frozenset[str]
    change: frozenset[str]


async def _check_all(
    core: Core, actor: Actor, changes: Sequence[_Change], transaction: Transaction | None = None
) -> None:
    """A file gives no role that its operator could not give."""
    for each in changes:
        if isinstance(each.what, RoleAssignment):
            await check_may_decide(core, replace(actor, tenant=each.what.tenant), each.what, transaction)


async def _changes(
    core: Core, file: FactsFile, chosen: _Chosen, transaction: Transaction | None = None
) -> tuple[list[_Change], list[str], _Chosen]:
    """What a file adds, brings back or changes; what of it is left as it is; and what of that is named."""
    there, taken = await _facts(core, transaction), await _taken_away(core, file, transaction)
    found, left = [], []
    back, change = set[str](), set[str]()
    gone = set[Any]()
    for wanted in _missing(core, file, there):
        this = _identity(wanted.what)
        if wanted.differs and wanted.name not in chosen.change:
            left.append(f"{wanted.text} (--change {wanted.name})")
        elif this in taken and wanted.name not in chosen.back:
            left.append(f"{wanted.text}: it was taken away (--bring-back {wanted.name})")
            gone.add(this)
        elif not gone.isdisjoint(wanted.needs):
            left.append(f"{wanted.text}: what it is about was taken away")
            gone.add(this)
        else:
            (change if wanted.differs else back).add(wanted.name)
            found.append(_Change(wanted.text, wanted.what))
    return found, left, _Chosen(chosen.back & back, chosen.change & change)


def _missing(core: Core, file: FactsFile, there: Facts) -> Iterator[_Wanted]:
    """What a file says and the database does not; what others need comes before them."""
    for tenant in file.tenants:
        if tenant.key not in there.tenants:
            yield _Wanted(tenant, f"add the tenant {tenant.key}", f"tenant={tenant.key}")
    yield from _missing_things(file, there)
    held = set(_assignments(there))
    for given in file.assignments:
        if given not in held:
            needs = ("tenant", given.tenant), ("user", given.user), given.resource
            yield _Wanted(given, f"give {given.user} the role {role_in_words(given)}", _named(core, given), needs)
    for link in file.tuples:
        if link.subject not in there.subjects_of(link.object, link.relation):
            text = f"relate {link.subject} as {link.relation} to {link.object}"
            name = f"relationship={link.subject}:{link.relation}:{link.object}"
            yield _Wanted(link, text, name, (("tenant", link.tenant), link.subject, link.object))


def _missing_things(file: FactsFile, there: Facts) -> Iterator[_Wanted]:
    for user in file.users:
        known = there.users.get(user.key)
        if known is None:
            yield _Wanted(user, f"add the user {user.key}", f"user={user.key}")
        elif known != user:
            text = f"change the user {user.key}: {_difference(_fields(known), _fields(user))}"
            yield _Wanted(user, text, f"user={user.key}", differs=True)
    for instance in file.instances:
        stored, name, needs = there.instances.get(instance.ref), f"instance={instance.ref}", ("tenant", instance.tenant)
        if stored is None:
            yield _Wanted(instance, f"add {instance.ref}", name, (needs,))
        elif stored != instance:
            text = f"change {instance.ref}: {_difference(_fields(stored), _fields(instance))}"
            yield _Wanted(instance, text, name, (needs,), differs=True)


def _fields(entry: User | ResourceInstance) -> dict[str, Any]:
    """What of an entry can be otherwise, attributes by their names."""
    named = {name: value for name, value in asdict(entry).items() if name not in {"key", "ref", "attributes"}}
    return {**named, **{f"attributes.{name}": value for name, value in entry.attributes.items()}}


def _difference(there: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    """What would be otherwise, from the database's value to the file's: ``attributes.size 1 -> 2``."""

    def shown(values: Mapping[str, Any], name: str) -> str:
        return written_out(values[name]) if name in values else "nothing"

    names = sorted(name for name in {*there, *wanted} if shown(there, name) != shown(wanted, name))
    return ", ".join(f"{name} {shown(there, name)} -> {shown(wanted, name)}" for name in names)


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

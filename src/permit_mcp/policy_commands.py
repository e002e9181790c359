"""``permit-mcp policy``: is the policy valid, why does it decide so, and does it still decide what it should?"""

from __future__ import annotations

import asyncio
import json
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from permit_core.access import Check, Decision, Effect, ReasonCode, Remedy
from permit_core.bootstrap import Core, open_core
from permit_core.entries import RoleAssignment
from permit_core.errors import ConfigurationError, PermitError, UserFacing
from permit_core.identity import Actor
from permit_core.policy.changes import loosened_guards
from permit_core.policy.engine import decide
from permit_core.policy.facts import Facts
from permit_core.policy.facts_file import load_facts
from permit_core.policy.guards import resource_of, shown_resource, split_resource
from permit_core.policy.judgement import about_type
from permit_core.policy.loader import brought_forward, load_policy, policy_errors, read_policy
from permit_core.policy.marked_yaml import read_text
from permit_core.policy.model import PolicyModel
from permit_core.policy.near import close_to, listed
from permit_core.policy.relations import depth_warnings
from permit_core.policy.scenarios import compare_scenarios, is_scenario_table, play_scenarios, scenarios_beside
from permit_core.policy.strangers import strangers, undeclared_tools
from permit_core.policy_source.following import PolicyFile
from permit_core.ports.request import Request
from permit_core.settings import Settings
from permit_core.stores.facts import FactStore
from permit_core.stores.policies import PolicyStore
from permit_core.stores.requests import RequestStore
from permit_core.views import plain
from permit_mcp.operating import Operator, operator, run
from permit_mcp.terminal import at_the_terminal

FAILED = 2
SHORTEST_HASH = 8
BUILT_IN_TOOLS = frozenset(
    {
        "list_resource_instances",
        "create_access_request",
        "list_access_requests",
        "approve_access_request",
        "deny_access_request",
        "create_operation_approval",
        "list_operation_approvals",
        "approve_operation_approval",
        "deny_operation_approval",
        "get_request",
        "wait_for_request",
        "withdraw_request",
    }
)
"""The tools that every ``PermitServer`` has. Read off a server by a test, and not imported: that is slow."""
EXIT_CODES = {Effect.ALLOW: 0, Effect.DENY: 1, Effect.REQUIRE_APPROVAL: 3}

app = typer.Typer(help="The policy: check it, ask it, test it.", no_args_is_help=True)

Pairs = Annotated[list[str] | None, typer.Option(metavar="NAME=VALUE", help="May be given several times.")]


@app.command()
def check(
    file: Annotated[Path | None, typer.Argument(help="The policy; by default the one the settings name.")] = None,
    *,
    facts: Annotated[Path | None, typer.Option(help="A facts file to check against the policy.")] = None,
    database: Annotated[bool, typer.Option("--database", help="Check what the settings' database holds, too.")] = False,
    write: Annotated[bool, typer.Option("--write", help="Bring a file of version 1 forward; comments stay.")] = False,
) -> None:
    """Validate a policy file. Exit code 0: valid; 2: not, with file, line, key and what was expected there.

    With --database also what is stored and the policy no longer knows; exit code 1 when there is any.
    """
    with _one_sentence():
        settings = Settings.load(**({} if file is None else {"policy_file": str(file.absolute())}))
        path = file or Path(settings.policy_path)
        errors = policy_errors(path)
        for error in errors:
            typer.echo(plain(str(error)), err=True)
        if errors:
            raise typer.Exit(FAILED)
        if write and _write_forward(path):
            typer.echo(f"{path}: brought forward to version 2")
        model = load_policy(path)
        known = None if facts is None else load_facts(facts, model).facts()
        rules = len(model.set_rules) + len(model.access_requests) + len(model.operation_approvals)
        typer.echo(f"{path}: valid: {len(model.resources)} resource types, {len(model.roles)} roles, {rules} rules")
        for warning in (*_warnings(model), *(depth_warnings(model, known) if known is not None else ())):
            typer.echo(f"warning: {plain(warning)}", err=True)
        if database:
            stored = _stored(settings)
            lines = _stored_strangers(stored, model)
            for line in lines:
                typer.echo(plain(line))
            for line in undeclared_tools(model, (each.called.tool for each in stored.undecided if each.called)):
                typer.echo(f"note: {plain(line)}", err=True)
            typer.echo(f"unknown to the policy: {len(lines)}" if lines else "the policy knows all names stored")
            raise typer.Exit(1 if lines else 0)


def _write_forward(path: Path) -> bool:
    """Write a policy of version 1 as version 2 in its place; False when it is one of version 2."""
    text = read_text(path)
    forward = brought_forward(text, str(path))
    if forward == text:
        return False
    target = path.resolve()
    beside = target.with_name(f".{target.name}.forward")
    try:
        beside.write_bytes(forward.encode())
        beside.chmod(stat.S_IMODE(target.stat().st_mode))
        beside.replace(target)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise ConfigurationError(f"{path}: cannot be written: {error.strerror}; nothing was changed") from None
    return True


def _warnings(model: PolicyModel) -> Iterator[str]:
    """What is valid and probably not meant."""
    if model.version == 1:
        yield "version 1 does not say where the file ends, so one cut short is valid; --write brings it forward"
    known = {*BUILT_IN_TOOLS, *model.tools}
    for role, body in model.roles.items():
        for tool in body.tools:
            if tool not in known and (near := close_to(tool, known, cutoff=0.85)):
                yield f"roles.{role}.tools: {tool} is no tool of this library and is not declared{near}"
    for tool in model.tools:
        if tool not in BUILT_IN_TOOLS and (near := close_to(tool, BUILT_IN_TOOLS, cutoff=0.9)):
            yield f"tools.{tool}: its name is nearly that of a tool of this library{near}"


@app.command()
def explain(
    user: Annotated[str, typer.Argument(help="A user's key, or a first name that only one user has.")],
    action: Annotated[str, typer.Argument(help="What the user wants to do, such as read.")],
    resource: Annotated[
        str, typer.Argument(help="An instance as type:key, what a tool acts on as type:text, or a type.")
    ],
    *,
    attribute: Pairs = None,
    user_attribute: Pairs = None,
    context: Pairs = None,
    call: Pairs = None,
    tenant: Annotated[str | None, typer.Option(help="By default the one the settings name.")] = None,
    policy: Annotated[Path | None, typer.Option(help="By default the one the settings name.")] = None,
    facts: Annotated[Path | None, typer.Option(help="Decide on a facts file, not on the database.")] = None,
) -> None:
    """Decide, and print the facts that led there. Exit code 0: allow; 1: deny; 3: require_approval; 2: no answer.

    Attributes count over the stored ones for this question alone; their values are JSON, or text when they are not.
    """
    with _one_sentence():
        settings = Settings.load(**({} if policy is None else {"policy_file": str(policy.absolute())}))
        read = read_policy(settings.policy_path)
        model, note = read.model, ""
        if facts is None:
            stored = _stored(settings)
            known = stored.facts
            if stored.in_force not in {"", read.hash}:
                note = f"note: another policy is in force there, {stored.in_force[:12]}, and not {settings.policy_path}, {read.hash[:12]}"
        else:
            known = load_facts(facts, model).facts()
        named = split_resource(resource)
        question = Check(
            Actor(settings.environment, tenant or settings.tenant, _user_key(known, user)),
            action,
            resource_of(named),
            user_attributes=_pairs(user_attribute),
            resource_attributes=_pairs(attribute),
            context=_pairs(context),
            call=_pairs(call),
        )
        decision = decide(model, known, question)
        for line in (*_explanation(question, decision, known), *_unknown_names(model, known, question)):
            typer.echo(line)
        if question.resource.key is None and named[1] is not None:
            typer.echo(f"note: {shown_resource(named)} is no key: decided by its type, as a guarded tool decides")
        elif decision.reason_code is ReasonCode.NO_SUCH_INSTANCE and question.resource.key is not None:
            by_type = decide(model, known, about_type(question)).effect.value
            typer.echo(f"note: a guarded tool decides on what is not stored by its type: {by_type}")
        if note:
            typer.echo(plain(note), err=True)
        raise typer.Exit(EXIT_CODES[decision.effect])


@app.command("test")
def play(
    file: Annotated[
        Path | None, typer.Argument(help="A policy or its scenario table; by default the shipped one.")
    ] = None,
) -> None:
    """Play the scenario table kept beside a policy. Exit code 0: every row comes true; 1: not; 2: a file is broken."""
    with _one_sentence():
        named = file or Path(Settings.load().policy_path)
        path = named if is_scenario_table(named) else scenarios_beside(named)
        if not path.exists():
            raise ConfigurationError(
                f"{path}: there is no scenario table; put one there, beside {named.name}, or name a file that says policy: "
                "and facts:"
            )
        report = play_scenarios(path)
        for failure in report.failures:
            typer.echo(plain(f"{path}:{failure.line}: {failure.name}"))
            typer.echo(f"  expected: {plain(failure.expected)}")
            typer.echo(f"  found:    {plain(failure.found)}")
            for line in failure.chain:
                typer.echo(f"    {plain(line)}")
        failed = len(report.failures)
        typer.echo(f"{path}: {report.played - failed} of {report.played} scenarios come true")
        raise typer.Exit(1 if failed else 0)


@app.command()
def compare(
    before: Annotated[Path, typer.Argument(help="The policy as it was.")],
    after: Annotated[Path, typer.Argument(help="The policy as it is to be.")],
    scenarios: Annotated[
        Path | None, typer.Option(help="A scenario table to decide by both; by default the one beside the second.")
    ] = None,
    database: Annotated[
        bool, typer.Option("--database", help="Decide the last checks of the settings' database by both, too.")
    ] = False,
) -> None:
    """Say what a changed policy loosens. Exit code 0: nothing was found; 1: something is said; 2: a file is broken."""
    with _one_sentence():
        old, new = load_policy(before), load_policy(after)
        lines = loosened_guards(old, new)
        path = scenarios or scenarios_beside(after)
        if scenarios is not None or path.exists():
            lines += compare_scenarios(path, old, new)
        if database:
            lines += asyncio.run(_recently_loosened(Settings.load(), old, new))
        for line in lines:
            typer.echo(plain(line))
        if not lines:
            typer.echo("nothing was found that the new policy loosens")
        raise typer.Exit(1 if lines else 0)


@app.command()
def accept(
    policy_hash: Annotated[
        str,
        typer.Argument(
            metavar="HASH", help="Which policy: the start of its hash, as the log and this question say it."
        ),
    ],
    *,
    as_operator: Operator = None,
) -> None:
    """Put the changed policy file in force where the policy says reload: ask, after a yes at the terminal.

    Exit code 0: it is in force, in every process from its next call on; 1: it is not; 2: it cannot be.
    """

    async def work(core: Core) -> str | None:
        actor, policies = await operator(core, as_operator), core.policies
        if not isinstance(policies, PolicyFile):
            raise ConfigurationError(
                "with PERMIT_API_KEY a changed policy is taken at the next start, and not accepted"
            )
        change = await policies.change()
        if change is None:
            return "The file holds the policy that is in force."
        found = change.policy.hash
        if len(policy_hash) < SHORTEST_HASH or not found.startswith(policy_hash.lower()):
            raise ConfigurationError(
                f"{policy_hash!r} is not the start of {found}, the hash of {change.policy.file} now"
            )
        with at_the_terminal() as terminal:
            terminal.say(plain(f"{change.policy.file}: {found}"))
            terminal.say(plain(f"takes the place of {change.before.hash if change.before else 'nothing'}"))
            for line in change.loosens or ("nothing was found that it loosens",):
                terminal.say(plain(f"  {line}"))
            if not await asyncio.to_thread(terminal.confirms, "Put this policy in force?"):
                return None
        if not await policies.accept(actor, change):
            raise ConfigurationError("another policy came into force meanwhile; nothing was changed: look at it again")
        return f"{found} is in force."

    done = run(work)
    typer.echo(done or "Nothing was done.", err=done is None)
    if done is None:
        raise typer.Exit(1)


@contextmanager
def _one_sentence() -> Iterator[None]:
    """A failure is one sentence on stderr, and exit code 2."""
    try:
        yield
    except PermitError as error:
        hint = error.hint if isinstance(error, UserFacing) else ""
        typer.echo(f"error: {plain(f'{error} {hint}'.strip())}", err=True)
        raise typer.Exit(FAILED) from None


@dataclass(frozen=True, slots=True)
class _Stored:
    """What the database holds that a policy can be held against."""

    facts: Facts
    sleepers: list[tuple[RoleAssignment, datetime]]
    sleeping_relations: list[tuple[tuple[str, str, str], int, datetime]]
    undecided: list[Request]
    in_force: str
    """Hash of the policy by which the environment decides; empty where none was in force yet."""


def _stored(settings: Settings) -> _Stored:
    """What the database holds that the settings name. None is made, and no table: looking changes nothing.

    Raises:
        ConfigurationError: there is no such database yet, or it holds no facts; says what to do.
        StoreError: it cannot be read.
    """
    if settings.permit_api_key.get_secret_value():
        raise ConfigurationError(
            f"PERMIT_API_KEY is set: the facts are Permit.io's and not in our database; give --facts {settings.facts_file or 'FILE'}"
        )
    if not settings.database_url.get_secret_value() and not settings.database_file.exists():
        raise ConfigurationError(f"there is no database {settings.database_file} yet; {_how(settings)}")
    return asyncio.run(_read(settings))


def _how(settings: Settings) -> str:
    return f"start the server once, which loads the first facts, or give --facts {settings.facts_file or 'FILE'}"


async def _read(settings: Settings) -> _Stored:
    core = await open_core(settings, migrate=False)
    try:
        async with core.database.reading() as reading:
            store, environment = FactStore(), settings.environment
            facts = await store.snapshot(environment, reading)
            sleepers = await store.sleepers(environment, reading)
            relations = await store.sleeping_relations(environment, reading)
            undecided = await RequestStore().undecided(environment, reading)
            accepted = await PolicyStore().in_force(environment, reading)
    finally:
        await core.close()
    if not facts.users:
        raise ConfigurationError(f"the database {core.database.location} holds no facts yet; {_how(settings)}")
    return _Stored(facts, sleepers, relations, undecided, accepted.hash if accepted is not None else "")


async def _recently_loosened(settings: Settings, old: PolicyModel, new: PolicyModel) -> list[str]:
    core = await open_core(settings, migrate=False)
    try:
        if core.recent is None:
            raise ConfigurationError("PERMIT_API_KEY is set: what Permit.io decided is not kept in our database")
        return await core.recent.loosened(old, new)
    finally:
        await core.close()


def _stored_strangers(stored: _Stored, model: PolicyModel) -> list[str]:
    """What is stored and the policy does not know, one line each; grants that sleep among it."""
    asleep = [
        f"the grant of role {each.role} to user {each.user} on {each.resource or each.tenant} sleeps since "
        f"{since:%Y-%m-%d %H:%M} UTC: give the role again, or revoke it"
        for each, since in stored.sleepers
    ]
    asleep += [
        f"{count} relationships that are {relation} of {subject} to {thing} sleep since {since:%Y-%m-%d %H:%M} UTC: relate these "
        "again, or take them away"
        for (thing, relation, subject), count, since in stored.sleeping_relations
    ]
    return [*(stranger.text for stranger in strangers(model, stored.facts, stored.undecided)), *asleep]


def _user_key(facts: Facts, text: str) -> str:
    """A key stays; a first name that only one user has becomes that user's key."""
    if text in facts.users:
        return text
    named = [user.key for user in facts.users.values() if user.first_name.casefold() == text.casefold()]
    return named[0] if len(named) == 1 else text


def _pairs(texts: list[str] | None) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for text in texts or ():
        name, equals, value = text.partition("=")
        if not name or not equals:
            raise typer.BadParameter(f"expected NAME=VALUE, found {plain(text)!r}")
        try:
            result[name] = json.loads(value, parse_constant=str)
        except (ValueError, RecursionError):
            result[name] = value
    return result


def _explanation(question: Check, decision: Decision, facts: Facts) -> Iterator[str]:
    """The answer for a terminal: the verdict, why, and what to ask for instead."""
    known = facts.users.get(question.actor.user)
    who = f"user {question.actor.user}" + (f" ({known.name})" if known else "")
    yield plain(f"{decision.effect}: {who} {question.action} {question.resource} in tenant {question.actor.tenant}")
    yield plain(f"reason: {decision.reason_code}" + (f", by {decision.rule}" if decision.rule else ""))
    yield "because:"
    yield from (f"  {plain(line)}" for line in decision.chain)
    if decision.remedies:
        yield "can be asked for instead:"
        yield from (f"  {plain(_remedy(remedy))}" for remedy in decision.remedies)


def _unknown_names(model: PolicyModel, facts: Facts, question: Check) -> Iterator[str]:
    """For each name of the question that is not there: the names that are, the near ones first."""
    actor, resource = question.actor, question.resource
    kind = model.resource_type(resource.type)
    if actor.user not in facts.users:
        yield plain(f"no user {actor.user}: {listed(actor.user, _user_names(facts))}")
    if actor.tenant not in facts.tenants:
        yield plain(f"no tenant {actor.tenant}: {listed(actor.tenant, facts.tenants)}")
    if kind is None:
        yield plain(f"no resource type {resource.type}: {listed(resource.type, model.resources)}")
        return
    if question.action not in kind.actions:
        yield plain(f"{resource.type} has no action {question.action}: {listed(question.action, kind.actions)}")
    if resource.key is not None and resource not in facts.instances:
        keys = [str(each.ref.key) for each in facts.instances_of(resource.type, actor.tenant)]
        yield plain(f"no {resource.type} {resource.key} in tenant {actor.tenant}: {listed(resource.key, keys)}")


def _user_names(facts: Facts) -> list[str]:
    return [name for user in facts.users.values() for name in (user.key, user.first_name) if name]


def _remedy(remedy: Remedy) -> str:
    if remedy.kind == "access_request":
        return f"access request: role {remedy.role} on {remedy.resource_instance}"
    return f"operation approval: {remedy.operation} {remedy.resource_instance} once"

"""``permit-mcp policy``: is the policy valid, why does it decide so, and does it still decide what it should?"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from permit_core.access import Check, Decision, Effect, Remedy, ResourceRef
from permit_core.bootstrap import open_core
from permit_core.errors import ConfigurationError, PermitError
from permit_core.identity import Actor
from permit_core.policy.engine import decide
from permit_core.policy.facts import Facts
from permit_core.policy.facts_file import load_facts
from permit_core.policy.loader import load_policy, policy_errors
from permit_core.policy.scenarios import play_scenarios, scenarios_beside
from permit_core.settings import Settings
from permit_core.stores.facts import FactStore
from permit_core.views import plain

FAILED = 2
EXIT_CODES = {Effect.ALLOW: 0, Effect.DENY: 1, Effect.REQUIRE_APPROVAL: 3}

app = typer.Typer(help="The policy: check it, ask it, test it.", no_args_is_help=True)

Pairs = Annotated[list[str] | None, typer.Option(metavar="NAME=VALUE", help="May be given several times.")]


@app.command()
def check(
    file: Annotated[Path | None, typer.Argument(help="The policy; by default the one the settings name.")] = None,
    facts: Annotated[Path | None, typer.Option(help="A facts file to check against the policy.")] = None,
) -> None:
    """Validate a policy file. Exit code 0: valid; 2: not, with file, line, key and what was expected there."""
    with _one_sentence():
        path = file or Path(Settings.load().policy_file)
        errors = policy_errors(path)
        for error in errors:
            typer.echo(plain(str(error)), err=True)
        if errors:
            raise typer.Exit(FAILED)
        model = load_policy(path)
        if facts is not None:
            load_facts(facts, model)
        rules = len(model.set_rules) + len(model.access_requests) + len(model.operation_approvals)
        typer.echo(f"{path}: valid: {len(model.resources)} resource types, {len(model.roles)} roles, {rules} rules")


@app.command()
def explain(
    user: Annotated[str, typer.Argument(help="A user's key, or a first name that only one user has.")],
    action: Annotated[str, typer.Argument(help="What the user wants to do, such as read.")],
    resource: Annotated[str, typer.Argument(help="An instance as type:key, or a type.")],
    *,
    attribute: Pairs = None,
    user_attribute: Pairs = None,
    context: Pairs = None,
    tenant: Annotated[str | None, typer.Option(help="By default the one the settings name.")] = None,
    policy: Annotated[Path | None, typer.Option(help="By default the one the settings name.")] = None,
    facts: Annotated[Path | None, typer.Option(help="Decide on a facts file, not on the database.")] = None,
) -> None:
    """Decide, and print the facts that led there. Exit code 0: allow; 1: deny; 3: require_approval; 2: no answer.

    Attributes count over the stored ones for this question alone; their values are JSON, or text when they are not.
    """
    with _one_sentence():
        settings = Settings.load(**({} if policy is None else {"policy_file": str(policy.absolute())}))
        model = load_policy(settings.policy_file)
        known = _stored_facts(settings) if facts is None else load_facts(facts, model).facts()
        question = Check(
            Actor(settings.environment, tenant or settings.tenant, _user_key(known, user)),
            action,
            ResourceRef.parse(resource),
            user_attributes=_pairs(user_attribute),
            resource_attributes=_pairs(attribute),
            context=_pairs(context),
        )
        decision = decide(model, known, question)
        for line in _explanation(question, decision, known):
            typer.echo(line)
        raise typer.Exit(EXIT_CODES[decision.effect])


@app.command("test")
def play(
    file: Annotated[
        Path | None, typer.Argument(help="A policy or its scenario table; by default the shipped one.")
    ] = None,
) -> None:
    """Play the scenario table kept beside a policy. Exit code 0: every row comes true; 1: not; 2: a file is broken."""
    with _one_sentence():
        path = scenarios_beside(file or Settings.load().policy_file)
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


@contextmanager
def _one_sentence() -> Iterator[None]:
    """A failure is one sentence on stderr, and exit code 2."""
    try:
        yield
    except PermitError as error:
        typer.echo(f"error: {plain(str(error))}", err=True)
        raise typer.Exit(FAILED) from None


def _stored_facts(settings: Settings) -> Facts:
    """The facts of the database that the settings name. None is made, and no table: looking changes nothing.

    Raises:
        ConfigurationError: there is no such database yet, or it holds no facts; says what to do.
        StoreError: it cannot be read.
    """
    if settings.permit_api_key.get_secret_value():
        raise ConfigurationError(
            f"PERMIT_API_KEY is set: the facts are Permit.io's and not in our database; give --facts {settings.facts_file}"
        )
    if not settings.database_url.get_secret_value() and not Path(settings.db_name).exists():
        raise ConfigurationError(f"there is no database {settings.db_name} yet; {_how(settings)}")
    return asyncio.run(_snapshot(settings))


def _how(settings: Settings) -> str:
    return f"start the server once, which loads the first facts, or give --facts {settings.facts_file}"


async def _snapshot(settings: Settings) -> Facts:
    core = await open_core(settings, migrate=False)
    try:
        async with core.database.reading() as reading:
            facts = await FactStore().snapshot(reading)
    finally:
        await core.close()
    if not facts.users:
        raise ConfigurationError(f"the database {core.database.location} holds no facts yet; {_how(settings)}")
    return facts


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


def _remedy(remedy: Remedy) -> str:
    if remedy.kind == "access_request":
        return f"access request: role {remedy.role} on {remedy.resource_instance}"
    return f"operation approval: {remedy.operation} {remedy.resource_instance} once"

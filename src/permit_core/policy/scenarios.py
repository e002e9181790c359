"""Scenario tables: checks beside the decision each must have, kept in a file beside the policy they are about."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path as FilePath
from typing import Any, Literal

from pydantic import Field

from permit_core.access import Check, Decision, Effect, ReasonCode, Remedy, ResourceRef
from permit_core.errors import InvalidInput
from permit_core.identity import DEFAULT_ENVIRONMENT, Actor
from permit_core.policy.changes import loosened
from permit_core.policy.engine import decide
from permit_core.policy.facts_file import FactsFile, facts_with, load_facts
from permit_core.policy.facts_schema import FactsSections
from permit_core.policy.guards import GuardKind
from permit_core.policy.judgement import Allow, Hold, Judgement, Refuse, about_type, judge, scope_of, windows
from permit_core.policy.loader import load_policy, read_shape
from permit_core.policy.marked_yaml import MarkedDocument, Path, read_marked
from permit_core.policy.model import PolicyModel
from permit_core.policy.schema import ConfirmedBy, Key, Part, Text, ToolName
from permit_core.policy.times import read_time

SUFFIX = ".scenarios.yaml"


class RemedyEntry(Part):
    """What a refused user is told to ask for: a role (an access request) or an operation (an approval)."""

    resource_instance: Text
    role: Key | None = None
    operation: Key | None = None


class DecisionRow(Part):
    """A check and what must be decided. What is left out of the expectation is not compared."""

    name: Text
    user: Text
    action: Text
    resource: Text
    tenant: Text | None = None
    user_attributes: Mapping[str, Any] = Field(default_factory=dict)
    resource_attributes: Mapping[str, Any] = Field(default_factory=dict)
    context: Mapping[str, Any] = Field(default_factory=dict)
    given: FactsSections = FactsSections()
    expect: Effect
    reason: ReasonCode | None = None
    ask_for: tuple[RemedyEntry, ...] | None = None


class CallRow(Part):
    """A call of a declared tool, resource or prompt and how it must be judged; exactly one of the three is named.

    ``spent`` is what was used up of each quota before, in their order; ``approved`` what was approved for exactly this call
    and by whom; ``at`` the moment of the call.
    """

    name: Text
    user: Text
    agent: Text | None = None
    tool: Text | None = None
    mcp_resource: Text | None = None
    prompt: Text | None = None
    arguments: Mapping[str, Any] = Field(default_factory=dict)
    tenant: Text | None = None
    labels: frozenset[Text] = frozenset()
    spent: tuple[int | float, ...] = ()
    approved: Mapping[Literal["operation", "call"], ConfirmedBy] = Field(default_factory=dict)
    at: Text = "2026-01-01T12:00:00Z"
    given: FactsSections = FactsSections()
    expect: Literal["allow", "refuse", "hold"]
    code: Text | None = None
    rule: Text | None = None
    by: ConfirmedBy | None = None
    retry_at: Text | None = None
    ask_for: tuple[RemedyEntry, ...] | None = None


class ToolsRow(Part):
    """Tenant roles and exactly the tools that their holders see."""

    name: Text
    roles: tuple[Key, ...]
    sees: frozenset[ToolName]


class ScenarioDocument(Part):
    """The closed shape of a scenario file.

    File names are relative to it. ``given`` are facts for the scenarios alone, on top of those of the facts file; a row
    can have further ones of its own.
    """

    policy: Text
    facts: Text
    given: FactsSections = FactsSections()
    decisions: tuple[DecisionRow, ...] = ()
    calls: tuple[CallRow, ...] = ()
    tools: tuple[ToolsRow, ...] = ()


@dataclass(frozen=True, slots=True)
class ScenarioFailure:
    """A row that does not come true: where it stands, what was expected and what was found instead."""

    line: int | None
    name: str
    expected: str
    found: str
    chain: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ScenarioReport:
    """How many rows were played, and which failed."""

    played: int
    failures: tuple[ScenarioFailure, ...]


def scenarios_beside(policy_file: str | FilePath) -> FilePath:
    """Where the scenario table of a policy is kept: ``family_food.scenarios.yaml`` beside ``family_food.yaml``."""
    path = FilePath(policy_file)
    return path if path.name.endswith(SUFFIX) else path.with_name(path.stem + SUFFIX)


def is_scenario_table(path: str | FilePath) -> bool:
    """Whether a file says that it is a scenario table, whatever it is called: it names a policy and facts.

    Raises:
        PolicyFileError: the file cannot be read.
    """
    value = read_marked(path).value
    return isinstance(value, Mapping) and {"policy", "facts"} <= value.keys()


def play_scenarios(path: str | FilePath) -> ScenarioReport:
    """Play every row of a scenario file against the policy and the facts it names.

    Raises:
        PolicyFileError: one of the three files is wrong.
    """
    document = read_marked(path)
    table = read_shape(document, ScenarioDocument)
    folder = FilePath(path).parent
    model = load_policy(folder / table.policy)
    given = facts_with(load_facts(folder / table.facts, model), document, table.given, ("given",), model)
    failures: list[ScenarioFailure] = []
    for place, row in enumerate(table.decisions):
        at: Path = ("decisions", place)
        facts = facts_with(given, document, row.given, (*at, "given"), model)
        decision = decide(model, facts.facts(), _check_of(document, at, row, facts.tenants[0].key))
        failures.extend(_decision_failures(document.line(at), row, decision))
    for place, call in enumerate(table.calls):
        at = ("calls", place)
        facts = facts_with(given, document, call.given, (*at, "given"), model)
        failures.extend(_call_failures(document, at, call, model, facts))
    for place, tools in enumerate(table.tools):
        failures.extend(_tools_failures(document.line(("tools", place)), tools, model))
    played = len(table.decisions) + len(table.calls) + len(table.tools)
    return ScenarioReport(played, tuple(failures))


def compare_scenarios(path: str | FilePath, before: PolicyModel, after: PolicyModel) -> list[str]:
    """The rows that a changed policy answers more generously, one line each.

    The facts must fit the policy as it is to be. What the table expects is not looked at.

    Raises:
        PolicyFileError: the table or its facts are wrong.
    """
    document = read_marked(path)
    table = read_shape(document, ScenarioDocument)
    stored = load_facts(FilePath(path).parent / table.facts, after)
    given = facts_with(stored, document, table.given, ("given",), after)
    found = []
    for place, row in enumerate(table.decisions):
        at: Path = ("decisions", place)
        facts = facts_with(given, document, row.given, (*at, "given"), after)
        check = _check_of(document, at, row, facts.tenants[0].key)
        found += [f"{row.name}: {each}" for each in loosened(before, after, facts.facts(), [check])]
    for place, call in enumerate(table.calls):
        at = ("calls", place)
        facts = facts_with(given, document, call.given, (*at, "given"), after)
        old, new = (type(_judged(document, at, call, model, facts)[0]) for model in (before, after))
        if _GENEROUS.index(new) > _GENEROUS.index(old):
            found.append(f"{call.name}: {_WORDS[old]} becomes {_WORDS[new]}")
    return found


_WORDS: Mapping[type[Judgement], str] = {Refuse: "refuse", Hold: "hold", Allow: "allow"}
_GENEROUS = list(_WORDS)


def _check_of(document: MarkedDocument, at: Path, row: DecisionRow, tenant: str) -> Check:
    try:
        resource = ResourceRef.parse(row.resource)
    except InvalidInput:
        raise document.error((*at, "resource"), "expected a resource type, or an instance as type:key") from None
    return Check(
        Actor(DEFAULT_ENVIRONMENT, row.tenant or tenant, row.user),
        row.action,
        resource,
        user_attributes=row.user_attributes,
        resource_attributes=row.resource_attributes,
        context=row.context,
    )


def _decision_failures(line: int | None, row: DecisionRow, decision: Decision) -> Iterator[ScenarioFailure]:
    expected, found = [row.expect.value], [decision.effect.value]
    if row.reason is not None:
        expected.append(f"because of {row.reason}")
        found.append(f"because of {decision.reason_code}")
    if row.ask_for is not None:
        expected.append(f"ask for {_listed(map(_entry_words, row.ask_for))}")
        found.append(f"ask for {_listed(map(_remedy_words, decision.remedies))}")
    if expected != found:
        yield ScenarioFailure(line, row.name, ", ".join(expected), ", ".join(found), decision.chain)


def _call_failures(
    document: MarkedDocument, at: Path, row: CallRow, model: PolicyModel, stored: FactsFile
) -> Iterator[ScenarioFailure]:
    judged, decision = _judged(document, at, row, model, stored)
    wanted, found = _judged_words(row, judged)
    if wanted != found:
        chain = decision.chain if decision is not None else ()
        yield ScenarioFailure(document.line(at), row.name, ", ".join(wanted), ", ".join(found), chain)


def _judged(
    document: MarkedDocument, at: Path, row: CallRow, model: PolicyModel, stored: FactsFile
) -> tuple[Judgement, Decision | None]:
    facts, now = stored.facts(), _moment(document, at, row)
    kind, name = _called(document, at, row)
    actor = Actor(DEFAULT_ENVIRONMENT, row.tenant or stored.tenants[0].key, row.user, agent=row.agent)
    guard = model.guard(kind, name)
    about = guard.check(actor, row.arguments) if guard else Check(actor, "", ResourceRef("", None), call=row.arguments)
    check, decision = None, None
    if guard is not None and not guard.is_open:
        check, decision = about, decide(model, facts, about)
        if decision.reason_code is ReasonCode.NO_SUCH_INSTANCE:
            check = about = about_type(check)
            decision = decide(model, facts, check)
    periods = windows(guard, actor, now) if guard is not None else ()
    judged = judge(
        model,
        guard,
        kind=kind,
        name=name,
        check=check,
        decision=decision,
        scope=scope_of(facts, about, model),
        actor=actor,
        now=now,
        labels=row.labels,
        spent=dict(zip(periods, row.spent, strict=False)),
        approved=row.approved,
    )
    return judged, decision


def _judged_words(row: CallRow, judged: Judgement) -> tuple[list[str], list[str]]:
    """What was expected and what was found, as far as the row says it."""
    said = {
        "code": (row.code, getattr(judged, "code", None)),
        "rule": (row.rule, getattr(judged, "rule", None)),
        "by": (row.by, getattr(judged, "by", None)),
        "retry_at": (row.retry_at, _time_words(getattr(judged, "retry_at", None))),
    }
    wanted: list[str] = [row.expect]
    found = [_WORDS[type(judged)]]
    for name, (expected, real) in said.items():
        if expected is not None:
            wanted.append(f"{name} {expected}")
            found.append(f"{name} {real}")
    if row.ask_for is not None:
        wanted.append(f"ask for {_listed(map(_entry_words, row.ask_for))}")
        found.append(f"ask for {_listed(map(_remedy_words, getattr(judged, 'ask_for', ())))}")
    return wanted, found


def _time_words(moment: datetime | None) -> str | None:
    return None if moment is None else moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _called(document: MarkedDocument, at: Path, row: CallRow) -> tuple[GuardKind, str]:
    named: list[tuple[GuardKind, str | None]] = [
        ("tools", row.tool),
        ("mcp_resources", row.mcp_resource),
        ("prompts", row.prompt),
    ]
    given = [(kind, name) for kind, name in named if name is not None]
    if len(given) != 1:
        raise document.error(at, "expected one of tool, mcp_resource and prompt")
    return given[0]


def _moment(document: MarkedDocument, at: Path, row: CallRow) -> datetime:
    instant = read_time(row.at)
    if instant is None or instant.of_day:
        raise document.error((*at, "at"), "expected a moment such as 2026-11-22T08:30:00Z")
    try:
        return _YEAR_ONE + timedelta(microseconds=instant.nanoseconds // 1000)
    except OverflowError:
        raise document.error((*at, "at"), "expected a moment of the years 1 to 9999") from None


_YEAR_ONE = datetime(1, 1, 1, tzinfo=UTC)


def _tools_failures(line: int | None, row: ToolsRow, model: PolicyModel) -> Iterator[ScenarioFailure]:
    sees = model.tools_for(row.roles)
    if sees != row.sees:
        yield ScenarioFailure(line, row.name, f"sees {_listed(row.sees)}", f"sees {_listed(sees)}")


def _entry_words(entry: RemedyEntry) -> str:
    return f"{entry.role or entry.operation} on {entry.resource_instance}"


def _remedy_words(remedy: Remedy) -> str:
    return f"{remedy.role or remedy.operation} on {remedy.resource_instance}"


def _listed(words: Iterable[str]) -> str:
    return "; ".join(sorted(words)) or "nothing"

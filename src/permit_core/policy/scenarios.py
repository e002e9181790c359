"""Scenario tables: checks beside the decision each must have, kept in a file beside the policy they are about."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

from pydantic import Field

from permit_core.access import Check, Decision, Effect, ReasonCode, Remedy, ResourceRef
from permit_core.errors import InvalidInput
from permit_core.identity import DEFAULT_ENVIRONMENT, Actor
from permit_core.policy.engine import decide
from permit_core.policy.facts_file import facts_with, load_facts
from permit_core.policy.facts_schema import FactsSections
from permit_core.policy.loader import load_policy, read_shape
from permit_core.policy.marked_yaml import MarkedDocument, Path, read_marked
from permit_core.policy.model import PolicyModel
from permit_core.policy.schema import Key, Part, Text

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


class ToolsRow(Part):
    """Tenant roles and exactly the tools that their holders see."""

    name: Text
    roles: tuple[Key, ...]
    sees: frozenset[Key]


class ScenarioDocument(Part):
    """The closed shape of a scenario file.

    File names are relative to it. ``given`` are facts for the scenarios alone, on top of those of the facts file; a row
    can have further ones of its own.
    """

    policy: Text
    facts: Text
    given: FactsSections = FactsSections()
    decisions: tuple[DecisionRow, ...] = ()
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
    for place, tools in enumerate(table.tools):
        failures.extend(_tools_failures(document.line(("tools", place)), tools, model))
    return ScenarioReport(len(table.decisions) + len(table.tools), tuple(failures))


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

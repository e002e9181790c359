"""Checks as they are kept for later: with the values that conditions read, so that a changed policy can be tried on them.

Texts are kept as hashes, but for those that are times. A hash equals the text it was made of and nothing else, so ``equals`` and
``in`` give the answer they gave; any other comparison of a text cannot be made any more.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from permit_core.access import Check, ResourceRef
from permit_core.identity import Actor
from permit_core.policy.conditions import AttributeName, Comparison, Condition, Logic
from permit_core.policy.facts import Facts
from permit_core.policy.guards import GuardCondition
from permit_core.policy.model import PolicyModel
from permit_core.policy.operators import TextHash
from permit_core.policy.question import Question
from permit_core.policy.references import BUILT_IN_RESOURCE, BUILT_IN_USER
from permit_core.policy.times import read_time


def remember(model: PolicyModel, facts: Facts, check: Check, key: bytes) -> dict[str, Any]:
    """A check as JSON: who, what on what, and the values that conditions on it may have read.

    Of the user and the resource only the attributes that a condition of the policy names, no keys beside those of the check.
    Texts are hashed with ``key``.
    """
    actor, resource = check.actor, check.resource
    values: dict[str, Any] = {}
    if actor.user in facts.users:
        scope = Question(model, facts, check).scope
        for name in sorted(_names(model, resource.type, check.action), key=str):
            built_in = {"user": BUILT_IN_USER, "resource": BUILT_IN_RESOURCE}.get(name.root, {})
            if name.names[0] not in built_in:
                first = AttributeName(name.root, name.names[:1])
                values[str(first)] = _kept(first.value(scope), key)
    return {
        "environment": actor.environment,
        "tenant": actor.tenant,
        "user": actor.user,
        "agent": actor.agent,
        "action": check.action,
        "resource": str(resource),
        "values": values,
    }


def recall(kept: Mapping[str, Any], key: bytes) -> Check:
    """The check that was kept with ``key``, its values as they were: they count over what is stored now."""
    given: dict[str, dict[str, Any]] = {"user": {}, "resource": {}, "environment": {}, "call": {}}
    for name, value in kept["values"].items():
        root, _, attribute = name.partition(".")
        given[root][attribute] = _recalled(value, key)
    return Check(
        Actor(kept["environment"], kept["tenant"], kept["user"], agent=kept["agent"]),
        kept["action"],
        ResourceRef.parse(kept["resource"]),
        call=given["call"],
        user_attributes=given["user"],
        resource_attributes=given["resource"],
        context=given["environment"],
    )


def _names(model: PolicyModel, kind: str, action: str) -> set[AttributeName]:
    """What conditions on an action of a type name: those of its set rules, and of whatever is declared to do it."""
    found: set[AttributeName] = set()
    for rule in model.index.set_rules.get((kind, action), ()):
        for condition in (rule.users, rule.things, rule.when):
            found.update(_of(condition))
    for guard in model.index.guards.values():
        if (guard.resource_type, guard.rule.action) == (kind, action):
            gates: list[GuardCondition | None] = [guard.never]
            gates += [confirm.when for confirm in guard.confirms] + [quota.when for quota in guard.quotas]
            for gate in gates:
                found.update(_of(gate.condition if gate is not None else None))
            found.update(quota.sums for quota in guard.quotas if quota.sums is not None)
    return found


def _of(condition: Condition | None) -> Iterator[AttributeName]:
    if condition is None:
        return
    if isinstance(condition, Logic):
        for part in condition.parts:
            yield from _of(part)
        return
    yield condition.subject
    if isinstance(condition, Comparison):
        if isinstance(condition.operand, AttributeName):
            yield condition.operand
    else:  # within a match, resource. means what is looked at, which the subject holds
        yield from (name for name in _of(condition.inner) if name.root != "resource")


def _kept(value: Any, key: bytes) -> Any:
    if isinstance(value, str):
        return value if read_time(value) is not None else {"text": str(TextHash.of(value, key))}
    if isinstance(value, Mapping):
        return {"object": {str(name): _kept(inner, key) for name, inner in value.items()}}
    return [_kept(item, key) for item in value] if isinstance(value, list | tuple) else value


def _recalled(value: Any, key: bytes) -> Any:
    if isinstance(value, Mapping):
        if "text" in value:
            return TextHash(value["text"], key)
        return {name: _recalled(inner, key) for name, inner in value["object"].items()}
    return [_recalled(item, key) for item in value] if isinstance(value, list) else value

"""What is pushed to OPA and what it is asked, as JSON.

``policies/opa/documents.rego`` reads it. The policy goes as it was written, with extensions, derivations and rules for OPA to
follow; only conditions are laid flat (``opa_conditions.py``), and the order of roles is said, which JSON objects lose.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from permit_core.access import Check
from permit_core.decision.opa_conditions import flat_condition
from permit_core.decision.opa_values import plain, plain_name
from permit_core.entries import User
from permit_core.policy.condition_reader import parse_condition
from permit_core.policy.facts import Facts
from permit_core.policy.model import PolicyModel
from permit_core.policy.references import declared_attributes
from permit_core.stores.facts import FactsVersion

SLOTS = 4
"""How many states of the facts OPA keeps."""

_DECIDING = {"resources", "roles"}


@dataclass(frozen=True, slots=True)
class ModelDocument:
    """A policy for OPA. ``path`` is where it belongs, below ``data``; its stamp is its digest."""

    digest: str
    path: str
    body: bytes


def model_document(model: PolicyModel) -> ModelDocument:
    """A policy as a document.

    Raises:
        ConfigurationError: a condition is nested deeper than the rules for OPA go.
    """
    body: dict[str, Any] = {
        **model.model_dump(mode="json", include=_DECIDING, exclude_none=True),
        "order": {
            "roles": list(model.roles),
            "resources": {key: list(kind.roles) for key, kind in model.resources.items()},
        },
        "set_rules": _set_rules(model),
        "user_sets": _user_sets(model),
        "resource_sets": _resource_sets(model),
        "operation_approvals": [
            {"resource": rule.resource, "operation": rule.operation, "asked_by": sorted(rule.asked_by)}
            for rule in model.operation_approvals
        ],
    }
    digest = hashlib.sha256(_json(body)).hexdigest()[:32]
    return ModelDocument(digest, f"model/{digest}", _json({**body, "stamp": digest}))


def _set_rules(model: PolicyModel) -> list[dict[str, Any]]:
    found = []
    for place, rule in enumerate(model.set_rules):
        body = rule.model_dump(mode="json", exclude={"when"})
        if rule.when is not None:
            kind, _, action = rule.permission.partition(":")
            condition = parse_condition(rule.when, (), declared_attributes(model, kind, action))
            body["when"] = {"condition": flat_condition(condition, f"set_rules.{place}")}
        found.append(body)
    return found


def _user_sets(model: PolicyModel) -> dict[str, Any]:
    declared = declared_attributes(model, None)
    return {
        key: {"condition": flat_condition(parse_condition(each.conditions, (), declared), f"user_sets.{key}")}
        for key, each in model.user_sets.items()
    }


def _resource_sets(model: PolicyModel) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, each in model.resource_sets.items():
        condition = parse_condition(each.conditions, (), declared_attributes(model, each.resource))
        found[key] = {"condition": flat_condition(condition, f"resource_sets.{key}")}
    return found


def slot_of(version: FactsVersion) -> str:
    """Where a state of the facts is kept: neighbours in time stand beside each other."""
    return f"slot{version.number % SLOTS}"


def facts_document(facts: Facts, version: FactsVersion) -> bytes:
    """One state of the facts. It takes a while when they are many: not for the event loop."""
    return _json(
        {
            "stamp": version.stamp,
            "tenants": {plain_name(key): True for key in facts.tenants},
            "users": {plain_name(key): _user(user) for key, user in facts.users.items()},
            "instances": _instances(facts),
            "held": _held(facts),
            "subjects": _subjects(facts),
        }
    )


def _user(user: User) -> dict[str, Any]:
    return {
        "attributes": plain(user.attributes),
        "email": plain(user.email or None),
        "first_name": plain(user.first_name or None),
        "last_name": plain(user.last_name or None),
    }


def _instances(facts: Facts) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for ref, instance in facts.instances.items():
        if ref.key is not None:
            body = {"tenant": plain_name(instance.tenant), "attributes": plain(instance.attributes)}
            found.setdefault(plain_name(ref.type), {})[plain_name(ref.key)] = body
    return found


def _held(facts: Facts) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for (user, tenant), given in facts.held.items():
        here = found.setdefault(plain_name(user), {}).setdefault(plain_name(tenant), {"on": {}})
        for ref, roles in given.items():
            names = [plain_name(role) for role in roles]
            if ref is None:
                here["everywhere"] = names
            elif ref.key is not None:
                here["on"].setdefault(plain_name(ref.type), {})[plain_name(ref.key)] = names
    return found


def _subjects(facts: Facts) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for (ref, relation), subjects in facts.subjects.items():
        if ref.key is not None:
            of_type = found.setdefault(plain_name(ref.type), {}).setdefault(plain_name(ref.key), {})
            of_type[plain_name(relation)] = [
                [plain_name(each.type), plain_name(each.key)] for each in subjects if each.key is not None
            ]
    return found


def question(digest: str, version: FactsVersion, checks: list[Check]) -> bytes:
    """One question about any number of checks."""
    asked = {"model": digest, "slot": slot_of(version), "stamp": version.stamp, "checks": [_check(c) for c in checks]}
    return _json({"input": asked})


def _check(check: Check) -> dict[str, Any]:
    resource = check.resource
    return {
        "user": plain_name(check.actor.user),
        "action": plain_name(check.action),
        "type": plain_name(resource.type),
        "key": None if resource.key is None else plain_name(resource.key),
        "tenant": plain_name(check.actor.tenant),
        "user_attributes": plain(check.user_attributes),
        "resource_attributes": plain(check.resource_attributes),
        "context": plain(check.context),
        "call": plain(check.call),
    }


def _json(body: Any) -> bytes:
    return json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()

"""What the decision point answers: may somebody, who may, and what may somebody."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from permit_api.decisions.snapshots import Snapshot
from permit_core.access import Check, Decision, Effect, ReasonCode, ResourceRef
from permit_core.entries import ResourceInstance, User
from permit_core.identity import DEFAULT_ENVIRONMENT, Actor
from permit_core.policy.engine import decide
from permit_core.policy.relations import find_holding

K = TypeVar("K")
V = TypeVar("V")

logger = logging.getLogger(__name__)

_SOURCES = {
    ReasonCode.TENANT_ROLE: "rbac",
    ReasonCode.INSTANCE_ROLE: "rebac",
    ReasonCode.CONDITION_SET: "abac",
}
_FAILED = Decision(Effect.DENY, ReasonCode.PDP_ERROR, chain=("the check could not be decided",))


def decide_check(snapshot: Snapshot, check: Check) -> Decision:
    """Decide.

    A user or an instance that is not in the directory has no roles, but the attributes of the check may put it into a
    set, as at Permit.io. Where they do not, the answer is the one for what is not there.
    """
    decision = first = decide(snapshot.model, snapshot.facts, check)
    facts = snapshot.facts
    if decision.reason_code is ReasonCode.NO_SUCH_USER:
        key = check.actor.user
        facts = replace(facts, users=_With(facts.users, key, User(key, "")))
        decision = decide(snapshot.model, facts, check)
    if decision.reason_code is ReasonCode.NO_SUCH_INSTANCE and check.resource_attributes:
        unknown = ResourceInstance(check.resource, check.actor.tenant)
        facts = replace(facts, instances=_With(facts.instances, check.resource, unknown))
        decision = decide(snapshot.model, facts, check)
    return decision if decision.allowed else first


class _With(Mapping[K, V]):
    """A mapping with one entry more."""

    def __init__(self, below: Mapping[K, V], key: K, more: V) -> None:
        self._below, self._key, self._more = below, key, more

    def __getitem__(self, key: K) -> V:
        return self._more if key == self._key else self._below[key]

    def __iter__(self) -> Iterator[K]:
        yield self._key
        yield from self._below

    def __len__(self) -> int:
        return len(self._below) + 1


def answer(snapshot: Snapshot, check: Check) -> dict[str, Any]:
    """``{allow, result, debug}``. Whatever goes wrong, the answer is no.

    Permit.io's ``query``, which may be left out, is: it says what was asked, and clients print it for their log.
    """
    try:
        decision = decide_check(snapshot, check)
        debug = explained(decision)
    except Exception:  # a question the engine cannot answer is answered with no
        logger.exception("a check could not be decided and is denied")
        decision, debug = _FAILED, explained(_FAILED)
    return {"allow": decision.allowed, "result": decision.allowed, "debug": debug}


def explained(decision: Decision) -> dict[str, Any]:
    """Why, for people: the code, the rule, and the facts one line each, under the source that granted."""
    source = _SOURCES.get(decision.reason_code)
    said = {
        "allow": decision.allowed,
        "code": decision.reason_code.value,
        **({} if decision.rule is None else {"rule": decision.rule}),
        "reason": list(decision.chain),
    }
    return {"allow_sources": [source], source: said} if source else {"allow_sources": [], **said}


def all_tenants(snapshot: Snapshot, check: Check) -> list[dict[str, Any]]:
    """The answers for every tenant in which the check is allowed."""
    found = []
    for tenant, attributes in sorted(snapshot.tenants.items()):
        given = answer(snapshot, replace(check, actor=replace(check.actor, tenant=tenant)))
        if given["allow"]:
            found.append({"tenant": {"key": tenant, "attributes": attributes}, **given})
    return found


def user_tenants(snapshot: Snapshot, user: str) -> list[dict[str, Any]]:
    """The tenants in which a user holds any role."""
    held = sorted({tenant for who, tenant in snapshot.facts.held if who == user})
    return [{"key": tenant, "attributes": snapshot.tenants[tenant]} for tenant in held]


def authorized_users(snapshot: Snapshot, action: str, resource: ResourceRef, tenant: str) -> dict[str, Any]:
    """Who may do something, each with the assignments that are the cause. Condition sets are not asked.

    Permit.io's own policy does not ask them here either: its answer is made of assignments, and a set has none.
    """
    model, facts = snapshot.model, snapshot.facts
    found: dict[str, list[dict[str, str]]] = {}
    key = (resource.type, action)
    by_tenant = {grant.role for grant in model.index.tenant_grants.get(key, ())}
    by_instance = [grant.role for grant in model.index.instance_grants.get(key, ())]
    instance = facts.instances.get(resource)
    elsewhere = instance is not None and instance.tenant != tenant
    for (user, where), held in facts.held.items():
        if where != tenant or elsewhere:
            continue
        roles = [role for role in held.get(None, ()) if role in by_tenant]
        causes = [_cause(user, tenant, f"__tenant:{tenant}", role) for role in roles]
        if instance is not None and by_instance:
            holding = find_holding(model.index, facts, held, resource, by_instance)
            if holding is not None:
                given_on, given = holding.path[:2]
                causes.append(_cause(user, tenant, str(given_on), f"{given_on.type}#{given}"))
        if causes:
            found[user] = causes
    shown = str(resource) if resource.key is not None else f"{resource.type}:*"
    return {"resource": shown, "tenant": tenant, "users": found}


def _cause(user: str, tenant: str, resource: str, role: str) -> dict[str, str]:
    return {"user": user, "tenant": tenant, "resource": resource, "role": role}


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which permissions are asked for; None means all.

    Args:
        tenants: in these tenants.
        resources: on these instances, ``type:key``, or in these tenants, ``__tenant:key``.
        types: on these types of resources.
        attributes: of the user; they count over the stored ones.
        context: of the question. ``enable_abac_user_permissions`` in it lets condition sets count.
    """

    tenants: frozenset[str] | None
    resources: frozenset[str] | None
    types: frozenset[str] | None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    context: Mapping[str, Any] = field(default_factory=dict)


def user_permissions(snapshot: Snapshot, user: str, wanted: Wanted) -> dict[str, dict[str, Any]]:
    """What a user may do, by tenant (``__tenant:key``) and by instance (``type:key``); the roles that are the cause."""
    found: dict[str, dict[str, Any]] = {}
    for (who, tenant), held in snapshot.facts.held.items():
        if who != user or (wanted.tenants is not None and tenant not in wanted.tenants):
            continue
        name = f"__tenant:{tenant}"
        if _is_wanted(wanted, "__tenant", name):
            permissions = _granted(snapshot.model.index.tenant_grants, held.get(None, ()), None)
            if permissions:
                there = {"key": tenant, "attributes": snapshot.tenants[tenant]}
                found[name] = {"tenant": there, "permissions": permissions, "roles": list(held.get(None, ()))}
        found |= _on_instances(snapshot, user, tenant, wanted)
    if wanted.context.get("enable_abac_user_permissions") is True:
        _add_by_sets(found, snapshot, user, wanted)
    return found


def _on_instances(snapshot: Snapshot, user: str, tenant: str, wanted: Wanted) -> dict[str, dict[str, Any]]:
    model, facts = snapshot.model, snapshot.facts
    held = facts.held_by(user, tenant)
    found: dict[str, dict[str, Any]] = {}
    for ref, instance in facts.instances.items():
        if instance.tenant != tenant or not _is_wanted(wanted, ref.type, str(ref)):
            continue
        kind = model.resource_type(ref.type)
        names = kind.roles if kind else ()
        roles = [role for role in names if find_holding(model.index, facts, held, ref, [role]) is not None]
        permissions = _granted(model.index.instance_grants, roles, ref.type)
        if permissions:
            found[str(ref)] = {
                "resource": {"key": ref.key, "type": ref.type, "attributes": instance.attributes},
                "tenant": {"key": tenant, "attributes": snapshot.tenants[tenant]},
                "permissions": permissions,
                "roles": roles,
            }
    return found


def _add_by_sets(found: dict[str, dict[str, Any]], snapshot: Snapshot, user: str, wanted: Wanted) -> None:
    """Add what condition sets allow: on every instance, and on whole types in the tenants where a role is held."""
    facts, by_kind = snapshot.facts, sorted({kind for kind, _ in snapshot.model.index.set_rules})
    asked: list[tuple[str, ResourceRef, str, dict[str, Any]]] = []
    for ref, instance in facts.instances.items():
        if _is_wanted(wanted, ref.type, str(ref)):
            about = {"key": ref.key, "type": ref.type, "attributes": instance.attributes}
            asked.append((str(ref), ref, instance.tenant, {"resource": about}))
    for who, tenant in facts.held:
        if who == user and None in facts.held_by(user, tenant):
            name = f"__tenant:{tenant}"
            kinds = [kind for kind in by_kind if _is_wanted(wanted, kind, name)]
            asked.extend((name, ResourceRef(kind), tenant, {}) for kind in kinds)
    for name, ref, tenant, about in asked:
        if wanted.tenants is not None and tenant not in wanted.tenants:
            continue
        permissions, sets = _by_sets(snapshot, user, wanted, ref, tenant)
        if permissions:
            there = {"key": tenant, "attributes": snapshot.tenants[tenant]}
            entry = found.setdefault(name, {**about, "tenant": there, "permissions": [], "roles": []})
            entry["permissions"] = sorted({*entry["permissions"], *permissions})
            found[name] = {**sets, **entry}


def _by_sets(
    snapshot: Snapshot, user: str, wanted: Wanted, ref: ResourceRef, tenant: str
) -> tuple[list[str], dict[str, str]]:
    """What condition sets alone allow, and two sets that do."""
    permissions: list[str] = []
    sets: dict[str, str] = {}
    for (kind, action), rules in snapshot.model.index.set_rules.items():
        if kind == ref.type:
            check = Check(
                Actor(DEFAULT_ENVIRONMENT, tenant, user),
                action,
                ref,
                user_attributes=wanted.attributes,
                resource_attributes={},
                context=wanted.context,
            )
            decision = decide(snapshot.model, snapshot.facts, check)
            if decision.reason_code is ReasonCode.CONDITION_SET:
                permissions.append(f"{kind}:{action}")
                rule = next(each for each in rules if each.rule == decision.rule)
                sets = {"userset": rule.user_set, "resourceset": rule.resource_set}
    return permissions, sets


def _is_wanted(wanted: Wanted, kind: str, name: str) -> bool:
    if wanted.resources is not None and name not in wanted.resources:
        return False
    return wanted.types is None or kind in wanted.types


def _granted(grants: Mapping[tuple[str, str], Any], roles: Any, kind: str | None) -> list[str]:
    held = set(roles)
    return sorted(
        f"{of}:{action}"
        for (of, action), each in grants.items()
        if kind in {None, of} and any(grant.role in held for grant in each)
    )

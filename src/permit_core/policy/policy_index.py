"""A valid policy, rearranged for deciding: whatever can be looked up is not searched for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from permit_core.policy.condition_reader import parse_condition
from permit_core.policy.conditions import Condition
from permit_core.policy.guards import Guard, GuardKind, build_guards
from permit_core.policy.marked_yaml import dotted
from permit_core.policy.references import declared_attributes
from permit_core.policy.schema import PolicyDocument


@dataclass(frozen=True, slots=True)
class Grant:
    """Holding ``role`` grants the action. ``through`` is the role it extends that says so, or the role itself."""

    role: str
    through: str
    rule: str


@dataclass(frozen=True, slots=True)
class DerivedFrom:
    """``role`` on an instance of ``resource`` in ``relation`` to the object gives the role this stands under."""

    role: str
    resource: str
    relation: str
    unless_direct: bool
    rule: str


@dataclass(frozen=True, slots=True)
class IndexedSetRule:
    """A set rule; exactly one of the three kinds of users is set, and no condition on things means all of the type."""

    rule: str
    user_set: str
    resource_set: str
    tenant_role: str | None
    object_role: str | None
    users: Condition | None
    things: Condition | None
    when: Condition | None


@dataclass(frozen=True, slots=True)
class IndexedOperation:
    """An operation that can be approved once, for holders of one of the roles ``asked_by`` (sorted)."""

    rule: str
    asked_by: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PolicyIndex:
    """Keys are (type, action) where nothing else is said.

    ``derivations`` are by (type, role), ``tools`` by tenant role, ``guards`` by (section, name). ``instance_roles`` are the roles of ``instance_grants``, in the same order.
    """

    actions: frozenset[tuple[str, str]]
    tenant_grants: Mapping[tuple[str, str], tuple[Grant, ...]]
    instance_grants: Mapping[tuple[str, str], tuple[Grant, ...]]
    instance_roles: Mapping[tuple[str, str], tuple[str, ...]]
    derivations: Mapping[tuple[str, str], tuple[DerivedFrom, ...]]
    set_rules: Mapping[tuple[str, str], tuple[IndexedSetRule, ...]]
    operations: Mapping[tuple[str, str], IndexedOperation]
    tools: Mapping[str, frozenset[str]]
    guards: Mapping[tuple[GuardKind, str], Guard]


def build_index(document: PolicyDocument) -> PolicyIndex:
    """Index a document in which :func:`references.find_faults` finds nothing."""
    instance_grants = _instance_grants(document)
    return PolicyIndex(
        actions=frozenset((key, action) for key, kind in document.resources.items() for action in kind.actions),
        tenant_grants=_tenant_grants(document),
        instance_grants=instance_grants,
        instance_roles={key: tuple(grant.role for grant in grants) for key, grants in instance_grants.items()},
        derivations=_derivations(document),
        set_rules=_set_rules(document),
        operations={
            (rule.resource, rule.operation): IndexedOperation(
                f"operation_approvals.{number}", tuple(sorted(rule.asked_by))
            )
            for number, rule in enumerate(document.operation_approvals)
        },
        tools=_tools(document),
        guards=build_guards(document),
    )


def _lineage(role: str, extends: Mapping[str, tuple[str, ...]]) -> list[str]:
    """The role and all it extends, nearest first."""
    found = [role]
    for each in found:  # grows while it is walked
        found.extend(base for base in extends[each] if base not in found)
    return found


def _tenant_grants(document: PolicyDocument) -> dict[tuple[str, str], tuple[Grant, ...]]:
    extends = {name: role.extends for name, role in document.roles.items()}
    found: dict[tuple[str, str], dict[str, Grant]] = {}
    for role in document.roles:
        for base in _lineage(role, extends):
            for permission in document.roles[base].permissions:
                kind, _, action = permission.partition(":")
                found.setdefault((kind, action), {}).setdefault(role, Grant(role, base, f"roles.{role}"))
    return {key: tuple(grants.values()) for key, grants in found.items()}


def _instance_grants(document: PolicyDocument) -> dict[tuple[str, str], tuple[Grant, ...]]:
    found: dict[tuple[str, str], dict[str, Grant]] = {}
    for key, kind in document.resources.items():
        extends = {name: role.extends for name, role in kind.roles.items()}
        for role in kind.roles:
            for base in _lineage(role, extends):
                for permission in kind.roles[base].permissions:
                    grant = Grant(role, base, f"resources.{key}.roles.{role}")
                    found.setdefault((key, permission.removeprefix(f"{key}:")), {}).setdefault(role, grant)
    return {key: tuple(grants.values()) for key, grants in found.items()}


def _derivations(document: PolicyDocument) -> dict[tuple[str, str], tuple[DerivedFrom, ...]]:
    found: dict[tuple[str, str], tuple[DerivedFrom, ...]] = {}
    for key, kind in document.resources.items():
        for role, body in kind.roles.items():
            if body.granted_to is None:
                continue
            always = body.granted_to.when.no_direct_roles_on_object
            place = ("resources", key, "roles", role, "granted_to", "users_with_role")
            found[key, role] = tuple(
                DerivedFrom(
                    rule.role,
                    rule.on_resource,
                    rule.linked_by_relation,
                    always or rule.when.no_direct_roles_on_object,
                    dotted((*place, number)),
                )
                for number, rule in enumerate(body.granted_to.users_with_role)
            )
    return found


def _set_rules(document: PolicyDocument) -> dict[tuple[str, str], tuple[IndexedSetRule, ...]]:
    about_users = declared_attributes(document, None)
    users = {
        key: parse_condition(each.conditions, ("user_sets", key), about_users)
        for key, each in document.user_sets.items()
    }
    things = {
        key: parse_condition(each.conditions, ("resource_sets", key), declared_attributes(document, each.resource))
        for key, each in document.resource_sets.items()
    }
    found: dict[tuple[str, str], list[IndexedSetRule]] = {}
    for number, rule in enumerate(document.set_rules):
        kind, _, action = rule.permission.partition(":")
        _, on_object, object_role = rule.user_set.partition("#")
        indexed = IndexedSetRule(
            rule=f"set_rules.{number}",
            user_set=rule.user_set,
            resource_set=rule.resource_set,
            tenant_role=rule.user_set if rule.is_role and not on_object else None,
            object_role=object_role if rule.is_role and on_object else None,
            users=None if rule.is_role else users[rule.user_set],
            things=None if rule.is_resource else things[rule.resource_set],
            when=None
            if rule.when is None
            else parse_condition(rule.when, ("set_rules", number, "when"), declared_attributes(document, kind, action)),
        )
        found.setdefault((kind, action), []).append(indexed)
    return {key: tuple(rules) for key, rules in found.items()}


def _tools(document: PolicyDocument) -> dict[str, frozenset[str]]:
    extends = {name: role.extends for name, role in document.roles.items()}
    return {
        role: frozenset(tool for base in _lineage(role, extends) for tool in document.roles[base].tools)
        for role in document.roles
    }

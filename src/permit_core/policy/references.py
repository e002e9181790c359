"""What the names in a policy file must refer to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from permit_core.policy.condition_reader import ConditionFault, Declared, parse_condition
from permit_core.policy.marked_yaml import Path
from permit_core.policy.near import close_to
from permit_core.policy.operators import OPERATORS
from permit_core.policy.schema import (
    AttributeType,
    PinOperator,
    PolicyDocument,
    ResourceSet,
    ResourceType,
    SetRule,
    ToolRule,
    UserSet,
)

BUILT_IN_USER: Mapping[str, AttributeType] = {
    "key": "string",
    "email": "string",
    "first_name": "string",
    "last_name": "string",
    "roles": "array",
}
"""What every user has; ``roles`` are the tenant roles in the tenant of the check."""

BUILT_IN_RESOURCE: Mapping[str, AttributeType] = {"type": "string", "key": "string", "tenant": "string"}
"""What every resource has."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Something is wrong at ``path``; ``expected`` says what should stand there."""

    path: Path
    expected: str


class PolicyFaults(ValueError):
    """A policy refers to what is not there. ``faults`` is never empty."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__("; ".join(f"{'.'.join(map(str, fault.path))}: {fault.expected}" for fault in faults))
        self.faults = faults


def declared_attributes(document: PolicyDocument, resource: str | None, action: str | None = None) -> Declared:
    """What conditions on ``resource`` (None: on users) may name, built-in attributes included.

    ``call.`` are the arguments of the tools that are about the type, or only of those that do ``action`` with it.
    """
    types = {
        key: {**{name: each.type for name, each in kind.attributes.items()}, **BUILT_IN_RESOURCE}
        for key, kind in document.resources.items()
    }
    user = {**{name: each.type for name, each in document.user_attributes.items()}, **BUILT_IN_USER}
    call, mixed = (None, frozenset[str]()) if resource is None else call_arguments(document, resource, action)
    return Declared(user, types, resource, call=call, mixed=mixed)


def guarded(document: PolicyDocument) -> Iterator[tuple[Path, ToolRule]]:
    """Every declared tool, resource and prompt, with its place."""
    for section in ("tools", "mcp_resources", "prompts"):
        for name, rule in getattr(document, section).items():
            yield (section, name), rule


def places_of_calls(document: PolicyDocument) -> list[str]:
    """Where sets and rules ask for what only our own engine and OPA know: arguments of a call, or a rule's ``when``."""
    sets: list[tuple[str, UserSet | ResourceSet]] = [*document.user_sets.items(), *document.resource_sets.items()]
    found = [f"set_rules.{place}.when" for place, rule in enumerate(document.set_rules) if rule.when is not None]
    return [*found, *(key for key, each in sets if _names_call(each.conditions))]


def _names_call(raw: Any) -> bool:
    if isinstance(raw, Mapping):
        return any(key.startswith("call.") or _names_call(value) for key, value in raw.items())
    if isinstance(raw, list | tuple):
        return any(map(_names_call, raw))
    return isinstance(raw, str) and raw.startswith("call.")


def call_arguments(
    document: PolicyDocument, resource: str, action: str | None
) -> tuple[dict[str, AttributeType], frozenset[str]]:
    """The declared arguments of whatever acts on a type, and those of them that are declared with several types."""
    types: dict[str, set[AttributeType]] = {}
    for _, rule in guarded(document):
        about = (rule.resource or "").partition(":")[0]
        if about == resource and action in {None, rule.action}:
            for name, declared in rule.arguments.items():
                types.setdefault(name, set()).add(declared)
    mixed = frozenset(name for name, found in types.items() if len(found) > 1)
    return {name: found.pop() for name, found in types.items() if name not in mixed}, mixed


def find_faults(document: PolicyDocument) -> list[Fault]:
    """Everything that is wrong with a document of the right shape; empty when nothing is."""
    return [
        *_reload(document),
        *_reserved(document.user_attributes, BUILT_IN_USER, ("user_attributes",)),
        *(fault for key, kind in document.resources.items() for fault in _resource(document, key, kind)),
        *_tenant_roles(document),
        *_sets(document),
        *(fault for place, rule in enumerate(document.set_rules) for fault in _set_rule(document, place, rule)),
        *_access_requests(document),
        *_operation_approvals(document),
    ]


def _reload(document: PolicyDocument) -> Iterator[Fault]:
    if document.reload == "ask" and not document.operators:
        yield Fault(("reload",), "expected operators as well: nobody could accept a change; name who may, or say now")


def one_of(path: Path, value: str, known: Iterable[str], what: str) -> Iterator[Fault]:
    """A fault unless ``value`` is one of the known names; it lists them, and the one that is near."""
    choices = sorted(known)
    if value not in choices:
        listed = f" ({', '.join(choices)})" if choices else "; there is none"
        yield Fault(path, f"expected {what}{listed}; found {value!r}{close_to(value, choices)}")


def _repeated(path: Path, values: Iterable[str]) -> Iterator[Fault]:
    seen: set[str] = set()
    for place, value in enumerate(values):
        if value in seen:
            yield Fault((*path, place), f"expected every entry once; {value!r} is repeated")
        seen.add(value)


def _reserved(declared: Iterable[str], built_in: Iterable[str], path: Path) -> Iterator[Fault]:
    for name in declared:
        if name in built_in:
            yield Fault((*path, name), f"expected another name: {name!r} is built in")


def _extends(roles: Mapping[str, Iterable[str]], path: Path) -> Iterator[Fault]:
    """Roles extend roles that exist, and never themselves, not even in a circle."""
    for role, extended in roles.items():
        for place, base in enumerate(extended):
            yield from one_of((*path, role, "extends", place), base, roles, "a role of the same kind")
        reached, todo = set[str](), list(extended)
        while todo:
            base = todo.pop()
            if base not in reached:
                reached.add(base)
                todo.extend(roles.get(base, ()))
        if role in reached:
            yield Fault((*path, role, "extends"), "expected roles that do not lead back to this one")


def _resource(document: PolicyDocument, key: str, kind: ResourceType) -> Iterator[Fault]:
    here: Path = ("resources", key)
    yield from _repeated((*here, "actions"), kind.actions)
    yield from _reserved(kind.attributes, BUILT_IN_RESOURCE, (*here, "attributes"))
    for relation, subject in kind.relations.items():
        yield from one_of((*here, "relations", relation), subject, document.resources, "a resource type")
    yield from _extends({name: role.extends for name, role in kind.roles.items()}, (*here, "roles"))
    for name, role in kind.roles.items():
        path = (*here, "roles", name)
        for place, permission in enumerate(role.permissions):
            action = permission.removeprefix(f"{key}:")
            yield from one_of((*path, "permissions", place), action, kind.actions, f"an action of {key}")
        for place, rule in enumerate(role.granted_to.users_with_role if role.granted_to else ()):
            at = (*path, "granted_to", "users_with_role", place)
            source = document.resources.get(rule.on_resource)
            if source is None:
                yield from one_of((*at, "on_resource"), rule.on_resource, document.resources, "a resource type")
                continue
            yield from one_of((*at, "role"), rule.role, source.roles, f"a role of {rule.on_resource}")
            fitting = [relation for relation, subject in kind.relations.items() if subject == rule.on_resource]
            what = f"a relation of {key} whose subjects are {rule.on_resource}"
            yield from one_of((*at, "linked_by_relation"), rule.linked_by_relation, fitting, what)


def _permission(document: PolicyDocument, path: Path, permission: str) -> Iterator[Fault]:
    kind, colon, action = permission.partition(":")
    if not colon:
        yield Fault(path, f"expected resource:action; found {permission!r}")
    elif kind not in document.resources:
        yield from one_of(path, kind, document.resources, "resource:action with a resource type")
    else:
        yield from one_of(path, action, document.resources[kind].actions, f"an action of {kind} after the colon")


def _tenant_roles(document: PolicyDocument) -> Iterator[Fault]:
    yield from _extends({name: role.extends for name, role in document.roles.items()}, ("roles",))
    for name, role in document.roles.items():
        for place, permission in enumerate(role.permissions):
            yield from _permission(document, ("roles", name, "permissions", place), permission)
        yield from _repeated(("roles", name, "tools"), role.tools)


def _sets(document: PolicyDocument) -> Iterator[Fault]:
    for name, users in document.user_sets.items():
        yield from _condition(document, ("user_sets", name, "conditions"), users.conditions, None)
    for name, things in document.resource_sets.items():
        path: Path = ("resource_sets", name)
        if things.resource in document.resources:
            yield from _condition(document, (*path, "conditions"), things.conditions, things.resource)
        else:
            yield from one_of((*path, "resource"), things.resource, document.resources, "a resource type")


def _condition(
    document: PolicyDocument, path: Path, raw: object, resource: str | None, action: str | None = None
) -> Iterator[Fault]:
    try:
        parse_condition(raw, path, declared_attributes(document, resource, action))
    except ConditionFault as fault:
        yield Fault(fault.path, fault.expected)


def _set_rule(document: PolicyDocument, place: int, rule: SetRule) -> Iterator[Fault]:
    here: Path = ("set_rules", place)
    wrong = list(_permission(document, (*here, "permission"), rule.permission))
    yield from wrong
    if wrong:
        return
    resource = rule.permission.partition(":")[0]
    kind, hash_sign, role = rule.user_set.partition("#")
    if not rule.is_role:
        what = "a user set (or is_role: true)"
        yield from one_of((*here, "user_set"), rule.user_set, document.user_sets, what)
    elif not hash_sign:
        yield from one_of((*here, "user_set"), rule.user_set, document.roles, "a tenant role, or type#role")
    else:
        yield from one_of((*here, "user_set"), kind, [resource], "type#role with the type of the permission")
        if kind == resource:
            roles = document.resources[resource].roles
            yield from one_of((*here, "user_set"), role, roles, f"a role of {resource} after the #")
    if rule.is_resource:
        yield from one_of((*here, "resource_set"), rule.resource_set, [resource], "the type of the permission")
    else:
        fitting = [name for name, things in document.resource_sets.items() if things.resource == resource]
        yield from one_of((*here, "resource_set"), rule.resource_set, fitting, f"a resource set of {resource}")
    if rule.when is not None:
        action = rule.permission.partition(":")[2]
        yield from _condition(document, (*here, "when"), rule.when, resource, action)


def _access_requests(document: PolicyDocument) -> Iterator[Fault]:
    seen: set[tuple[str, str]] = set()
    for place, rule in enumerate(document.access_requests):
        here: Path = ("access_requests", place)
        kind = document.resources.get(rule.resource)
        if kind is None:
            yield from one_of((*here, "resource"), rule.resource, document.resources, "a resource type")
            continue
        yield from one_of((*here, "role"), rule.role, kind.roles, f"a role of {rule.resource}")
        yield from one_of((*here, "review_action"), rule.review_action, kind.actions, f"an action of {rule.resource}")
        for role in sorted(rule.asked_by):
            yield from one_of((*here, "asked_by"), role, document.roles, "tenant roles")
        if (rule.resource, rule.role) in seen:
            yield Fault(here, f"expected one entry for each role; {rule.resource}#{rule.role} is repeated")
        seen.add((rule.resource, rule.role))


def _operation_approvals(document: PolicyDocument) -> Iterator[Fault]:
    seen: set[tuple[str, str]] = set()
    for place, rule in enumerate(document.operation_approvals):
        here: Path = ("operation_approvals", place)
        kind = document.resources.get(rule.resource)
        if kind is None:
            yield from one_of((*here, "resource"), rule.resource, document.resources, "a resource type")
            continue
        for name, action in (("operation", rule.operation), ("review_action", rule.review_action)):
            yield from one_of((*here, name), action, kind.actions, f"an action of {rule.resource}")
        for role in sorted(rule.asked_by):
            yield from one_of((*here, "asked_by"), role, kind.roles, f"roles of {rule.resource}")
        yield from pinned_faults(kind, rule.resource, rule.pinned, here)
        if (rule.resource, rule.operation) in seen:
            yield Fault(here, f"expected one entry for each operation; {rule.resource}:{rule.operation} is repeated")
        seen.add((rule.resource, rule.operation))


def pinned_faults(kind: ResourceType, resource: str, pinned: Mapping[str, PinOperator], here: Path) -> Iterator[Fault]:
    """What is pinned must be an attribute of the type, by an operator that it has."""
    for name, operator in pinned.items():
        at = (*here, "pinned", name)
        yield from one_of(at, name, kind.attributes, f"an attribute of {resource}")
        if name in kind.attributes and kind.attributes[name].type not in OPERATORS[operator].types:
            yield Fault(at, f"expected an operator for {kind.attributes[name].type}; found {operator}")

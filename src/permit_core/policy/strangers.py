"""What is stored and the policy has no word for: roles, relations, types, attributes, and requests nobody can grant."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from permit_core.access import ResourceRef
from permit_core.entries import RelationshipTuple, RoleAssignment
from permit_core.policy.facts import Facts
from permit_core.policy.model import PolicyModel
from permit_core.policy.near import close_to
from permit_core.policy.operators import check_value
from permit_core.policy.schema import Attribute

StrangerKind = Literal["role", "relation", "type", "attribute", "request"]
_NAMED = 3
"""How many of those concerned a line names."""


class RequestLike(Protocol):
    """An undecided request: for a role, or for an operation. What it is not for is None."""

    @property
    def id(self) -> str: ...  # noqa: D102
    @property
    def resource(self) -> ResourceRef: ...  # noqa: D102
    @property
    def role(self) -> str | None: ...  # noqa: D102
    @property
    def operation(self) -> str | None: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Stranger:
    """Something stored that the policy does not know.

    Attributes:
        kind: what it is.
        subject: its name: ``docs#reader``, ``docs.owner``, ``docs``, ``docs.size``, a request's id.
        text: one sentence: what is stored, and what to do.
    """

    kind: StrangerKind
    subject: str
    text: str


def knows_role(model: PolicyModel, resource: ResourceRef | None, role: str) -> bool:
    """Whether the policy has a role, on instances of the resource's type or, for None, tenant-wide."""
    return role in model.roles if resource is None else model.has_resource_role(resource.type, role)


def unknown_assignments(model: PolicyModel, assignments: Iterable[RoleAssignment]) -> list[RoleAssignment]:
    """Those whose role the policy does not have. They grant nothing, and must not when a role of the name comes back."""
    return [given for given in assignments if not knows_role(model, given.resource, given.role)]


def unknown_tuples(model: PolicyModel, tuples: Iterable[RelationshipTuple]) -> list[RelationshipTuple]:
    """Those whose relation the policy does not have between the two types."""
    return [link for link in tuples if model.relation_subject(link.object.type, link.relation) != link.subject.type]


def strangers(model: PolicyModel, facts: Facts, requests: Iterable[RequestLike] = ()) -> list[Stranger]:
    """Everything stored that the policy does not know, one entry for each name; empty when it knows all."""
    return [
        *_roles(model, facts),
        *_relations(model, facts),
        *_instances(model, facts),
        *_users(model, facts),
        *_requests(model, requests),
    ]


def _roles(model: PolicyModel, facts: Facts) -> Iterator[Stranger]:
    holders: defaultdict[str, list[str]] = defaultdict(list)
    known: dict[str, Iterable[str]] = {}
    for (user, _), held in facts.held.items():
        for on, roles in held.items():
            for role in roles:
                if not knows_role(model, on, role):
                    subject = role if on is None else f"{on.type}#{role}"
                    holders[subject].append(user)
                    kind = model.resource_type(on.type) if on is not None else None
                    known[subject] = model.roles if on is None else kind.roles if kind else ()
    for subject, users in sorted(holders.items()):
        near = close_to(subject.rpartition("#")[2], known[subject])
        yield Stranger(
            "role",
            subject,
            f"role {subject} is held by {_some('user', sorted(set(users)))}, and the policy has no such role{near}: it grants "
            "nothing; give another role, or revoke it",
        )


def _relations(model: PolicyModel, facts: Facts) -> Iterator[Stranger]:
    found: defaultdict[str, list[str]] = defaultdict(list)
    for (thing, relation), subjects in facts.subjects.items():
        wanted = model.relation_subject(thing.type, relation)
        for subject in subjects:
            if subject.type != wanted:
                found[f"{thing.type}.{relation}"].append(f"{subject} {relation} {thing}")
    for name, links in sorted(found.items()):
        yield Stranger(
            "relation",
            name,
            f"relation {name} is stored for {_some('pair', sorted(links))}, and the policy has no such relation between "
            "these types: no role is derived along it",
        )


def _instances(model: PolicyModel, facts: Facts) -> Iterator[Stranger]:
    types: defaultdict[str, list[str]] = defaultdict(list)
    wrong: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for ref, instance in facts.instances.items():
        kind = model.resource_type(ref.type)
        if kind is None:
            types[ref.type].append(str(ref))
            continue
        for name, fault in _attributes(instance.attributes, kind.attributes):
            wrong[f"{ref.type}.{name}", fault].append(str(ref))
    for name, refs in sorted(types.items()):
        text = f"type {name} has {_some('instance', sorted(refs))}, and the policy has no such type: nothing is allowed on it"
        yield Stranger("type", name, text + close_to(name, model.resources))
    yield from _wrong_attributes(wrong, "instance")


def _users(model: PolicyModel, facts: Facts) -> Iterator[Stranger]:
    wrong: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for user in facts.users.values():
        for name, fault in _attributes(user.attributes, model.user_attributes):
            wrong[f"user.{name}", fault].append(user.key)
    yield from _wrong_attributes(wrong, "user")


def _wrong_attributes(wrong: Mapping[tuple[str, str], list[str]], what: str) -> Iterator[Stranger]:
    for (name, fault), owners in sorted(wrong.items()):
        text = f"attribute {name} of {_some(what, sorted(owners))}: {fault}"
        yield Stranger("attribute", name, text)


def _attributes(values: Mapping[str, Any], declared: Mapping[str, Attribute]) -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        if name not in declared:
            yield name, "the policy does not declare it, so no condition can read it"
        elif (expected := check_value(declared[name].type, value)) is not None:
            yield name, f"the policy says {declared[name].type}, so {expected} is expected; no condition holds on it"


def _requests(model: PolicyModel, requests: Iterable[RequestLike]) -> Iterator[Stranger]:
    for request in requests:
        kind = request.resource.type
        if request.role is not None:
            known = any(rule.role == request.role for rule in model.requestable_roles(kind))
            wanted = f"role {request.role}"
        elif request.operation is not None and getattr(request, "called", None) is None:
            known = model.operation_rule(request.operation, kind) is not None
            wanted = f"operation {request.operation}"
        else:
            # One call, held by the rule of its tool; of an open tool it is on nothing.
            action = request.operation
            known = not kind or (
                model.resource_type(kind) is not None if action is None else model.has_action(kind, action)
            )
            wanted = "a call" if action is None else f"a call that does {action}"
        if not known:
            text = f"request {request.id} asks for {wanted} on {request.resource}, which the policy has no rule for: deny it"
            yield Stranger("request", request.id, text)


def undeclared_tools(model: PolicyModel, tools: Iterable[str]) -> list[str]:
    """A line for each tool that calls wait for and the policy does not declare: code may, which the policy cannot know."""
    return [
        f"a call of {tool} waits, and the policy declares no such tool{close_to(tool, model.tools)}: unless code does, deny it"
        for tool in sorted(set(tools) - model.tools.keys())
    ]


def _some(what: str, names: list[str]) -> str:
    listed = ", ".join(names[:_NAMED]) + (", ..." if len(names) > _NAMED else "")
    return f"{len(names)} {what}{'' if len(names) == 1 else 's'} ({listed})"

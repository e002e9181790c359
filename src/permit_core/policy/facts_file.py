"""Facts from a file: what a new database starts with, and what scenario tables are decided on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

from permit_core.access import ResourceRef
from permit_core.entries import RelationshipTuple, ResourceInstance, RoleAssignment, User
from permit_core.policy.facts import Facts
from permit_core.policy.facts_schema import FactsDocument, FactsSections, TenantEntry
from permit_core.policy.loader import read_shape
from permit_core.policy.marked_yaml import MarkedDocument, Path, read_marked
from permit_core.policy.model import PolicyModel
from permit_core.policy.operators import check_value
from permit_core.policy.schema import Attribute


@dataclass(frozen=True, slots=True)
class FactsFile:
    """What a facts file says, in the directory's nouns and in the order of the file."""

    tenants: tuple[TenantEntry, ...]
    users: tuple[User, ...]
    instances: tuple[ResourceInstance, ...]
    assignments: tuple[RoleAssignment, ...]
    tuples: tuple[RelationshipTuple, ...]

    def facts(self) -> Facts:
        """The same, indexed for deciding."""
        tenants = [tenant.key for tenant in self.tenants]
        return Facts.of(self.users, tenants, self.instances, self.assignments, self.tuples)


def load_facts(path: str | FilePath, model: PolicyModel | None = None) -> FactsFile:
    """Read a facts file.

    Args:
        path: the file.
        model: when given, every type, role, relation and attribute must be one of this policy's.

    Raises:
        PolicyFileError: the first thing in the file that is wrong.
    """
    document = read_marked(path)
    return facts_with(FactsFile((), (), (), (), ()), document, read_shape(document, FactsDocument), (), model)


def facts_with(
    base: FactsFile, document: MarkedDocument, more: FactsSections, at: Path = (), model: PolicyModel | None = None
) -> FactsFile:
    """``base`` and the facts of ``more``, which stand at ``at`` in ``document``.

    Raises:
        PolicyFileError: an entry contradicts another, or the policy.
    """
    tenants = (*base.tenants, *more.tenants)
    first = tenants[0].key
    result = FactsFile(
        tenants=tenants,
        users=base.users + tuple(User(**entry.model_dump()) for entry in more.users),
        instances=base.instances
        + tuple(
            ResourceInstance(ResourceRef(entry.resource, entry.key), entry.tenant or first, entry.attributes)
            for entry in more.resource_instances
        ),
        assignments=base.assignments
        + tuple(
            RoleAssignment(
                entry.user,
                entry.role,
                entry.tenant or first,
                ResourceRef.parse(entry.resource_instance) if entry.resource_instance else None,
            )
            for entry in more.role_assignments
        ),
        tuples=base.tuples
        + tuple(
            RelationshipTuple(
                ResourceRef.parse(entry.subject), entry.relation, ResourceRef.parse(entry.object), entry.tenant or first
            )
            for entry in more.relationship_tuples
        ),
    )
    known = {
        "tenants": len(base.tenants),
        "users": len(base.users),
        "resource_instances": len(base.instances),
        "role_assignments": len(base.assignments),
        "relationship_tuples": len(base.tuples),
    }
    wrong = [
        document.error((*at, section, place - known[section], *rest), expected)
        for (section, place, *rest), expected in (
            *_contradictions(result),
            *(_strangers(result, model) if model else ()),
        )
    ]
    if wrong:
        raise min(wrong, key=lambda error: error.line or 0)
    return result


Complaint = tuple[tuple[str, int, *tuple[str, ...]], str]
"""Section, place in it, keys below; and what was expected there."""


def _contradictions(facts: FactsFile) -> Iterator[Complaint]:
    """Entries that do not fit each other."""
    tenants = {tenant.key for tenant in facts.tenants}
    users = {user.key for user in facts.users}
    instances = {instance.ref: instance.tenant for instance in facts.instances}
    yield from _once("tenants", [tenant.key for tenant in facts.tenants])
    yield from _once("users", [user.key for user in facts.users])
    yield from _once("resource_instances", [str(instance.ref) for instance in facts.instances])
    in_tenants = {
        "resource_instances": [instance.tenant for instance in facts.instances],
        "relationship_tuples": [link.tenant for link in facts.tuples],
        "role_assignments": [given.tenant for given in facts.assignments],
    }
    for section, named in in_tenants.items():
        for place, tenant in enumerate(named):
            if tenant not in tenants:
                yield (section, place, "tenant"), f"expected one of the tenants ({', '.join(sorted(tenants))})"
    for place, link in enumerate(facts.tuples):
        for end, ref in (("subject", link.subject), ("object", link.object)):
            if instances.get(ref) != link.tenant:
                yield ("relationship_tuples", place, end), f"expected a resource instance of tenant {link.tenant}"
    for place, given in enumerate(facts.assignments):
        if given.user not in users:
            yield ("role_assignments", place, "user"), "expected the key of a user"
        if given.resource is not None and instances.get(given.resource) != given.tenant:
            yield (
                ("role_assignments", place, "resource_instance"),
                f"expected a resource instance of tenant {given.tenant}",
            )


def _once(section: str, keys: list[str]) -> Iterator[Complaint]:
    seen: set[str] = set()
    for place, key in enumerate(keys):
        if key in seen:
            yield (section, place, "key"), f"expected every key once; {key!r} is repeated"
        seen.add(key)


def _strangers(facts: FactsFile, model: PolicyModel) -> Iterator[Complaint]:
    """Entries that the policy has no word for."""
    for place, user in enumerate(facts.users):
        for name, expected in _attributes(user.attributes, model.user_attributes):
            yield ("users", place, "attributes", name), expected
    for place, instance in enumerate(facts.instances):
        kind = model.resource_type(instance.ref.type)
        if kind is None:
            yield ("resource_instances", place, "resource"), "expected a resource type of the policy"
            continue
        for name, expected in _attributes(instance.attributes, kind.attributes):
            yield ("resource_instances", place, "attributes", name), expected
    for place, link in enumerate(facts.tuples):
        if model.relation_subject(link.object.type, link.relation) != link.subject.type:
            yield (
                ("relationship_tuples", place, "relation"),
                f"expected a relation of {link.object.type} whose subjects are {link.subject.type}",
            )
    for place, given in enumerate(facts.assignments):
        if given.resource is None:
            if given.role not in model.roles:
                yield ("role_assignments", place, "role"), "expected a tenant role of the policy"
        elif not model.has_resource_role(given.resource.type, given.role):
            yield ("role_assignments", place, "role"), f"expected a role of {given.resource.type}"


def _attributes(values: Mapping[str, Any], declared: Mapping[str, Attribute]) -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        if name not in declared:
            yield name, "expected an attribute that the policy declares"
        elif (expected := check_value(declared[name].type, value)) is not None:
            yield name, f"expected a value of type {declared[name].type}: {expected}"

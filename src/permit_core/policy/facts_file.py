"""Facts from a file: what a new database starts with, and what scenario tables are decided on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Annotated, Any

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

from permit_core.access import USER_KEY, ResourceRef
from permit_core.entries import RelationshipTuple, ResourceInstance, RoleAssignment, User
from permit_core.errors import InvalidInput
from permit_core.policy.facts import Facts
from permit_core.policy.loader import read_shape
from permit_core.policy.marked_yaml import MarkedDocument, Path, read_marked
from permit_core.policy.model import PolicyModel
from permit_core.policy.operators import KIND_OF_TYPE, kind_of
from permit_core.policy.schema import Key, Part, Text


def _check_user_key(value: Any) -> Any:
    if not isinstance(value, str) or not USER_KEY.match(value):
        raise PydanticCustomError("key", "a user key of letters, digits and | @ + - . _; quote a number")
    return value


def _check_instance(value: Any) -> Any:
    try:
        ref = ResourceRef.parse(value) if isinstance(value, str) else None
    except InvalidInput:
        ref = None
    if ref is None or ref.key is None:
        raise PydanticCustomError("key", "an instance in the form type:key")
    return value


UserKey = Annotated[str, BeforeValidator(_check_user_key)]
InstanceText = Annotated[str, BeforeValidator(_check_instance)]


class TenantEntry(Part):
    """A tenant."""

    key: Key
    name: Text


class UserEntry(Part):
    """A user."""

    key: UserKey
    first_name: Text
    last_name: str = ""
    email: str = ""
    attributes: Mapping[str, Any] = Field(default_factory=dict)


class InstanceEntry(Part):
    """A resource instance."""

    resource: Key
    key: Key
    tenant: Key | None = None
    attributes: Mapping[str, Any] = Field(default_factory=dict)


class TupleEntry(Part):
    """``subject`` stands in ``relation`` to ``object``."""

    subject: InstanceText
    relation: Key
    object: InstanceText
    tenant: Key | None = None


class AssignmentEntry(Part):
    """A role, tenant-wide unless ``resource_instance`` is given."""

    user: UserKey
    role: Key
    resource_instance: InstanceText | None = None
    tenant: Key | None = None


class FactsDocument(Part):
    """The closed shape of a facts file."""

    tenants: tuple[TenantEntry, ...] = Field(min_length=1)
    users: tuple[UserEntry, ...] = ()
    resource_instances: tuple[InstanceEntry, ...] = ()
    relationship_tuples: tuple[TupleEntry, ...] = ()
    role_assignments: tuple[AssignmentEntry, ...] = ()


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
    return facts_of(document, read_shape(document, FactsDocument), (), model)


def facts_of(document: MarkedDocument, shape: FactsDocument, at: Path, model: PolicyModel | None) -> FactsFile:
    """The facts of a document whose facts stand at ``at``.

    Raises:
        PolicyFileError: an entry contradicts another, or the policy.
    """
    tenants = [tenant.key for tenant in shape.tenants]
    only = tenants[0] if len(tenants) == 1 else ""
    result = FactsFile(
        tenants=shape.tenants,
        users=tuple(User(**entry.model_dump()) for entry in shape.users),
        instances=tuple(
            ResourceInstance(ResourceRef(entry.resource, entry.key), entry.tenant or only, entry.attributes)
            for entry in shape.resource_instances
        ),
        assignments=tuple(
            RoleAssignment(
                entry.user,
                entry.role,
                entry.tenant or only,
                ResourceRef.parse(entry.resource_instance) if entry.resource_instance else None,
            )
            for entry in shape.role_assignments
        ),
        tuples=tuple(
            RelationshipTuple(
                ResourceRef.parse(entry.subject), entry.relation, ResourceRef.parse(entry.object), entry.tenant or only
            )
            for entry in shape.relationship_tuples
        ),
    )
    for path, expected in (*_contradictions(result), *(_strangers(result, model) if model else ())):
        raise document.error((*at, *path), expected)
    return result


Complaint = tuple[Path, str]


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
        at: Path = ("users", place, "attributes")
        yield from _attributes(at, user.attributes, {name: a.type for name, a in model.user_attributes.items()})
    for place, instance in enumerate(facts.instances):
        kind = model.resource_type(instance.ref.type)
        if kind is None:
            yield ("resource_instances", place, "resource"), "expected a resource type of the policy"
            continue
        at = ("resource_instances", place, "attributes")
        yield from _attributes(at, instance.attributes, {name: a.type for name, a in kind.attributes.items()})
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


def _attributes(at: Path, values: Mapping[str, Any], declared: Mapping[str, Any]) -> Iterator[Complaint]:
    for name, value in values.items():
        if name not in declared:
            yield (*at, name), "expected an attribute that the policy declares"
        elif KIND_OF_TYPE[declared[name]] not in {None, kind_of(value)}:
            yield (*at, name), f"expected a value of type {declared[name]}"

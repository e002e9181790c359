"""What is true: users, tenants, instances, role assignments and relationship tuples, indexed for deciding."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from permit_core.access import ResourceRef
from permit_core.entries import RelationshipTuple, ResourceInstance, RoleAssignment, User

Held = Mapping[ResourceRef | None, tuple[str, ...]]
"""The direct roles of one user in one tenant; under None the tenant-wide ones."""

_NOTHING: Held = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Facts:
    """One state of the facts. Never changed once it is made; made with :meth:`of`.

    An assignment counts in its tenant only, a tuple only where both of its ends belong to its tenant.
    """

    users: Mapping[str, User]
    tenants: frozenset[str]
    instances: Mapping[ResourceRef, ResourceInstance]
    held: Mapping[tuple[str, str], Held]
    subjects: Mapping[tuple[ResourceRef, str], tuple[ResourceRef, ...]]
    objects: Mapping[tuple[ResourceRef, str], tuple[ResourceRef, ...]]
    by_type: Mapping[tuple[str, str], tuple[ResourceInstance, ...]]

    @classmethod
    def of(
        cls,
        users: Iterable[User],
        tenants: Iterable[str],
        instances: Iterable[ResourceInstance],
        assignments: Iterable[RoleAssignment],
        tuples: Iterable[RelationshipTuple],
    ) -> Facts:
        """Index facts. Their order does not matter and repeating one changes nothing.

        Raises:
            ValueError: two different users, or two different instances, have the same key.
        """
        by_key: dict[str, User] = {}
        for user in users:
            if by_key.setdefault(user.key, user) != user:
                raise ValueError(f"two users have the key {user.key!r}")
        by_ref: dict[ResourceRef, ResourceInstance] = {}
        for instance in instances:
            if by_ref.setdefault(instance.ref, instance) != instance:
                raise ValueError(f"two instances have the key {str(instance.ref)!r}")
        # One object for all that is equal: less memory, of which a decision touches less.
        keys, refs = {key: key for key in by_key}, {ref: ref for ref in by_ref}
        held: dict[tuple[str, str], dict[ResourceRef | None, set[str]]] = {}
        for given in assignments:
            on = given.resource if given.resource is None else refs.setdefault(given.resource, given.resource)
            who = (keys.setdefault(given.user, given.user), given.tenant)
            held.setdefault(who, {}).setdefault(on, set()).add(given.role)
        above: dict[tuple[ResourceRef, str], set[ResourceRef]] = {}
        below: dict[tuple[ResourceRef, str], set[ResourceRef]] = {}
        for link in tuples:
            ends = by_ref.get(link.subject), by_ref.get(link.object)
            if all(end is not None and end.tenant == link.tenant for end in ends):
                subject, thing = refs[link.subject], refs[link.object]
                above.setdefault((thing, link.relation), set()).add(subject)
                below.setdefault((subject, link.relation), set()).add(thing)
        by_type: dict[tuple[str, str], list[ResourceInstance]] = {}
        for ref in sorted(by_ref, key=_in_order):
            by_type.setdefault((ref.type, by_ref[ref].tenant), []).append(by_ref[ref])
        combinations: dict[tuple[str, ...], tuple[str, ...]] = {}

        def together(roles: set[str]) -> tuple[str, ...]:
            ordered = tuple(sorted(roles))
            return combinations.setdefault(ordered, ordered)

        return cls(
            users=by_key,
            tenants=frozenset(tenants),
            instances=by_ref,
            held={who: {on: together(roles) for on, roles in what.items()} for who, what in held.items()},
            subjects={link: tuple(sorted(found, key=str)) for link, found in above.items()},
            objects={link: tuple(sorted(found, key=_in_order)) for link, found in below.items()},
            by_type={which: tuple(found) for which, found in by_type.items()},
        )

    def held_by(self, user: str, tenant: str) -> Held:
        """All direct roles of the user in the tenant; what is held on has at least one."""
        return self.held.get((user, tenant), _NOTHING)

    def direct_roles(self, user: str, tenant: str, on: ResourceRef | None) -> tuple[str, ...]:
        """The roles given to the user on this very instance, or tenant-wide for None; sorted."""
        return self.held_by(user, tenant).get(on, ())

    def instance(self, ref: ResourceRef, tenant: str) -> ResourceInstance | None:
        """The instance, if it exists in this tenant."""
        found = self.instances.get(ref)
        return found if found is not None and found.tenant == tenant else None

    def subjects_of(self, ref: ResourceRef, relation: str) -> tuple[ResourceRef, ...]:
        """Who stands in ``relation`` to ``ref``; sorted."""
        return self.subjects.get((ref, relation), ())

    def objects_of(self, ref: ResourceRef, relation: str) -> tuple[ResourceRef, ...]:
        """To whom ``ref`` stands in ``relation``; by type, then by key, numbers by value."""
        return self.objects.get((ref, relation), ())

    def instances_of(self, resource_type: str, tenant: str) -> tuple[ResourceInstance, ...]:
        """All of one type in one tenant; by key, numbers by value."""
        return self.by_type.get((resource_type, tenant), ())


def _in_order(ref: ResourceRef) -> tuple[str, bool, int, str, str]:
    """Types by name; of each, keys of digits first and by value, then the others by their characters."""
    key = ref.key or ""
    if key.strip("0123456789"):
        return ref.type, True, 0, "", key
    value = key.lstrip("0")
    return ref.type, False, len(value), value, key

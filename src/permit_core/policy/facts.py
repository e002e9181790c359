"""What is true: users, tenants, instances, role assignments and relationship tuples, indexed for deciding."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import cast

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
        held: dict[tuple[str, str], dict[ResourceRef | None, set[str]]] = {}
        for given in assignments:
            held.setdefault((given.user, given.tenant), {}).setdefault(given.resource, set()).add(given.role)
        linked: dict[tuple[ResourceRef, str], set[ResourceRef]] = {}
        for link in tuples:
            ends = by_ref.get(link.subject), by_ref.get(link.object)
            if all(end is not None and end.tenant == link.tenant for end in ends):
                linked.setdefault((link.object, link.relation), set()).add(link.subject)
        return cls(
            users=by_key,
            tenants=frozenset(tenants),
            instances=by_ref,
            held={who: {on: tuple(sorted(roles)) for on, roles in what.items()} for who, what in held.items()},
            subjects={link: tuple(sorted(found, key=str)) for link, found in linked.items()},
        )

    def direct_roles(self, user: str, tenant: str, on: ResourceRef | None) -> tuple[str, ...]:
        """The roles given to the user on this very instance, or tenant-wide for None; sorted."""
        return self.held.get((user, tenant), _NOTHING).get(on, ())

    def instance(self, ref: ResourceRef, tenant: str) -> ResourceInstance | None:
        """The instance, if it exists in this tenant."""
        found = self.instances.get(ref)
        return found if found is not None and found.tenant == tenant else None

    def subjects_of(self, ref: ResourceRef, relation: str) -> tuple[ResourceRef, ...]:
        """Who stands in ``relation`` to ``ref``; sorted."""
        return self.subjects.get((ref, relation), ())

    def assuming(self, extra: RoleAssignment) -> Facts:
        """The facts as they would be with one more assignment; the present ones stay as they are."""
        who = (extra.user, extra.tenant)
        before = self.held.get(who, _NOTHING)
        roles = tuple(sorted({*before.get(extra.resource, ()), extra.role}))
        # Laid over, not copied: a policy may be asked "what if" for every refusal, and facts can be many.
        below = cast("dict[tuple[str, str], Held]", self.held)
        return replace(self, held=ChainMap({who: {**before, extra.resource: roles}}, below))

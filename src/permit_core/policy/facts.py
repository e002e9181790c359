"""What is true: users, tenants, instances, role assignments and relationship tuples, indexed for deciding."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Generic, TypeAlias, TypeVar

from permit_core.access import ResourceRef
from permit_core.entries import RelationshipTuple, ResourceInstance, RoleAssignment, User

Held = Mapping[ResourceRef | None, tuple[str, ...]]
"""The direct roles of one user in one tenant; under None the tenant-wide ones."""

_NOTHING: Held = MappingProxyType({})

Entry: TypeAlias = str | User | ResourceInstance | RoleAssignment | RelationshipTuple
"""One fact; a text is a tenant's key."""

MOST_PATCHED = 256
"""So many changed keys lie over an index before it is made anew, which takes a millisecond for a hundred thousand."""

K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class FactChange:
    """One fact that was put (added, or replaced by its key) or removed."""

    entry: Entry
    removed: bool = False


class Patched(Mapping[K, V], Generic[K, V]):
    """A dictionary, and what was changed of it since; neither is copied to change one key more."""

    __slots__ = ("_base", "_top")

    def __init__(self, base: dict[K, V], top: dict[K, Any]) -> None:
        self._base, self._top = base, top

    def __getitem__(self, key: K) -> V:
        found = self._top.get(key, _UNCHANGED)
        if found is _UNCHANGED:
            return self._base[key]
        if found is _GONE:
            raise KeyError(key)
        return found  # type: ignore[no-any-return]

    def get(self, key: K, default: Any = None) -> Any:
        """The value, or the default."""
        found = self._top.get(key, _UNCHANGED)
        if found is _UNCHANGED:
            return self._base.get(key, default)
        return default if found is _GONE else found

    def __contains__(self, key: object) -> bool:
        found = self._top.get(key, _UNCHANGED)  # type: ignore[arg-type]
        return key in self._base if found is _UNCHANGED else found is not _GONE

    def __iter__(self) -> Iterator[K]:
        top = self._top
        yield from (key for key in self._base if top.get(key) is not _GONE)
        yield from (key for key, value in top.items() if value is not _GONE and key not in self._base)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def with_changes(self, changes: Mapping[K, Any]) -> Mapping[K, V]:
        """The same with more changes."""
        top = {**self._top, **changes}
        if len(top) <= MOST_PATCHED:
            return Patched(self._base, top)
        return _applied(self._base, top)


_UNCHANGED: Any = object()
_GONE: Any = object()


def _patched(index: Mapping[K, V], changes: Mapping[K, Any]) -> Mapping[K, V]:
    if not changes:
        return index
    if isinstance(index, Patched):
        return index.with_changes(changes)
    base = index if isinstance(index, dict) else dict(index)
    return Patched(base, dict(changes)) if len(changes) <= MOST_PATCHED else _applied(base, changes)


def _applied(base: dict[K, V], changes: Mapping[K, Any]) -> dict[K, V]:
    made = {**base, **changes}
    for key, value in changes.items():
        if value is _GONE:
            del made[key]
    return made


@dataclass(frozen=True, slots=True)
class Facts:
    """One state of the facts. Never changed once it is made; made with :meth:`of`, or from another with :meth:`patched`.

    An assignment counts in its tenant only, a tuple only where both of its ends belong to its tenant.
    """

    users: Mapping[str, User]
    tenants: frozenset[str]
    instances: Mapping[ResourceRef, ResourceInstance]
    held: Mapping[tuple[str, str], Held]
    subjects: Mapping[tuple[ResourceRef, str], tuple[ResourceRef, ...]]
    objects: Mapping[tuple[ResourceRef, str], tuple[ResourceRef, ...]]
    by_type: Mapping[tuple[str, str], tuple[ResourceInstance, ...]]
    relisted: Mapping[tuple[str, str], Mapping[ResourceRef, ResourceInstance | None]] = field(
        default_factory=dict, compare=False
    )
    """What is to be changed in ``by_type`` when somebody lists: None is gone."""

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
        listed = self.by_type.get((resource_type, tenant), ())
        changed = self.relisted.get((resource_type, tenant))
        return _relisted(listed, changed) if changed else listed

    def patched(self, changes: Iterable[FactChange]) -> Facts:
        """The state that follows from this one. This one stays as it is, and nearly all of it is shared.

        What is removed is removed alone: its roles and relationships are changes of their own.
        """
        patch = _Patch(self)
        for change in changes:
            patch.apply(change)
        return patch.result()


class _Patch:
    """The changed keys of each index, while several changes are applied."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._tenants = facts.tenants
        self._users: dict[str, Any] = {}
        self._instances: dict[ResourceRef, Any] = {}
        self._held: dict[tuple[str, str], Any] = {}
        self._subjects: dict[tuple[ResourceRef, str], Any] = {}
        self._objects: dict[tuple[ResourceRef, str], Any] = {}
        self._listed: dict[tuple[str, str], dict[ResourceRef, ResourceInstance | None]] = {}

    def apply(self, change: FactChange) -> None:
        """One more change."""
        entry, removed = change.entry, change.removed
        if isinstance(entry, str):
            self._tenants = self._tenants - {entry} if removed else self._tenants | {entry}
        elif isinstance(entry, User):
            self._users[entry.key] = _GONE if removed else entry
        elif isinstance(entry, ResourceInstance):
            self._instances[entry.ref] = _GONE if removed else entry
            which = entry.ref.type, entry.tenant
            listed = self._listed.setdefault(which, dict(self._facts.relisted.get(which, {})))
            listed[entry.ref] = None if removed else entry
        elif isinstance(entry, RoleAssignment):
            self._give(entry, removed=removed)
        else:
            self._link(
                self._subjects, self._facts.subjects, (entry.object, entry.relation), entry.subject, removed=removed
            )
            self._link(
                self._objects, self._facts.objects, (entry.subject, entry.relation), entry.object, removed=removed
            )

    def _give(self, entry: RoleAssignment, *, removed: bool) -> None:
        who = entry.user, entry.tenant
        held = self._held.get(who, _UNCHANGED)
        if held is _UNCHANGED:
            held = self._facts.held.get(who, _NOTHING)
        roles = set(() if held is _GONE else held.get(entry.resource, ()))
        roles = roles - {entry.role} if removed else roles | {entry.role}
        changed = {} if held is _GONE else dict(held)
        changed.pop(entry.resource, None)
        if roles:
            changed[entry.resource] = tuple(sorted(roles))
        self._held[who] = changed or _GONE

    def _link(
        self,
        changed: dict[tuple[ResourceRef, str], Any],
        index: Mapping[tuple[ResourceRef, str], tuple[ResourceRef, ...]],
        which: tuple[ResourceRef, str],
        end: ResourceRef,
        *,
        removed: bool,
    ) -> None:
        order = str if index is self._facts.subjects else _in_order
        found = changed.get(which, _UNCHANGED)
        if found is _UNCHANGED:
            found = index.get(which, ())
        ends: tuple[ResourceRef, ...] = () if found is _GONE else found
        place = bisect_left(ends, order(end), key=order)
        there = place < len(ends) and ends[place] == end
        if removed and there:
            ends = (*ends[:place], *ends[place + 1 :])
        elif not removed and not there:
            ends = (*ends[:place], end, *ends[place:])
        changed[which] = ends or _GONE

    def result(self) -> Facts:
        """The patched state."""
        facts = self._facts
        by_type, relisted = facts.by_type, {**facts.relisted, **self._listed}
        for which, listed in self._listed.items():
            if len(listed) > MOST_PATCHED:
                by_type = _patched(by_type, {which: _relisted(by_type.get(which, ()), listed) or _GONE})
                del relisted[which]
        return replace(
            facts,
            tenants=self._tenants,
            users=_patched(facts.users, self._users),
            instances=_patched(facts.instances, self._instances),
            held=_patched(facts.held, self._held),
            subjects=_patched(facts.subjects, self._subjects),
            objects=_patched(facts.objects, self._objects),
            by_type=by_type,
            relisted=relisted,
        )


def _relisted(
    listed: tuple[ResourceInstance, ...], changed: Mapping[ResourceRef, ResourceInstance | None]
) -> tuple[ResourceInstance, ...]:
    kept = [each for each in listed if each.ref not in changed]
    for entry in changed.values():
        if entry is not None:
            kept.insert(bisect_left(kept, _in_order(entry.ref), key=lambda each: _in_order(each.ref)), entry)
    return tuple(kept)


def _in_order(ref: ResourceRef) -> tuple[str, bool, int, str, str]:
    """Types by name; of each, keys of digits first and by value, then the others by their characters."""
    key = ref.key or ""
    if key.strip("0123456789"):
        return ref.type, True, 0, "", key
    value = key.lstrip("0")
    return ref.type, False, len(value), value, key

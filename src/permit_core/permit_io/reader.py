"""Reading what Permit.io knows, in our nouns. Nothing is kept from one call to the next."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, Field

from permit_core.access import OBJECT_KEY, USER_KEY, ResourceRef
from permit_core.entries import RelationshipTuple, ResourceInstance, RoleAssignment, User
from permit_core.errors import InvalidInput
from permit_core.page import Page, page_offset
from permit_core.permit_io.client import PermitClient, parsed
from permit_core.permit_io.faults import PermitFault, nonsense
from permit_core.policy.facts import Facts
from permit_core.policy.model import PolicyModel
from permit_core.policy.relations import MAX_STEPS

if TYPE_CHECKING:
    from permit.api.models import RoleAssignmentRead, UserRead

T = TypeVar("T")

PER_PAGE = 100
MOST_PAGES = 1000
FEW = 3
"""Up to so many things of a type are asked for one by one; more by the type's list."""


class _Instance(BaseModel):
    key: str
    tenant: str
    resource: str
    attributes: dict[str, Any] | None = None

    def entry(self) -> ResourceInstance:
        return ResourceInstance(ResourceRef(self.resource, self.key), self.tenant, self.attributes or {})


class _InstancePage(BaseModel):
    data: list[_Instance]
    total_count: int = Field(ge=0)


class _Tuple(BaseModel):
    subject: str
    relation: str
    object: str
    tenant: str
    object_details: _Instance | None = None

    def entry(self) -> RelationshipTuple:
        try:
            ends = ResourceRef.parse(self.subject), ResourceRef.parse(self.object)
        except InvalidInput as error:
            raise nonsense("a relationship tuple between what is no instance") from error
        return RelationshipTuple(ends[0], self.relation, ends[1], self.tenant)


class _Tuples(BaseModel):
    tuples: list[_Tuple]


class PermitReader:
    """Users, roles, instances and tuples of the configured tenant, freshly read."""

    def __init__(self, model: PolicyModel, client: PermitClient) -> None:
        self._model = model
        self._client = client

    async def person(self, ident: str) -> tuple[User, frozenset[str]] | None:
        """The user with this key or id, and the roles held in the whole tenant; None when there is none."""
        if not is_user(ident):
            return None
        found = await or_none(self._client.sdk("a user", lambda sdk: sdk.api.users.get(ident), safe=True))
        if found is None:
            return None
        held = {each.role for each in found.roles or () if each.tenant == self._client.tenant}
        for place in found.associated_tenants or ():
            if place.tenant == self._client.tenant:
                held.update(place.roles)
        user = User(
            found.key, found.first_name or "", found.last_name or "", found.email or "", dict(found.attributes or {})
        )
        return user, frozenset(held)

    async def people(self) -> list[User]:
        """Everybody who belongs to the tenant."""
        tenant = self._client.tenant

        async def page(number: int) -> Sequence[UserRead]:
            answer = await self._client.sdk(
                "the users of the tenant",
                lambda sdk: sdk.api.tenants.list_tenant_users(tenant, page=number, per_page=PER_PAGE),
                safe=True,
            )
            return answer.data

        return [User(each.key, each.first_name or "", each.last_name or "") for each in await all_pages(page)]

    async def assignments(self, user: str) -> list[RoleAssignment]:
        """Every role the user was given in the tenant, on instances too."""
        tenant = self._client.tenant

        async def page(number: int) -> Sequence[RoleAssignmentRead]:
            return await self._client.sdk(
                "role assignments",
                lambda sdk: sdk.api.role_assignments.list(
                    user_key=user, tenant_key=tenant, page=number, per_page=PER_PAGE
                ),
                safe=True,
            )

        return [
            RoleAssignment(
                each.user, each.role, tenant, None if each.resource_instance is None else _ref(each.resource_instance)
            )
            for each in await all_pages(page)
        ]

    async def instance(self, ref: ResourceRef) -> ResourceInstance | None:
        """The instance, whatever its tenant; None when there is none."""
        if ref.key is None or not (OBJECT_KEY.match(ref.type) and OBJECT_KEY.match(ref.key)):
            return None
        name = str(ref)
        found = await or_none(
            self._client.sdk("an instance", lambda sdk: sdk.api.resource_instances.get(name), safe=True)
        )
        if found is None:
            return None
        return ResourceInstance(ResourceRef(found.resource, found.key), found.tenant, dict(found.attributes or {}))

    async def instance_page(self, resource_type: str, page: int, per_page: int) -> Page[ResourceInstance]:
        """One page of a type's instances in the tenant, in Permit.io's order; within the page by key.

        Raises:
            InvalidInput: ``invalid_page``.
        """
        page_offset(page, per_page)
        query = {"resource": resource_type, "tenant": self._client.tenant, "include_total_count": "true"}
        answer = await self._client.api(
            "GET", await self._client.facts("resource_instances"), query={**query, "page": page, "per_page": per_page}
        )
        found = parsed(_InstancePage, answer, "a page of instances")
        return Page(by_key(each.entry() for each in found.data), found.total_count, page, per_page)

    async def instances(self, refs: Collection[ResourceRef]) -> dict[ResourceRef, ResourceInstance]:
        """Those of the instances that there are; in few calls, however many they are."""
        found: dict[ResourceRef, ResourceInstance] = {}
        for kind in sorted({ref.type for ref in refs}):
            wanted = {ref for ref in refs if ref.type == kind}
            if len(wanted) <= FEW:
                read = await asyncio.gather(*(self.instance(ref) for ref in wanted))
                found |= {each.ref: each for each in read if each is not None}
                continue
            number = 1
            while wanted - found.keys():
                page = await self.instance_page(kind, number, PER_PAGE)
                found |= {each.ref: each for each in page.items if each.ref in wanted}
                if number * PER_PAGE >= page.total or number == MOST_PAGES:
                    break
                number += 1
        return found

    async def objects(self, subject: ResourceRef, relation: str) -> list[ResourceInstance]:
        """What ``subject`` stands in ``relation`` to in the tenant; the tuples and their objects come together."""
        found = await self._tuples(subject=str(subject), relation=relation, detailed="true")
        missing = {each.entry().object for each in found if each.object_details is None}
        named = [each.object_details.entry() for each in found if each.object_details is not None]
        return by_key([*named, *(await self.instances(missing)).values()])

    async def tuples_above(self, refs: Collection[ResourceRef]) -> list[RelationshipTuple]:
        """The tuples whose object is one of ``refs``, in few calls."""
        found: list[RelationshipTuple] = []
        for kind in sorted({ref.type for ref in refs}):
            declared = self._model.resource_type(kind)
            if declared is None or not declared.relations:
                continue
            wanted = [ref for ref in refs if ref.type == kind]
            if len(wanted) <= FEW:
                read = await asyncio.gather(*(self._tuples(object=str(ref)) for ref in wanted))
                found += [each.entry() for some in read for each in some]
            else:
                of_type = [each.entry() for each in await self._tuples(object_type=kind)]
                found += [each for each in of_type if each.object in set(wanted)]
        return found

    async def facts_about(self, user: str, refs: Iterable[ResourceRef]) -> Facts:
        """What a question of this user about these resources can depend on, as facts for the policy engine."""
        named = {ref for ref in refs if ref.key is not None}
        person, given, climbed = await asyncio.gather(self.person(user), self._given(user), self._climb(named))
        instances, tuples = climbed
        return Facts.of(
            users=[] if person is None else [person[0]],
            tenants=[self._client.tenant],
            instances=instances.values(),
            assignments=given,
            tuples=tuples,
        )

    async def _given(self, user: str) -> list[RoleAssignment]:
        return await self.assignments(user) if is_user(user) else []

    async def _climb(
        self, refs: set[ResourceRef]
    ) -> tuple[dict[ResourceRef, ResourceInstance], list[RelationshipTuple]]:
        """The instances and whatever stands above them, level by level."""
        instances: dict[ResourceRef, ResourceInstance] = {}
        tuples: list[RelationshipTuple] = []
        level, seen = refs, set(refs)
        for _ in range(MAX_STEPS):
            if not level:
                break
            read, above = await asyncio.gather(self.instances(level), self.tuples_above(level))
            instances |= read
            tuples += above
            level = {each.subject for each in above} - seen
            seen |= level
        return instances, tuples

    async def _tuples(self, **query: str) -> list[_Tuple]:
        path = await self._client.facts("relationship_tuples")
        about = "relationship tuples"

        async def page(number: int) -> list[_Tuple]:
            wanted: dict[str, str | int] = {
                **query,
                "tenant": self._client.tenant,
                "page": number,
                "per_page": PER_PAGE,
            }
            answer = await self._client.api("GET", path, query=wanted)
            return parsed(_Tuples, {"tuples": answer}, about).tuples

        return await all_pages(page)


async def all_pages(read: Callable[[int], Awaitable[Sequence[T]]]) -> list[T]:
    """What is on all the pages of a list; a page that is not full is the last."""
    found: list[T] = []
    for number in range(1, MOST_PAGES + 1):
        items = await read(number)
        found += items
        if len(items) < PER_PAGE:
            break
    return found


async def or_none(call: Awaitable[T]) -> T | None:
    """What a call answers; None for a 404."""
    try:
        return await call
    except PermitFault as fault:
        if fault.status != 404:
            raise
        return None


def is_user(ident: str) -> bool:
    """Whether this can be a user's key, and part of an address."""
    return USER_KEY.match(ident) is not None and ident not in {".", ".."}


def by_key(found: Iterable[ResourceInstance]) -> list[ResourceInstance]:
    """Ordered by type and key: numbers by value, then everything else by its characters."""

    def place(each: ResourceInstance) -> tuple[str, int, int, str]:
        key = each.ref.key or ""
        number = key.isascii() and key.isdigit()
        return each.ref.type, 0 if number else 1, int(key) if number else 0, key

    return sorted(found, key=place)


def _ref(text: str) -> ResourceRef:
    try:
        return ResourceRef.parse(text)
    except InvalidInput as error:
        raise nonsense("a role on what is no instance") from error

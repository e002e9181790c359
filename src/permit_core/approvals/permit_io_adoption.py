"""Taking up access requests that were made in Permit.io itself, in few calls however many there are."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any

from permit_core.access import ResourceRef
from permit_core.approvals.elsewhere import Follower
from permit_core.approvals.wording import NAME_CHARACTERS, REASON_CHARACTERS, new_request_id
from permit_core.database import Database
from permit_core.entries import ResourceInstance, User
from permit_core.errors import Conflict
from permit_core.permit_io.reader import PermitReader
from permit_core.permit_io.requests import RemoteRequest
from permit_core.policy.schema import AccessRequestRule
from permit_core.ports.policy_source import PolicySource
from permit_core.ports.request import Request, RequestKind, RequestStatus
from permit_core.stores.remote_requests import RemoteRequestStore
from permit_core.stores.requests import RequestStore, Subject
from permit_core.views import plain

logger = logging.getLogger(__name__)

AT_ONCE = 8
MOST_REMEMBERED = 1000
"""So many users' keys, and so many requests that cannot be taken up, are kept in mind."""

Remember = Callable[[list[User]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class _Candidate:
    remote: RemoteRequest
    subject: Subject
    rule: AccessRequestRule


class Adoption:
    """Enters what was asked in Permit.io here, as far as the policy knows what it asks for.

    What somebody asks for here already is left until that is decided. What names a user or an instance that there is
    not is not looked at again.
    """

    def __init__(
        self,
        *,
        policies: PolicySource,
        database: Database,
        store: RequestStore,
        links: RemoteRequestStore,
        reader: PermitReader,
        environment: str,
        tenant: str,
        note_people: Remember,
    ) -> None:
        self._policies = policies
        self._database = database
        self._store = store
        self._links = links
        self._reader = reader
        self._environment = environment
        self._tenant = tenant
        self._note_people = note_people
        self._keys: dict[str, str] = {}
        self._unfit: dict[str, None] = {}

    async def adopt(self, register: Follower, found: Iterable[RemoteRequest]) -> None:
        """Enter those of the requests, none of which is known here, that can be.

        Raises:
            PermitFault: Permit.io does not answer.
        """
        candidates = self._candidates(found)
        people = await self._read({each.remote.user_id for each in candidates} - self._keys.keys())
        waiting = await self._not_asked_for_here(self._of_somebody(candidates, people))
        if not waiting:
            return
        people |= await self._read({each.remote.user_id for each in waiting} - people.keys())
        instances = await self._reader.instances({each.subject.resource for each in waiting})
        askers = {each.remote.user_id for each in waiting}
        await self._note_people([user for ident, user in people.items() if ident in askers])
        for each in waiting:
            user, instance = people.get(each.remote.user_id), instances.get(each.subject.resource)
            if user is None or instance is None or instance.tenant != self._tenant:
                _keep(self._unfit, each.remote.id, None)
                continue
            await self._enter(register, self._request(each, user, instance), each.remote.id)

    def _candidates(self, found: Iterable[RemoteRequest]) -> list[_Candidate]:
        """What the policy lets be asked for, oldest first."""
        candidates = []
        for remote in sorted(found, key=lambda each: each.created_at):
            if remote.id in self._unfit or remote.resource is None or remote.role is None:
                continue
            rule = self._rule(remote.resource, remote.role)
            if rule is not None:
                subject = Subject(RequestKind.ACCESS_REQUEST, remote.resource, remote.role, None)
                candidates.append(_Candidate(remote, subject, rule))
        return candidates

    def _rule(self, resource: ResourceRef, role: str) -> AccessRequestRule | None:
        rules = self._policies.current(self._environment).model.requestable_roles(resource.type)
        return next((rule for rule in rules if rule.role == role), None)

    def _of_somebody(
        self, candidates: list[_Candidate], people: dict[str, User]
    ) -> dict[tuple[str, Subject], _Candidate]:
        """The first of each asker that there is, by key, and subject; ``people`` were read just now, by id."""
        keys = self._keys | {ident: user.key for ident, user in people.items()}
        first: dict[tuple[str, Subject], _Candidate] = {}
        for each in candidates:
            ident = each.remote.user_id
            if ident not in keys:
                _keep(self._unfit, each.remote.id, None)
                continue
            _keep(self._keys, ident, keys[ident])
            first.setdefault((keys[ident], each.subject), each)
        return first

    async def _not_asked_for_here(self, first: dict[tuple[str, Subject], _Candidate]) -> list[_Candidate]:
        if not first:
            return []
        async with self._database.reading() as transaction:
            return [
                each
                for (user, subject), each in first.items()
                if not await self._store.about(
                    self._environment, transaction, self._tenant, user, subject, {RequestStatus.PENDING}
                )
            ]

    async def _read(self, idents: Collection[str]) -> dict[str, User]:
        few = asyncio.Semaphore(AT_ONCE)

        async def person(ident: str) -> tuple[User, frozenset[str]] | None:
            async with few:
                return await self._reader.person(ident)

        found = await asyncio.gather(*(person(ident) for ident in idents))
        return {ident: each[0] for ident, each in zip(idents, found, strict=True) if each is not None}

    def _request(self, candidate: _Candidate, user: User, instance: ResourceInstance) -> Request:
        remote = candidate.remote
        return Request(
            id=new_request_id(),
            kind=RequestKind.ACCESS_REQUEST,
            environment=self._environment,
            tenant=self._tenant,
            user=user.key,
            user_name=plain(user.name)[:NAME_CHARACTERS],
            resource=candidate.subject.resource,
            resource_name=plain(instance.name)[:NAME_CHARACTERS],
            reason=plain(remote.reason)[:REASON_CHARACTERS],
            status=RequestStatus.PENDING,
            created_at=remote.created_at,
            role=remote.role,
            expires_at=remote.created_at + candidate.rule.pending_expires,
            review_action=candidate.rule.review_action,
        )

    async def _enter(self, register: Follower, request: Request, remote_id: str) -> None:
        try:
            async with self._database.transaction(self._environment) as transaction:
                if not await self._links.known(transaction, [remote_id]):
                    await register.adopt(transaction, request)
                    await self._links.tie(transaction, request.id, remote_id)
        except Conflict:  # asked for here since we looked
            logger.info("a request made in Permit.io asks for what is asked for here already: %s", request.resource)


def _keep(kept: dict[str, Any], name: str, value: Any) -> None:
    """Remember, and forget what was remembered longest ago when that is too much."""
    kept[name] = value
    while len(kept) > MOST_REMEMBERED:
        del kept[next(iter(kept))]

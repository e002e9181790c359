"""Where it is kept which of our requests Permit.io has as well, and what is still to be told it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import insert, select, update

from permit_core.database import Transaction
from permit_core.ports.request import Request, RequestKind, RequestStatus
from permit_core.stores.requests import request_of
from permit_core.stores.tables import remote_requests, requests


class Owed(StrEnum):
    """What is to be done in Permit.io after what was done here."""

    CANCEL = "cancel"  # the request has lapsed: nobody is to decide it there any more
    TAKE_BACK = "take_back"  # the approval is used or has lapsed: the role it gave is to go


@dataclass(frozen=True, slots=True)
class RemoteLink:
    """One of our requests, Permit.io's id of it, and what is owed."""

    request: Request
    remote_id: str
    owed: Owed | None


class RemoteRequestStore:
    """Ties as rows. Every write needs the caller's transaction."""

    async def tie(self, transaction: Transaction, request_id: str, remote_id: str) -> None:
        """Remember under which id Permit.io has a request."""
        await transaction.execute(insert(remote_requests).values(request_id=request_id, remote_id=remote_id))

    async def remote_id(self, transaction: Transaction, request_id: str) -> str | None:
        """Permit.io's id of a request; None when it has none."""
        query = select(remote_requests.c.remote_id).where(remote_requests.c.request_id == request_id)
        return (await transaction.execute(query)).scalar_one_or_none()

    async def known(self, transaction: Transaction, remote_ids: Collection[str]) -> frozenset[str]:
        """Those of Permit.io's ids that are tied to a request of ours."""
        query = select(remote_requests.c.remote_id).where(remote_requests.c.remote_id.in_(remote_ids))
        return frozenset((await transaction.execute(query)).scalars())

    async def owe(self, transaction: Transaction, request_id: str, what: Owed | None) -> None:
        """Note what is to be done in Permit.io, or, with None, that it is done."""
        which = remote_requests.c.request_id == request_id
        await transaction.execute(
            update(remote_requests).where(which).values(owed=None if what is None else what.value)
        )

    async def owing(self, environment: str, transaction: Transaction, limit: int) -> list[RemoteLink]:
        """Requests of which something is owed, oldest first."""
        return await self._links(environment, transaction, remote_requests.c.owed.is_not(None), limit=limit)

    async def standing(
        self,
        environment: str,
        transaction: Transaction,
        tenant: str,
        kind: RequestKind,
        statuses: Collection[RequestStatus],
        limit: int,
    ) -> list[RemoteLink]:
        """Tied requests of a kind with one of the statuses, oldest first."""
        return await self._links(
            environment,
            transaction,
            requests.c.tenant == tenant,
            requests.c.kind == kind.value,
            requests.c.status.in_([status.value for status in statuses]),
            limit=limit,
        )

    async def of(self, environment: str, transaction: Transaction, request_id: str) -> RemoteLink | None:
        """One tied request."""
        found = await self._links(environment, transaction, requests.c.id == request_id, limit=1)
        return found[0] if found else None

    async def _links(self, environment: str, transaction: Transaction, *where: object, limit: int) -> list[RemoteLink]:
        query = (
            select(*requests.c, remote_requests.c.remote_id, remote_requests.c.owed)
            .join_from(requests, remote_requests, remote_requests.c.request_id == requests.c.id)
            .where(requests.c.environment == environment, *where)  # type: ignore[arg-type]
            .order_by(requests.c.created_at, requests.c.id)
            .limit(limit)
        )
        return [
            RemoteLink(request_of(row), row.remote_id, None if row.owed is None else Owed(row.owed))
            for row in await transaction.execute(query)
        ]

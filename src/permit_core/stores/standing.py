"""Where standing yeses are kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Row, insert, select, update

from permit_core.database import Transaction
from permit_core.ports.request import ConfirmedBy, Request
from permit_core.stores.tables import standing_approvals


@dataclass(frozen=True, slots=True)
class StandingYes:
    """A yes to every call of one tool that has a shape, until a time.

    Attributes:
        id: unguessable, ``yes_`` and 32 hexadecimal digits.
        user: whose calls it is for, made through ``agent`` if that is not None.
        tool: the tool, with the digest of its definition, and the gate, as of :class:`permit_core.ports.request.CalledTool`.
        resource_type: the type of what the calls act on; ``operation`` is the action.
        by: whose yes it stands for; ``review_action`` what that person must be allowed to do on what a call acts on.
        shape: what each argument may be, see :mod:`permit_core.approvals.shapes`.
        reason: the giver's words. Untrusted text.
        given_by: directory key of who gave it; ``given_by_name`` the name.
        until: UTC; it serves before this moment.
    """

    id: str
    environment: str
    tenant: str
    user: str
    agent: str | None
    tool: str
    definition: str
    gate: Literal["operation", "call"]
    resource_type: str
    operation: str | None
    by: ConfirmedBy
    review_action: str
    shape: Mapping[str, Mapping[str, Any]]
    reason: str
    given_by: str
    given_by_name: str
    created_at: datetime
    until: datetime
    revoked_at: datetime | None = None
    revoked_by: str | None = None


class StandingStore:
    """Standing yeses as rows. Every write needs the caller's transaction."""

    async def add(self, transaction: Transaction, yes: StandingYes) -> None:
        """Keep a new one."""
        await transaction.execute(
            insert(standing_approvals).values(
                id=yes.id,
                environment=yes.environment,
                tenant=yes.tenant,
                user_key=yes.user,
                agent=yes.agent or "",
                tool=yes.tool,
                definition=yes.definition,
                resource_type=yes.resource_type,
                operation=yes.operation or "",
                gate=yes.gate,
                confirmed_by=yes.by.value,
                review_action=yes.review_action,
                shape={name: dict(limit) for name, limit in yes.shape.items()},
                reason=yes.reason,
                given_by=yes.given_by,
                given_by_name=yes.given_by_name,
                created_at=yes.created_at,
                until=yes.until,
            )
        )

    async def get(self, transaction: Transaction, environment: str, yes_id: str) -> StandingYes | None:
        """The one with this id, in whatever tenant, or None."""
        query = select(standing_approvals).where(
            standing_approvals.c.environment == environment, standing_approvals.c.id == yes_id
        )
        row = (await transaction.execute(query)).one_or_none()
        return None if row is None else _standing(row)

    async def serving(self, transaction: Transaction, wanted: Request, now: datetime) -> list[StandingYes]:
        """Those that may serve a call: of its user, agent, tool, gate, type and action; the shape is not looked at."""
        called = wanted.called
        if called is None:
            return []
        table = standing_approvals.c
        query = select(standing_approvals).where(
            table.environment == wanted.environment,
            table.tenant == wanted.tenant,
            table.user_key == wanted.user,
            table.tool == called.tool,
            table.agent == (wanted.agent or ""),
            table.definition == called.definition,
            table.gate == called.gate,
            table.resource_type == wanted.resource.type,
            table.operation == (wanted.operation or ""),
            table.confirmed_by == wanted.by.value,
            table.review_action == wanted.review_action,
            table.revoked_at.is_(None),
            table.until > now,
        )
        rows = await transaction.execute(query.order_by(table.until.desc(), table.id))
        return [_standing(row) for row in rows]

    async def standing(
        self, transaction: Transaction, environment: str, tenant: str, now: datetime, limit: int
    ) -> list[StandingYes]:
        """All that serve at ``now`` in a tenant, the one that ends first at the head, at most ``limit``."""
        table = standing_approvals.c
        query = select(standing_approvals).where(
            table.environment == environment, table.tenant == tenant, table.revoked_at.is_(None), table.until > now
        )
        rows = await transaction.execute(query.order_by(table.until, table.id).limit(limit))
        return [_standing(row) for row in rows]

    async def revoke(self, transaction: Transaction, yes_id: str, by: str, now: datetime) -> bool:
        """End one; False when it was ended before."""
        table = standing_approvals.c
        ended = update(standing_approvals).where(table.id == yes_id, table.revoked_at.is_(None))
        return (await transaction.execute(ended.values(revoked_at=now, revoked_by=by))).rowcount == 1


def _standing(row: Row[Any]) -> StandingYes:
    return StandingYes(
        id=row.id,
        environment=row.environment,
        tenant=row.tenant,
        user=row.user_key,
        agent=row.agent or None,
        tool=row.tool,
        definition=row.definition,
        gate=row.gate,
        resource_type=row.resource_type,
        operation=row.operation or None,
        by=ConfirmedBy(row.confirmed_by),
        review_action=row.review_action,
        shape=row.shape,
        reason=row.reason,
        given_by=row.given_by,
        given_by_name=row.given_by_name,
        created_at=row.created_at,
        until=row.until,
        revoked_at=row.revoked_at,
        revoked_by=row.revoked_by,
    )

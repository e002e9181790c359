"""A standing yes: "these, until 17:00". It is given for a call that waits, and serves calls of one shape from then on."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from permit_core.approvals.deciding import Deciding, no_such_request
from permit_core.approvals.reviewers import Reviewers
from permit_core.approvals.sealing import Seal
from permit_core.approvals.shapes import Shape, checked_shape, covers, in_words
from permit_core.approvals.wording import checked_comment, checked_id
from permit_core.clock import Clock
from permit_core.database import Database, Transaction
from permit_core.errors import Conflict, InvalidInput, NotFound
from permit_core.identity import Actor
from permit_core.ports.approvals import Via
from permit_core.ports.audit import Audit
from permit_core.ports.record import AuditEvent
from permit_core.ports.request import ConfirmedBy, Request
from permit_core.stores.requests import RequestStore
from permit_core.stores.standing import StandingStore, StandingYes

LONGEST = timedelta(days=7)
"""How long a standing yes can serve at most."""

MOST_LISTED = 200


class StandingYeses:
    """Gives, finds, lists and ends standing yeses."""

    def __init__(
        self,
        *,
        database: Database,
        store: StandingStore,
        requests: RequestStore,
        reviewers: Reviewers,
        deciding: Deciding,
        audit: Audit,
        seal: Seal,
        clock: Clock,
    ) -> None:
        self._database = database
        self._store = store
        self._requests = requests
        self._reviewers = reviewers
        self._deciding = deciding
        self._audit = audit
        self._seal = seal
        self._clock = clock

    async def give(
        self,
        giver: Actor,
        request_id: str,
        shape: Mapping[str, Mapping[str, Any]],
        until: datetime,
        comment: str,
        *,
        via: Via,
    ) -> StandingYes:
        """As :meth:`ApprovalService.give_standing`."""
        checked_id(request_id)
        comment, fixed = checked_comment(comment), checked_shape(shape)
        now = self._clock()
        if until.tzinfo is None or not now < until <= now + LONGEST:
            raise InvalidInput(
                f"A standing yes ends within {LONGEST.days} days, and not before it begins.",
                code="invalid_until",
                hint="Name a moment with its time zone.",
            )
        async with self._database.transaction(giver.environment) as transaction:
            request = await self._deciding.approve_call(transaction, giver, request_id, comment, via=via)
            if request.called is None:
                raise no_such_request()
            if request.by is ConfirmedBy.IN_CLIENT:
                raise Conflict(
                    "The policy wants each of these calls confirmed at the client.",
                    code="not_standing",
                    hint="Each call is confirmed for itself.",
                )
            await self._check_covers(transaction, fixed, request_id)
            yes = StandingYes(
                id=f"yes_{secrets.token_hex(16)}",
                environment=request.environment,
                tenant=request.tenant,
                user=request.user,
                agent=request.agent,
                tool=request.called.tool,
                definition=request.called.definition,
                gate=request.called.gate,
                resource_type=request.resource.type,
                operation=request.operation,
                by=request.by,
                review_action=request.review_action,
                shape=fixed,
                reason=comment,
                given_by=giver.user,
                given_by_name=request.decided_by_name or giver.user,
                created_at=now,
                until=until,
            )
            await self._store.add(transaction, yes)
            await self._audit.append(transaction, _record("standing.given", giver, yes, request.id))
        return yes

    async def shape_for(self, request: Request, limits: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
        """As :meth:`ApprovalService.shape_for`, of a request that may be looked at."""
        async with self._database.reading() as transaction:
            called = await self._called(transaction, request.id)
            shape = checked_shape({**{name: {"value": value} for name, value in called.items()}, **limits})
            await self._check_covers(transaction, shape, request.id)
        return shape

    async def _called(self, transaction: Transaction, request_id: str) -> Mapping[str, Any]:
        """The arguments of the call that waits, none of which is secret: a shape is kept readable."""
        sealed = await self._requests.held_arguments(transaction, request_id)
        if sealed is None:
            raise Conflict(
                "No call waits here.", code="not_standing", hint="A standing yes is given for a call that waits."
            )
        arguments, shown = self._seal.open(request_id, sealed)
        if secret := sorted(name for name, value in arguments.items() if (shown or {}).get(name, value) != value):
            raise InvalidInput(
                f"A secret is in {', '.join(ascii(name)[:100] for name in secret)}, and a shape can be read.",
                code="invalid_shape",
                hint="Such calls are approved one by one.",
            )
        return arguments

    async def _check_covers(self, transaction: Transaction, shape: Shape, request_id: str) -> None:
        if not covers(shape, await self._called(transaction, request_id)):
            raise InvalidInput(
                "The shape does not cover the call that it is given for.",
                code="invalid_shape",
                hint="Fix each of its arguments so that this call fits.",
            )

    async def covering(
        self, transaction: Transaction, wanted: Request, arguments: Mapping[str, Any], *, tainted: bool
    ) -> Request | None:
        """The call as it is made by a standing yes that covers it; None when none does.

        Never for a tainted call. Who gave it must still be one who may give it for what this call acts on.
        """
        if tainted or wanted.by is ConfirmedBy.IN_CLIENT:
            return None
        for yes in await self._store.serving(transaction, wanted, wanted.created_at):
            if covers(yes.shape, arguments) and await self._still_stands(transaction, yes, wanted):
                return replace(
                    wanted,
                    reason=yes.reason,
                    decided_by=yes.given_by,
                    decided_by_name=yes.given_by_name,
                    decided_at=yes.created_at,
                    expires_at=yes.until,
                    lasts=None,
                    standing=yes.id,
                )
        return None

    async def list(self, viewer: Actor) -> list[StandingYes]:
        """As :meth:`ApprovalService.standing`."""
        async with self._database.reading() as transaction:
            found = await self._store.standing(
                transaction, viewer.environment, viewer.tenant, self._clock(), MOST_LISTED
            )
            return [yes for yes in found if await self._concerns(transaction, viewer, yes)]

    async def end(self, actor: Actor, yes_id: str) -> bool:
        """As :meth:`ApprovalService.end_standing`."""
        async with self._database.transaction(actor.environment) as transaction:
            yes = await self._store.get(transaction, actor.environment, yes_id)
            if yes is None or yes.tenant != actor.tenant or not await self._concerns(transaction, actor, yes):
                raise NotFound("There is no such standing yes.", code="no_such_standing", hint="Use an id from a list.")
            ended = await self._store.revoke(transaction, yes_id, actor.user, self._clock())
            if ended:
                await self._audit.append(transaction, _record("standing.ended", actor, yes))
        return ended

    async def _still_stands(self, transaction: Transaction, yes: StandingYes, wanted: Request) -> bool:
        if yes.by is ConfirmedBy.SELF and yes.given_by == wanted.user:
            return True
        giver = Actor(yes.environment, yes.tenant, yes.given_by)
        return yes.given_by != wanted.user and await self._reviewers.may_review(giver, wanted, transaction)

    async def _concerns(self, transaction: Transaction, actor: Actor, yes: StandingYes) -> bool:
        if actor.user in {yes.user, yes.given_by}:
            return True
        return await self._reviewers.may_review_type(actor, yes.resource_type, yes.review_action, transaction)


def _record(name: str, actor: Actor, yes: StandingYes, request: str = "") -> AuditEvent:
    body = {
        "standing": yes.id,
        "user": yes.user,
        "tool": yes.tool,
        "definition": yes.definition,
        "shape": in_words(yes.shape),
        "reason": yes.reason,
        "given_by": yes.given_by,
        "until": yes.until.isoformat(),
    }
    if yes.agent is not None:
        body["agent"] = yes.agent
    return AuditEvent(name, actor, body, request=request)

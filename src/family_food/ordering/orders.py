"""Placing orders, and the list of what was ordered."""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, func, insert, select

from family_food.ordering.menu import READ, Dish, Menu, access_denied, order_check, price_text
from family_food.ordering.results import OrderPage, OrderView
from family_food.tables import orders
from permit_core.access import Check, Decision, Effect, ResourceRef
from permit_core.bootstrap import Core
from permit_core.database import Transaction
from permit_core.decision.decision_log import decision_body
from permit_core.entries import ResourceInstance
from permit_core.errors import Forbidden, NotFound
from permit_core.identity import Actor
from permit_core.page import page_offset
from permit_core.ports.record import AuditEvent
from permit_core.ports.request import Request
from permit_core.views import plain

ORDERS = "orders"


class OrderDesk:
    """Takes orders: the decision, the approval it may use up, the order and its record are one transaction."""

    def __init__(self, core: Core, menu: Menu | None = None) -> None:
        self._core = core
        self._menu = menu or Menu(core)

    async def place(self, actor: Actor, restaurant: str, dish: str) -> OrderView:
        """Order one dish.

        Args:
            actor: for whom.
            restaurant: a key, ``restaurants:KEY`` or a name.
            dish: a key, ``dishes:KEY`` or a name; a close name will do when it is clear.

        Raises:
            NotFound: ``no_such_restaurant``, ``no_such_dish``, ``wrong_restaurant``.
            InvalidInput: ``ambiguous_restaurant``, ``ambiguous_dish``, ``invalid_resource``.
            Forbidden: ``access_denied``, or why no approval could be used: ``approval_needed``, ``approval_pending``,
                ``approval_expired``, ``approval_used``, ``approval_denied``, ``approval_mismatch``,
                ``approval_withdrawn``; with ``ask_for``; or ``pdp_...``: nobody could be asked for a decision.
            Unavailable: ``permit_...``: Permit.io, where it is used, does not answer.
        """
        place = await self._menu.open(actor, restaurant)
        wanted = await self._menu.find_dish(actor, place, dish)
        check = order_check(actor, wanted.instance.ref)
        decision: Decision | None = None
        try:
            async with self._core.database.transaction(actor.environment) as transaction:
                # Anew, for it may have changed or gone since it was found; from here on nobody else writes.
                current = await self._core.directory.instance(
                    actor.environment, actor.tenant, wanted.instance.ref, transaction
                )
                sold = None if current is None else Dish.of(current)
                if sold is None:
                    raise NotFound("That dish has just gone from the menu.", code="no_such_dish")
                decision = await self._core.pdp.decide(check, transaction)
                approval = await self._claim(check, sold.instance, decision, transaction)
                order = self._order(actor, place, sold, approval)
                await self._insert(transaction, actor, place, order, _decided(check, decision))
        except Forbidden:
            if decision is not None:
                await self._core.audit.note(_decided(check, decision))
            raise
        if order.approval_id is not None:
            await self._core.approvals.follow_up()
        return order

    async def _claim(
        self, check: Check, dish: ResourceInstance, decision: Decision, transaction: Transaction
    ) -> Request | None:
        """The approval this order uses up; None when it needs none."""
        match decision.effect:
            case Effect.ALLOW:
                return None
            case Effect.REQUIRE_APPROVAL:
                return await self._core.approvals.use(check, decision, dish, transaction)
            case _:
                raise access_denied(f"{check.actor.name} may not order {plain(dish.name)}.", decision)

    def _order(self, actor: Actor, place: ResourceInstance, dish: Dish, approval: Request | None) -> OrderView:
        return OrderView(
            id=f"ord_{secrets.token_hex(16)}",
            user_name=actor.name,
            restaurant_name=plain(place.name),
            dish_key=dish.key,
            dish_name=dish.name,
            price_cents=dish.price_cents,
            price=price_text(dish.price_cents),
            approval_id=None if approval is None else approval.id,
            placed_at=self._core.clock(),
        )

    async def _insert(
        self,
        transaction: Transaction,
        actor: Actor,
        place: ResourceInstance,
        order: OrderView,
        decided: AuditEvent,
    ) -> None:
        row = order.model_dump(exclude={"price"}) | {
            "environment": actor.environment,
            "tenant": actor.tenant,
            "user_key": actor.user,
            "restaurant_key": place.ref.key,
        }
        await transaction.execute(insert(orders).values(row))
        body = order.model_dump(mode="json", include={"id", "dish_key", "price_cents", "approval_id"})
        placed = AuditEvent("order.placed", actor, body, request=order.approval_id or "")
        await self._core.audit.append(transaction, decided, placed)

    async def list(self, actor: Actor, page: int = 1, per_page: int = 30) -> OrderPage:
        """Orders, newest first: one's own; everybody's for whom the policy lets read orders.

        Raises:
            InvalidInput: ``invalid_page``.
        """
        skip = page_offset(page, per_page)
        decision = await self._core.pdp.decide(Check(actor, READ, ResourceRef(ORDERS)))
        wanted: ColumnElement[bool] = and_(orders.c.environment == actor.environment, orders.c.tenant == actor.tenant)
        if not decision.allowed:
            wanted = and_(wanted, orders.c.user_key == actor.user)
        async with self._core.database.reading() as reading:
            total = (await reading.execute(select(func.count()).select_from(orders).where(wanted))).scalar_one()
            rows = await reading.execute(
                select(orders)
                .where(wanted)
                .order_by(orders.c.placed_at.desc(), orders.c.id)
                .offset(skip)
                .limit(per_page)
            )
            return OrderPage(orders=[_view(row) for row in rows], total=total, page=page, per_page=per_page)


def _decided(check: Check, decision: Decision) -> AuditEvent:
    return AuditEvent("decision", check.actor, decision_body(check, decision))


def _view(row: Row[Any]) -> OrderView:
    placed_at: datetime = row.placed_at
    return OrderView(
        id=row.id,
        user_name=row.user_name,
        restaurant_name=row.restaurant_name,
        dish_key=row.dish_key,
        dish_name=row.dish_name,
        price_cents=row.price_cents,
        price=price_text(row.price_cents),
        approval_id=row.approval_id,
        placed_at=placed_at,
    )

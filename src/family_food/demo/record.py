"""Does the database hold exactly what the story told?"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, select

from family_food.settings import ChatSettings
from family_food.tables import orders
from permit_core.audit.log import AuditLog
from permit_core.audit.verify import VerifyReport
from permit_core.database import Database
from permit_core.policy.facts_file import load_facts
from permit_core.policy.loader import load_policy
from permit_core.stores.tables import audit_records, requests, role_assignments


@dataclass(frozen=True, slots=True)
class Ruling:
    """A decision as it was made on the screen.

    Attributes:
        request: the request as the reviewer was shown it, a :class:`permit_core.views.RequestView` as a dict.
        comment: the reviewer's words.
        ends_as: the status the request must have in the end.
    """

    request: Mapping[str, Any]
    comment: str
    ends_as: str


@dataclass(frozen=True, slots=True)
class Told:
    """What the story told.

    Attributes:
        child: directory key of the asker.
        parent: directory key of the reviewer.
        rulings: every decision, in order.
        dish: the dish that was ordered, a :class:`family_food.ordering.results.DishView` as a dict.
        refusals: tool and code of every call that was refused to the child.
        agreed: the tools of the calls that the child was asked about and said yes to, in order.
    """

    child: str
    parent: str
    rulings: Sequence[Ruling]
    dish: Mapping[str, Any]
    refusals: Sequence[tuple[str, str]]
    agreed: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Claim:
    """One sentence about the database, and whether it is true."""

    text: str
    holds: bool


async def check_record(settings: ChatSettings, told: Told) -> list[Claim]:
    """Compare the database with the story.

    Raises:
        StoreError: the database cannot be read.
        PolicyFileError: the facts file, which says what was there before, cannot be read.
        Unavailable: Permit.io, where the roles are, does not answer.
    """
    database = Database.open(settings.resolved_database_url, create=False)
    try:
        async with database.reading() as reading:
            stored_requests = (await reading.execute(select(requests).order_by(requests.c.created_at))).all()
            stored_orders = (await reading.execute(select(orders))).all()
            stored_roles = [
                (row.user_key, row.role, f"{row.resource_type}:{row.resource_key}")
                for row in await reading.execute(select(role_assignments))
            ]
            rows = (await reading.execute(select(audit_records).order_by(audit_records.c.seq))).all()
        report = await AuditLog(database).verify("default")
    finally:
        await database.close()
    if settings.permit_api_key.get_secret_value():
        stored_roles = await _roles_in_permit_io(settings)
    audit = [(row.event, row.user_key, json.loads(row.body)) for row in rows]
    return [
        *_requests(told, stored_requests),
        *_roles(settings, told, stored_roles),
        *_orders(told, stored_orders),
        *_audit(told, audit),
        _chain(report),
    ]


async def _roles_in_permit_io(settings: ChatSettings) -> list[tuple[str, str, str]]:
    """The roles of everybody in the facts file, as Permit.io has them now."""
    from permit_core.permit_io.client import PermitClient  # with an SDK that is there only where it is used
    from permit_core.permit_io.reader import PermitReader

    client = PermitClient(settings)
    try:
        reader = PermitReader(load_policy(settings.policy_file), client)
        found = [await reader.assignments(user.key) for user in load_facts(settings.facts_file).users]
    finally:
        await client.close()
    return [(each.user, each.role, str(each.resource or ":")) for mine in found for each in mine]


def _requests(told: Told, stored: Sequence[Row[Any]]) -> Iterator[Claim]:
    yield Claim(f"there are exactly {len(told.rulings)} requests", len(stored) == len(told.rulings))
    by_id = {row.id: row for row in stored}
    for ruling in told.rulings:
        asked = ruling.request
        what = asked["role"] or asked["operation"]
        row = by_id.get(asked["id"])
        yield Claim(
            f"{asked['requesting_user']}'s request for {what} on {asked['resource_name']} "
            f'("{asked["reason"]["text"]}") is {ruling.ends_as}, with the comment "{ruling.comment}"',
            row is not None
            and (row.user_key, row.decided_by) == (told.child, told.parent)
            and f"{row.resource_type}:{row.resource_key}" == asked["resource_instance"]
            and (row.role or row.operation) == what
            and row.reason == asked["reason"]["text"]
            and row.pinned == asked["pinned"]
            and (row.status, row.comment) == (ruling.ends_as, ruling.comment)
            and (row.used_at is not None) == (ruling.ends_as == "used"),
        )


def _roles(settings: ChatSettings, told: Told, stored: Sequence[tuple[str, str, str]]) -> Iterator[Claim]:
    before = {
        (given.user, given.role, str(given.resource) if given.resource else ":")
        for given in load_facts(settings.facts_file).assignments
    }
    now = set(stored)
    granted = {
        (told.child, ruling.request["role"], ruling.request["resource_instance"])
        for ruling in told.rulings
        if ruling.request["kind"] == "access_request" and ruling.ends_as == "approved"
    }
    names = ", ".join(f"{role} on {instance}" for _, role, instance in sorted(granted))
    yield Claim(f"the only new role is {names}", now - before == granted and not before - now)


def _orders(told: Told, stored: Sequence[Row[Any]]) -> Iterator[Claim]:
    yield Claim("there is exactly one order", len(stored) == 1)
    approval = next(ruling.request["id"] for ruling in told.rulings if ruling.ends_as == "used")
    dish = told.dish
    expected = (told.child, dish["key"], dish["price_cents"], approval)
    yield Claim(
        f"it is {dish['name']} for {dish['price']}, on the approval {approval}",
        any((row.user_key, row.dish_key, row.price_cents, row.approval_id) == expected for row in stored),
    )


def _audit(told: Told, audit: Sequence[tuple[str, str, Mapping[str, Any]]]) -> Iterator[Claim]:
    decisions = Counter("denied" if ruling.ends_as == "denied" else "approved" for ruling in told.rulings)
    expected = {
        "request.created": (told.child, len(told.rulings)),
        "request.denied": (told.parent, decisions["denied"]),
        "request.approved": (told.parent, decisions["approved"]),
        "request.used": (told.child, 1),
        "order.placed": (told.child, 1),
    }
    for event, (actor, times) in expected.items():
        actors = [who for name, who, _ in audit if name == event]
        who_did = "child" if actor == told.child else "parent"
        yield Claim(f"the audit log has {times} x {event}, by the {who_did}", actors == [actor] * times)
    refused = Counter(
        (body.get("tool"), body.get("code"))
        for event, who, body in audit
        if event == "tool.call" and who == told.child and body.get("outcome") != "ok"
    )
    for refusal, times in Counter(told.refusals).items():
        tool, code = refusal
        yield Claim(f"the audit log has {times} x {tool} refused with {code}", refused[refusal] == times)
    confirmed = [(who, body.get("tool")) for event, who, body in audit if event == "call.confirmed"]
    yield Claim(
        f"the audit log has {len(told.agreed)} x call.confirmed, by the child",
        confirmed == [(told.child, tool) for tool in told.agreed],
    )
    for who, name in ((told.child, "child"), (told.parent, "parent")):
        yield Claim(
            f"the audit log has the {name}'s log-in",
            any(event == "login.succeeded" and actor == who for event, actor, _ in audit),
        )


def _chain(report: VerifyReport) -> Claim:
    wrong = "; ".join(problem.text for problem in report.problems)
    return Claim(f"the audit chain of {report.records} records is whole{': ' + wrong if wrong else ''}", report.ok)

"""The register tells another place of each step, and lets nothing happen that it refuses."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from permit_core.approvals.elsewhere import DecidedElsewhere, Nowhere
from permit_core.approvals.lifecycle import Event
from permit_core.approvals.register import Register
from permit_core.database import Transaction
from permit_core.identity import Actor
from permit_core.ports.request import Request, RequestKind, RequestStatus
from permit_core.stores.requests import RequestStore
from tests.support.family import ACCESS, ROLE, SUSHI_WORLD, Family, refused


@dataclass
class Place(Nowhere):
    """A place that remembers what it was told, and refuses what it is told to refuse."""

    told: list[tuple[str, str]] = field(default_factory=list)
    refuses: str = ""

    async def entered(self, transaction: Transaction, request: Request) -> None:
        self._hear("entered", request.id)

    async def moved(
        self, transaction: Transaction, before: Request, after: Request, event: Event, actor: Actor
    ) -> None:
        assert (before.status, actor.user) == (RequestStatus.PENDING, "1")
        self._hear(event.value, after.status.value)

    def _hear(self, what: str, of: str) -> None:
        if what == self.refuses:
            raise DecidedElsewhere("Not here.")
        self.told.append((what, of))


@pytest.fixture
def place() -> Place:
    return Place()


@pytest.fixture
def register(family: Family, place: Place) -> Register:
    core = family.core
    return Register(core.database, RequestStore(), core.audit, core.notices, place)


def request(family: Family) -> Request:
    now = family.clock()
    return Request(
        id="req_" + "a" * 32, kind=RequestKind.ACCESS_REQUEST, environment="default", tenant="default", user="3",
        user_name="Henry", resource=SUSHI_WORLD, resource_name="Sushi World", reason="sushi",
        status=RequestStatus.PENDING, created_at=now, role=ROLE, expires_at=now + timedelta(days=1),
    )  # fmt: skip


async def test_each_step_is_told_and_what_happened_there_is_not_told_back(
    family: Family, register: Register, place: Place
) -> None:
    asked = request(family)
    async with family.core.database.transaction("default") as transaction:
        await register.enter(transaction, asked, family.henry)
    async with family.core.database.transaction("default") as transaction:
        await register.move(transaction, asked, Event.DENY, family.joe, decided_by="1")
    assert place.told == [("entered", asked.id), ("deny", "denied")]
    another = await family.core.approvals.ask_access(family.rose, SUSHI_WORLD, ROLE, "sushi")
    async with family.core.database.transaction("default") as transaction:
        followed = await register.follow(transaction, another, Event.DENY, family.joe, decided_by="1")
    assert (followed.status, len(place.told)) == (RequestStatus.DENIED, 2)
    assert (await family.audited())[-1] == "request.denied"


@pytest.mark.parametrize("refuses", ["entered", "deny"])
async def test_what_is_refused_there_has_not_happened_here(
    family: Family, register: Register, place: Place, refuses: str
) -> None:
    asked, place.refuses = request(family), refuses
    before = await family.audited()

    async def step(name: str) -> None:
        async with family.core.database.transaction("default") as transaction:
            if name == "enter":
                await register.enter(transaction, asked, family.henry)
            else:
                await register.move(transaction, asked, Event.DENY, family.joe, decided_by="1")

    if refuses == "entered":
        assert (await refused(step("enter"))).code == "already_decided"
        assert await family.audited() == before
    else:
        await step("enter")
        assert (await refused(step("deny"))).code == "already_decided"
        assert await family.audited() == [*before, "request.created"]
        assert (await family.core.approvals.get(family.henry, ACCESS, asked.id)).status is RequestStatus.PENDING

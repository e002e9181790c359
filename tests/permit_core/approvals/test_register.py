"""What a reviewer changes of a request that is still open."""

import pytest

from permit_core.approvals.register import Register
from permit_core.errors import Conflict
from permit_core.ports.request import Request
from permit_core.stores.requests import RequestStore
from tests.support.family import ACCESS, Family


async def amended(family: Family, request: Request, comment: str) -> Request:
    core, store = family.core, RequestStore()
    register = Register(core.database, store, core.audit, core.notices)
    async with core.database.transaction(core.environment) as transaction:
        return await register.amend(transaction, request, family.joe, comment=comment)


async def test_what_is_noted_on_an_open_request_is_kept_and_on_record(family: Family) -> None:
    request = await family.asks_access()
    await amended(family, request, "Why?")
    async with family.core.database.reading() as reading:
        found = await RequestStore().get(family.core.environment, reading, ACCESS, request.id)
    assert found is not None
    assert (found.comment, found.status) == ("Why?", request.status)
    (record,) = await family.core.audit.latest(family.core.environment, limit=1)
    assert (record.event, record.user, record.request) == ("request.amended", family.joe.user, request.id)
    assert record.body["comment"] == "Why?"


async def test_a_request_that_was_decided_meanwhile_is_not_changed_any_more(family: Family) -> None:
    request = await family.asks_access()
    await family.core.approvals.deny(family.joe, ACCESS, request.id)
    with pytest.raises(Conflict) as refused:
        await amended(family, request, "Why?")
    assert refused.value.code == "already_decided"

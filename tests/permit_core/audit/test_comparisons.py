"""The log against what it tells of: requests and roles, in both directions."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from typing import Any

import pytest
from sqlalchemy import text

from permit_core.audit import comparisons as module
from permit_core.audit.comparisons import GrantComparison, RequestComparison, comparisons
from permit_core.audit.log import AuditLog
from permit_core.audit.verify import Damage, VerifyReport
from permit_core.database import Database
from permit_core.errors import ConfigurationError
from permit_core.identity import Actor
from permit_core.policy.loader import read_policy
from permit_core.ports.record import AuditEvent
from tests.support.family import OPERATION, Family


async def compared(family: Family) -> VerifyReport:
    return await family.core.audit.verify("default", comparisons=[RequestComparison(), GrantComparison()])


async def done(family: Family, *statements: str) -> list[str]:
    async with family.core.database.transaction() as transaction:
        for statement in statements:
            await transaction.execute(text(statement))
    report = await compared(family)
    assert {problem.damage for problem in report.problems} <= {Damage.DISAGREES}
    return [problem.text for problem in report.problems]


async def test_a_family_that_asked_and_decided_is_as_the_log_tells(family_on_each: Family) -> None:
    family = family_on_each
    await family.asks_access()
    await family.approved()
    await family.use()
    denied = await family.asks_operation()
    await family.core.approvals.deny(family.joe, OPERATION, denied.id, "Not today")
    assert (await compared(family)).ok


@pytest.mark.parametrize(
    ("deed", "said"),
    [
        ("UPDATE requests SET decided_by = '2'", "decided_by is '2' in the database, and '1' in record "),
        ("UPDATE requests SET status = 'denied'", "status is 'denied' in the database, and 'approved' in record "),
        ("UPDATE requests SET user_key = '4'", "user is '4' in the database, and '3' in record "),
        ("UPDATE requests SET resource_key = '1-cheese-pizza'", "resource is 'dishes:1-cheese-pizza' in the database"),
        ("DELETE FROM requests", "is not in the database, and record "),
    ],
)
async def test_a_request_that_was_changed_is_named(family: Family, deed: str, said: str) -> None:
    request = await family.approved()
    (found,) = await done(family, "DELETE FROM notices", deed)
    assert found.startswith(f"request {request.id}: {said}")


async def test_a_request_that_no_record_tells_of_is_named(family: Family) -> None:
    request = await family.approved()
    (found,) = [
        text
        for text in await done(family, "DELETE FROM notices", "UPDATE requests SET id = 'req_forged'")
        if "forged" in text
    ]
    assert found == "request req_forged: is in the database, and no record tells of it"
    assert request.id not in found


async def test_a_role_that_was_given_by_hand_is_named_and_one_that_was_taken_too(family: Family) -> None:
    before = await compared(family)
    assert before.ok
    found = await done(
        family, "UPDATE role_assignments SET role = 'parent' WHERE user_key = '3' AND resource_type = ''"
    )
    assert found[0] == "role parent of user 3 on tenant default: is in the database, and no record tells of it"
    assert found[1].startswith("role child of user 3 on tenant default: is not in the database, and record ")
    assert len(found) == 2


async def test_a_role_taken_by_the_directory_is_no_damage(family: Family) -> None:
    await family.gives(family.rose, "parent")
    await family.takes(family.rose, "parent")
    assert (await compared(family)).ok


async def test_installed_packages_bring_comparisons_and_one_that_cannot_be_loaded_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kinds = [type(comparison).__name__ for comparison in comparisons(grants_are_ours=True)]
    assert kinds == ["RequestComparison", "PolicyComparison", "GrantComparison", "OrderComparison"]
    assert len(comparisons(grants_are_ours=False)) == 3

    def broken(**_: Any) -> list[EntryPoint]:
        return [EntryPoint("orders", "no.such.module:Thing", module.ENTRY_POINTS)]

    monkeypatch.setattr(module, "entry_points", broken)
    with pytest.raises(ConfigurationError, match=r"no\.such\.module:Thing cannot be loaded"):
        comparisons(grants_are_ours=True)


async def test_roles_that_one_record_lists_are_given_and_taken_together(database: Database) -> None:
    comparison, actor = GrantComparison(), Actor("default", "home", "1")
    log = AuditLog(database)
    ann, bob = {"user": "ann", "role": "reader"}, {"user": "bob", "role": "reader", "instance": "docs:1"}
    await log.note(
        AuditEvent(
            "directory.seeded", actor, {"roles": [{**ann, "tenant": "shop"}, {**bob, "tenant": "shop"}, "torn"]}
        ),
        AuditEvent("user.removed", actor, {"user": "bob", "roles": [{**bob, "tenant": "shop"}]}),
        AuditEvent("role.assigned", actor, bob),
        AuditEvent("tenant.removed", actor, {"removed": 1}),
    )
    for record in await log.records("default"):
        comparison.see(record)
    async with database.reading() as reading:
        (found,) = await comparison.differences(reading, "default")
    assert (found.seq, found.subject) == (1, "role reader of user ann on tenant shop")


async def test_the_hash_of_the_policy_in_force_stands_in_the_records_of_a_family(family: Family) -> None:
    await family.asks_access()
    policy = read_policy(family.core.settings.policy_path)
    assert (await family.core.audit.latest("default", limit=1))[0].policy == policy.hash

"""A standing yes: these calls and no others, until a time, for as long as whoever gave it may give it."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from permit_core.approvals.calls import Outcome
from permit_core.identity import Actor
from permit_core.ports.approvals import Via
from permit_core.ports.request import Request, RequestStatus
from permit_core.stores.standing import StandingYes
from tests.support.clock import SteadyClock
from tests.support.family import refused
from tests.support.guarded import CALL, Files, open_files

SHAPE: dict[str, dict[str, Any]] = {"name": {"values": ["a", "b", "c.txt"]}}


@pytest.fixture
async def files(tmp_path: Path, clock: SteadyClock) -> AsyncIterator[Files]:
    opened = await open_files(tmp_path, clock)
    try:
        yield opened
    finally:
        await opened.core.close()


async def given(files: Files, **length: float) -> tuple[Request, StandingYes]:
    """Bob's yes to shredding a, b and c.txt, for an hour or so long."""
    request = await files.held(await files.call("shred_file", name="a"))
    until = files.clock() + timedelta(**length or {"hours": 1})
    return request, await files.core.approvals.give_standing(files.bob, request.id, SHAPE, until, "Tidy up")


async def events(files: Files, prefix: str) -> list[str]:
    return [record.event for record in await files.core.audit.records("default") if record.event.startswith(prefix)]


async def test_it_approves_the_call_that_waited_and_every_call_of_its_shape(files: Files) -> None:
    request, yes = await given(files)
    assert (await files.stored(request)).status is RequestStatus.APPROVED
    for name in ("a", "b", "b", "c.txt"):
        claimed = await files.claim(await files.call("shred_file", name=name))
        (used,) = await files.core.approvals.settle(files.ann, claimed, Outcome.ANSWERED)
        assert used.status is RequestStatus.USED
        if name != "a":
            assert (used.standing, used.decided_by, used.reason) == (yes.id, "bob", "Tidy up")
    assert (await refused(files.claim(await files.call("shred_file", name="d")))).code == "approval_needed"
    assert await events(files, "standing.") == ["standing.given"]
    assert (await events(files, "request.")).count("request.executing") == 4


async def test_each_use_is_on_record_with_the_yes_it_was_made_by(files: Files) -> None:
    _, yes = await given(files)
    await files.claim(await files.call("shred_file", name="b"))
    record = (await files.core.audit.records("default"))[-1]
    assert (record.event, record.body["standing"], record.body["arguments"]) == (
        "request.executing",
        yes.id,
        {"name": "b"},
    )


async def test_it_serves_no_other_person_agent_or_tool(files: Files) -> None:
    await given(files)
    call = await files.call("shred_file", name="b")
    for actor in (files.in_person, replace(files.ann, agent="other")):
        assert (await refused(files.claim(call, actor))).code == "approval_needed"
    assert (await refused(files.claim(await files.call(name="b")))).code == "approval_needed"
    files.definitions["shred_file"] = "Shred, and burn."
    assert (await refused(files.claim(await files.call("shred_file", name="b")))).code == "approval_needed"


async def test_it_never_covers_a_tainted_call(files: Files) -> None:
    await given(files)
    call = await files.call("shred_file", name="b")
    files.labels = frozenset({"untrusted"})
    assert (await refused(files.claim(call))).code == "approval_needed"
    files.labels = frozenset()
    assert len(await files.claim(call)) == 1


async def test_it_ends_at_its_time_and_when_it_is_revoked_in_every_process(files: Files, tmp_path: Path) -> None:
    other = await open_files(tmp_path, files.clock, facts=False)
    try:
        _, yes = await given(files)
        assert await files.core.approvals.standing(files.ann) == [yes]
        files.clock.advance(minutes=59, seconds=59)
        assert len(await other.claim(await other.call("shred_file", name="b"))) == 1
        files.clock.advance(seconds=1)
        assert (await refused(other.claim(await other.call("shred_file", name="c.txt")))).code == "approval_needed"
        assert await files.core.approvals.standing(files.ann) == []
        request = await files.held(await files.call("shred_file", name="c.txt"))
        again = await files.core.approvals.give_standing(
            files.bob, request.id, SHAPE, files.clock() + timedelta(days=7)
        )
        assert await other.core.approvals.end_standing(files.ann, again.id)
        assert not await files.core.approvals.end_standing(files.bob, again.id)
        assert (await refused(files.claim(await files.call("shred_file", name="a")))).code == "approval_expired"
        assert await events(files, "standing.") == ["standing.given", "standing.given", "standing.ended"]
    finally:
        await other.core.close()


async def test_it_falls_with_the_right_of_whoever_gave_it(files: Files) -> None:
    await given(files)
    await files.takes("bob", "chief", None)
    assert (await refused(files.claim(await files.call("shred_file", name="b")))).code == "approval_needed"


async def test_a_call_that_was_not_sent_costs_nothing_and_the_next_is_a_new_one(files: Files) -> None:
    await given(files)
    first = await files.claim(await files.call("shred_file", name="b"))
    (released,) = await files.core.approvals.settle(files.ann, first, Outcome.NOT_SENT)
    assert released.status is RequestStatus.VOIDED
    (second,) = await files.claim(await files.call("shred_file", name="b"))
    assert second.id != first[0].id


async def test_what_a_human_confirms_alone_can_stand_as_well(files: Files) -> None:
    request = await files.held(await files.call("send_file", name="a"))
    until = files.clock() + timedelta(hours=1)
    approvals = files.core.approvals
    error = await refused(approvals.give_standing(files.ann, request.id, SHAPE, until, via=Via.PERSON))
    assert error.code == "own_request"
    await approvals.give_standing(files.in_person, request.id, SHAPE, until, via=Via.PERSON)
    (claimed,) = await files.claim(await files.call("send_file", name="b"))
    assert claimed.decided_by == "ann"


async def test_what_is_confirmed_at_the_client_is_confirmed_each_time(files: Files) -> None:
    request = await files.held(await files.call("show_file", name="a"))
    until = files.clock() + timedelta(hours=1)
    give = files.core.approvals.give_standing(files.ann, request.id, SHAPE, until, via=Via.CLIENT)
    assert (await refused(give)).code == "not_standing"
    assert (await files.stored(request)).status is RequestStatus.PENDING


@pytest.mark.parametrize(
    ("shape", "hours", "code"),
    [
        ({"name": {"value": "b"}}, 1, "invalid_shape"),
        ({"name": {"pattern": "*"}}, 1, "invalid_shape"),
        ({}, 1, "invalid_shape"),
        (SHAPE, 0, "invalid_until"),
        (SHAPE, 24 * 7 + 0.01, "invalid_until"),
    ],
)
async def test_what_would_not_cover_the_call_or_stands_too_long_is_refused_whole(
    files: Files, shape: dict[str, dict[str, Any]], hours: float, code: str
) -> None:
    request = await files.held(await files.call("shred_file", name="a"))
    until = files.clock() + timedelta(hours=hours)
    assert (await refused(files.core.approvals.give_standing(files.bob, request.id, shape, until))).code == code
    assert (await files.stored(request)).status is RequestStatus.PENDING
    naive = until.replace(tzinfo=None)
    assert (await refused(files.core.approvals.give_standing(files.bob, request.id, SHAPE, naive))).code == (
        "invalid_until"
    )


async def test_who_may_not_approve_gives_none_sees_none_and_ends_none(files: Files) -> None:
    approvals = files.core.approvals
    request = await files.held(await files.call("shred_file", name="a"))
    until = files.clock() + timedelta(hours=1)
    assert (await refused(approvals.give_standing(files.eve, request.id, SHAPE, until))).code == "no_such_request"
    assert (await refused(approvals.give_standing(files.ann, request.id, SHAPE, until))).code == "own_request"
    yes = await approvals.give_standing(files.bob, request.id, SHAPE, until)
    assert (await refused(approvals.give_standing(files.bob, request.id, SHAPE, until))).code == "already_decided"
    elsewhere = Actor("default", "elsewhere", "bob")
    for stranger in (files.eve, elsewhere):
        assert await approvals.standing(stranger) == []
        assert (await refused(approvals.end_standing(stranger, yes.id))).code == "no_such_standing"
    assert await approvals.standing(files.bob) == [yes]
    assert (await refused(approvals.end_standing(files.bob, "yes_1"))).code == "no_such_standing"
    assert yes.tool == "shred_file"
    assert CALL is request.kind

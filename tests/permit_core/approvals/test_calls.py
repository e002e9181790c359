"""A call waits for a yes, is made at most once, and is never made again when nobody knows what became of it."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from permit_core.access import Check, ResourceRef
from permit_core.approvals import calls
from permit_core.approvals.calls import LONGEST_CALL, Call, Outcome
from permit_core.approvals.runner import is_gone, this_runner
from permit_core.audit.comparisons import comparisons
from permit_core.canonical import arguments_digest
from permit_core.errors import Forbidden, TooMany, UserFacing
from permit_core.identity import Actor
from permit_core.policy.judgement import Hold
from permit_core.ports.approvals import Via
from permit_core.ports.request import ONCE, Request, RequestFilter, RequestKind, RequestStatus
from permit_core.stores.tables import held_arguments
from tests.support.clock import SteadyClock
from tests.support.core import make_core
from tests.support.databases import PostgresServer
from tests.support.family import refused
from tests.support.guarded import CALL, Files, open_files


@pytest.fixture
async def files(tmp_path: Path, clock: SteadyClock) -> AsyncIterator[Files]:
    opened = await open_files(tmp_path, clock)
    try:
        yield opened
    finally:
        await opened.core.close()


@pytest.fixture
async def second_process(files: Files, tmp_path: Path, clock: SteadyClock) -> AsyncIterator[Files]:
    """The same files through connections of another core."""
    opened = await open_files(tmp_path, clock, facts=False)
    try:
        yield opened
    finally:
        await opened.core.close()


@pytest.fixture(params=["sqlite", "postgresql"])
async def files_on_each(request: pytest.FixtureRequest, tmp_path: Path, clock: SteadyClock) -> AsyncIterator[Files]:
    url = ""
    if request.param == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgres_server")
        url = server.new_database()
    opened = await open_files(tmp_path, clock, database_url=url)
    try:
        yield opened
    finally:
        await opened.core.close()


async def kept(files: Files, request: Request) -> bytes | None:
    """What the database holds of the arguments."""
    async with files.core.database.reading() as transaction:
        query = select(held_arguments.c.sealed).where(held_arguments.c.request_id == request.id)
        return (await transaction.execute(query)).scalar_one_or_none()


# Asking


async def test_a_question_says_who_wants_to_call_what_on_what_until_when(files: Files, clock: SteadyClock) -> None:
    call = await files.call(force=True)
    request = await files.held(call, reason="The disk is full")
    assert (request.kind, request.status, request.reason) == (CALL, RequestStatus.PENDING, "The disk is full")
    assert (request.user, request.user_name, request.agent, request.session) == ("ann", "Ann", "claude", "s1")
    assert (request.resource, request.resource_name, request.operation) == (
        ResourceRef("files", "a"),
        "files:a",
        "delete",
    )
    assert request.called is not None
    assert request.called.digest == arguments_digest({"name": "a", "force": True})
    assert (request.called.tool, request.called.gate) == ("delete_file", "call")
    assert request.called.arguments == {"name": "a", "force": True}
    assert (request.pinned, request.review_action) == ({"size": 10}, "review")
    assert request.expires_at is not None
    assert request.lasts is not None
    assert (request.expires_at - clock()).days == 1
    assert request.lasts.total_seconds() == 1800
    assert await files.stored(request) == request


async def test_the_same_call_waits_once_and_another_beside_it(files: Files) -> None:
    first = await files.held(await files.call())
    assert await files.held(await files.call()) == first
    other = await files.held(await files.call(force=True))
    by_hand = await files.held(await files.call(), files.in_person)
    assert len({first.id, other.id, by_hand.id}) == 3
    waiting = await files.core.approvals.list(files.bob, CALL, RequestFilter(status=RequestStatus.PENDING))
    assert waiting.total == 3


async def test_what_is_approved_and_not_used_is_not_asked_again(files: Files) -> None:
    approved = await files.approved(await files.call())
    assert await files.held(await files.call()) == approved


async def test_reviewers_hear_of_it_and_the_asker_of_the_answer(files: Files) -> None:
    request = await files.approved(await files.call())
    told = [(notice.recipient, notice.event, notice.request) for notice in await files.core.notices.after(0)]
    assert told == [("bob", "request_created", request), ("ann", "request_decided", request)]


async def test_a_call_on_something_that_is_not_stored_and_no_key_waits_as_well(files: Files) -> None:
    for name in ("report.txt", "a b/c.md", "../x"):
        call = await files.call("shred_file", name=name)
        request = await files.held(call)
        assert (request.resource, request.resource_name) == (ResourceRef("files"), call.acts_on)
        assert name in call.acts_on
        await files.approve(request)
        (claimed,) = await files.claim(call)
        assert claimed.id == request.id


async def test_what_the_policy_pins_and_nobody_knows_cannot_be_approved(files: Files) -> None:
    error = await refused(files.held(await files.call(name="report.txt")))
    assert error.code == "cannot_be_pinned"
    assert "size" in error.message


async def test_too_many_questions_of_one_user_are_refused(files: Files) -> None:
    for number in range(20):
        await files.held(await files.call("shred_file", name=f"f{number}.txt"))
    error = await refused(files.held(await files.call("shred_file", name="one-more.txt")))
    assert error.code == "too_many_pending"


async def test_after_a_no_the_same_tool_is_asked_for_again_after_a_pause_that_doubles(
    files: Files, clock: SteadyClock
) -> None:
    approvals = files.core.approvals
    for minutes in (10, 20, 40):
        request = await files.held(await files.call())
        await approvals.deny(files.bob, CALL, request.id, "No")
        for force in (False, True):
            error = await refused(files.held(await files.call(force=force)))
            assert isinstance(error, TooMany)
            assert (error.code, error.retry_after) == ("asked_too_soon", minutes * 60)
        clock.advance(minutes=minutes)
    await files.approved(await files.call())
    clock.advance(minutes=30)
    request = await files.held(await files.call())
    await approvals.deny(files.bob, CALL, request.id, "No")
    error = await refused(files.held(await files.call()))
    assert isinstance(error, TooMany)
    assert error.retry_after == 600


# The arguments


async def test_arguments_are_kept_encrypted_and_read_by_their_own_caller_alone(files: Files) -> None:
    call = await files.call("shred_file", name="tax return.pdf")
    request = await files.held(call)
    sealed = await kept(files, request)
    assert sealed is not None
    assert b"tax return" not in sealed
    assert await files.core.approvals.held_arguments(files.ann, request.id) == call.arguments
    for stranger in (files.in_person, files.bob, replace(files.ann, user="eve")):
        error = await refused(files.core.approvals.held_arguments(stranger, request.id))
        assert error.code == "no_such_request"


@pytest.mark.parametrize("end", ["used", "denied", "cancelled", "expired", "voided"])
async def test_arguments_are_erased_when_it_is_settled(files: Files, clock: SteadyClock, end: str) -> None:
    approvals = files.core.approvals
    request = await files.held(await files.call())
    if end in {"used", "voided"}:
        await files.approve(request)
        assert await kept(files, request) is not None
    match end:
        case "used":
            await approvals.settle(files.ann, await files.claim(await files.call()), Outcome.ANSWERED)
        case "denied":
            await approvals.deny(files.bob, CALL, request.id)
        case "cancelled":
            await approvals.cancel(files.ann, CALL, request.id)
        case "voided":
            await approvals.void(files.bob, CALL, request.id)
        case _:
            clock.advance(days=1)
    assert (await files.stored(request)).status.value == end
    assert await kept(files, request) is None
    error = await refused(approvals.held_arguments(files.ann, request.id))
    assert (error.code, error.details["status"]) == ("already_decided", end)


async def test_what_is_secret_is_shown_to_nobody(files: Files) -> None:
    request = await files.held(replace(await files.call(), hide=("name",)))
    assert request.called is not None
    assert request.called.arguments["name"] != "a"
    body = (await files.core.audit.records("default"))[-1].body
    assert (body["arguments"], body["digest"]) == (request.called.arguments, request.called.digest)


# Making the call


async def test_after_a_yes_the_same_call_is_made_once_and_another_is_not(files_on_each: Files) -> None:
    files = files_on_each
    request = await files.approved(await files.call())
    assert (await refused(files.claim(await files.call(force=True)))).code == "approval_needed"
    assert (await refused(files.claim(await files.call(name="b")))).code == "approval_needed"
    assert (await refused(files.claim(await files.call(), files.in_person))).code == "approval_needed"
    (claimed,) = await files.claim(await files.call())
    assert (claimed.id, claimed.status) == (request.id, RequestStatus.EXECUTING)
    error = await refused(files.claim(await files.call()))
    assert (error.code, error.details["request_id"]) == ("approval_in_use", request.id)
    (settled,) = await files.core.approvals.settle(files.ann, [claimed], Outcome.ANSWERED)
    assert settled.status is RequestStatus.USED
    assert (await refused(files.claim(await files.call()))).code == "approval_used"
    events = [record.event for record in await files.core.audit.records("default") if "request" in record.event]
    assert events == ["request.created", "request.approved", "request.executing", "request.used"]


async def test_of_many_processes_one_begins_the_call(files: Files, second_process: Files) -> None:
    await files.approved(await files.call())
    both = [files, second_process] * 5
    found = await asyncio.gather(*[each.claim(await each.call()) for each in both], return_exceptions=True)
    assert sum(isinstance(each, tuple) for each in found) == 1
    assert all(isinstance(each, tuple | Forbidden) for each in found)


async def test_a_call_that_was_certainly_not_sent_can_be_made_with_the_same_yes(files: Files) -> None:
    request = await files.approved(await files.call())
    claimed = await files.claim(await files.call())
    (released,) = await files.core.approvals.settle(files.ann, claimed, Outcome.NOT_SENT)
    assert released == request
    (again,) = await files.claim(await files.call())
    assert again.id == request.id


async def test_a_call_whose_answer_was_lost_is_unknown_and_never_made_again(files: Files) -> None:
    request = await files.approved(await files.call())
    claimed = await files.claim(await files.call())
    (lost,) = await files.core.approvals.settle(files.ann, claimed, Outcome.LOST)
    assert lost.status is RequestStatus.UNKNOWN
    for attempt in (files.claim(await files.call()), files.held(await files.call())):
        error = await refused(attempt)
        assert (error.code, error.details["request_id"]) == ("outcome_unknown", request.id)
    (still,) = await files.core.approvals.settle(files.ann, claimed, Outcome.ANSWERED)
    assert still.status is RequestStatus.UNKNOWN
    assert (await refused(files.core.approvals.void(files.bob, CALL, request.id))).code == "already_decided"


@pytest.mark.parametrize(("happened", "after"), [(True, RequestStatus.USED), (False, RequestStatus.VOIDED)])
async def test_a_reviewer_settles_what_is_unknown_on_record(files: Files, happened: bool, after: RequestStatus) -> None:
    approvals = files.core.approvals
    request = await files.approved(await files.call())
    await approvals.settle(files.ann, await files.claim(await files.call()), Outcome.LOST)
    for somebody in (files.ann, files.in_person, replace(files.bob, agent="claude")):
        error = await refused(approvals.settle_unknown(somebody, request.id, happened=happened))
        assert error.code == "own_request"
    assert (await refused(approvals.settle_unknown(files.eve, request.id, happened=True))).code == "no_such_request"
    settled = await approvals.settle_unknown(files.bob, request.id, happened=happened, comment="I looked")
    assert (settled.status, settled.comment) == (after, "I looked")
    assert (settled.used_at is not None) is happened
    error = await refused(approvals.settle_unknown(files.bob, request.id, happened=happened))
    assert error.code == "already_decided"
    assert (await refused(files.claim(await files.call()))).code in {"approval_used", "approval_voided"}
    assert (await files.held(await files.call())).status is RequestStatus.PENDING


async def test_a_call_whose_process_died_is_found_unknown_at_once(
    files: Files, second_process: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead = _runner_that_died()
    assert is_gone(dead)
    assert not is_gone(this_runner())
    await files.approved(await files.call())
    monkeypatch.setattr(calls, "this_runner", lambda: dead)
    (claimed,) = await files.claim(await files.call())
    assert await second_process.core.approvals.recover("default") == 1
    assert await second_process.core.approvals.recover("default") == 0
    assert (await files.stored(claimed)).status is RequestStatus.UNKNOWN
    records = await files.core.audit.records("default")
    assert (records[-1].event, records[-1].user) == ("request.unknown", "system")


async def test_a_program_that_starts_finds_what_died_before(
    files: Files, tmp_path: Path, clock: SteadyClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await files.approved(await files.call())
    monkeypatch.setattr(calls, "this_runner", _runner_that_died)
    (claimed,) = await files.claim(await files.call())
    started = await open_files(tmp_path, clock, facts=False)
    await started.core.close()
    assert (await files.stored(claimed)).status is RequestStatus.UNKNOWN


def _runner_that_died() -> str:
    """The name of a process that has ended."""
    program = "from permit_core.approvals.runner import this_runner; print(this_runner())"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return done.stdout.strip()


async def test_a_call_that_takes_longer_than_any_is_unknown_before_the_next_begins(
    files: Files, clock: SteadyClock
) -> None:
    await files.approved(await files.call())
    (claimed,) = await files.claim(await files.call())
    clock.advance(seconds=LONGEST_CALL.total_seconds() - 1)
    assert await files.core.approvals.recover("default") == 0
    clock.advance(seconds=1)
    assert (await refused(files.claim(await files.call()))).code == "outcome_unknown"
    assert (await files.stored(claimed)).status is RequestStatus.UNKNOWN


@pytest.mark.parametrize("runner", [None, "", "-", "x y z", "elsewhere 1 1"])
def test_of_a_process_that_is_not_of_this_machine_nothing_is_said(runner: str | None) -> None:
    assert not is_gone(runner)


async def test_a_yes_counts_only_under_the_judgement_of_the_moment(files: Files) -> None:
    request = await files.approved(await files.call())
    await files.takes("ann", "worker", None)
    error = await refused(files.claim(await files.call()))
    assert error.code == "access_denied"
    assert (await files.stored(request)).status is RequestStatus.APPROVED


async def test_what_the_policy_pins_is_compared_when_the_call_begins(files: Files) -> None:
    await files.approved(await files.call())
    await files.size("a", 11)
    assert (await refused(files.claim(await files.call()))).code == "approval_mismatch"
    await files.size("a", 9)
    assert len(await files.claim(await files.call())) == 1


async def test_a_yes_to_a_tool_is_none_to_what_it_became(files: Files) -> None:
    await files.approved(await files.call())
    files.definitions["delete_file"] = "Delete a file, and tell everybody."
    assert (await refused(files.claim(await files.call()))).code == "approval_mismatch"
    assert (await files.held(await files.call())).status is RequestStatus.PENDING
    assert (await refused(files.claim(await files.call()))).code == "approval_pending"


async def test_a_yes_ends_with_its_time(files: Files, clock: SteadyClock) -> None:
    await files.approved(await files.call())
    clock.advance(minutes=30)
    assert (await refused(files.claim(await files.call()))).code == "approval_expired"


async def test_one_yes_can_be_named_and_then_no_other_serves(files: Files) -> None:
    request = await files.approved(await files.call())
    error = await refused(files.claim(await files.call(), request_id=f"req_{'0' * 32}"))
    assert error.code == "approval_needed"
    (claimed,) = await files.claim(await files.call(), request_id=request.id)
    assert claimed.id == request.id


async def test_what_nobody_allows_and_the_policy_wants_confirmed_needs_both(files: Files) -> None:
    approvals = files.core.approvals
    call = await files.call()
    assert (await refused(files.claim(call, files.eve))).code == "approval_needed"
    asked = await approvals.ask_operation(files.eve, ResourceRef("files", "a"), "delete", "It is old")
    await approvals.approve(files.bob, RequestKind.OPERATION_APPROVAL, asked.id)
    assert (await refused(files.claim(call, files.eve))).code == "approval_needed"
    assert (await approvals.get(files.eve, None, asked.id)).status is RequestStatus.APPROVED

    judgement = await files.judge(files.eve, call, None, {"operation": "reviewer"})
    held = await approvals.hold(files.eve, call, judgement, "")  # type: ignore[arg-type]
    await files.approve(held)
    claimed = await files.claim(call, files.eve)
    assert {request.id for request in claimed} == {asked.id, held.id}
    settled = await approvals.settle(files.eve, claimed, Outcome.ANSWERED)
    assert {request.status for request in settled} == {RequestStatus.USED}


async def test_who_is_not_known_asks_nothing(files: Files) -> None:
    judgement = await files.judge(files.ann, await files.call(), None, {})
    nobody = Actor("default", "default", "nobody")
    error = await refused(files.core.approvals.hold(nobody, await files.call(), judgement))  # type: ignore[arg-type]
    assert error.code == "no_such_user"


# Whose yes


async def test_a_confirmation_by_oneself_needs_the_human_in_person(files: Files) -> None:
    request = await files.held(await files.call("send_file", name="a"))
    for actor, via in (
        (files.ann, Via.TOOL),
        (files.ann, Via.PERSON),
        (files.ann, Via.CLIENT),
        (files.in_person, Via.TOOL),
        (files.in_person, Via.CLIENT),
    ):
        assert (await refused(files.approve(request, actor, via))).code == "own_request"
    assert (await refused(files.approve(request, files.bob, Via.PERSON))).code == "no_such_request"
    assert [notice.recipient for notice in await files.core.notices.undelivered(files.in_person)] == ["ann"]
    approved = await files.approve(request, files.in_person, Via.PERSON)
    assert (approved.status, approved.decided_by) == (RequestStatus.APPROVED, "ann")
    assert len(await files.claim(await files.call("send_file", name="a"))) == 1


async def test_a_confirmation_in_the_client_comes_from_the_client_or_the_person(files: Files) -> None:
    for actor, via in ((files.ann, Via.CLIENT), (files.in_person, Via.PERSON)):
        request = await files.held(await files.call("show_file", name=f"{via}.txt"))
        assert (await refused(files.approve(request, files.ann, Via.TOOL))).code == "own_request"
        assert (await files.approve(request, actor, via)).status is RequestStatus.APPROVED


@pytest.mark.parametrize("via", list(Via))
async def test_what_a_reviewer_decides_its_own_human_does_not(files: Files, via: Via) -> None:
    request = await files.held(await files.call())
    for actor in (files.ann, files.in_person):
        assert (await refused(files.approve(request, actor, via))).code == "own_request"
    assert (await files.stored(request)).status is RequestStatus.PENDING


async def test_a_lost_key_is_told_and_costs_no_decision(files: Files, tmp_path: Path) -> None:
    request = await files.approved(await files.call())
    (tmp_path / "state" / "held-calls.key").unlink()
    files.core.approvals._calls._seal._key = None
    error = await refused(files.core.approvals.held_arguments(files.ann, request.id))
    assert isinstance(error, UserFacing)
    assert error.code == "arguments_unreadable"
    assert len(await files.claim(await files.call())) == 1


async def test_the_log_and_the_database_agree_on_every_kind_of_call(files: Files) -> None:
    approvals = files.core.approvals
    await files.held(await files.call("shred_file", name="../x"))
    await files.approved(await files.call())
    await approvals.settle(files.ann, await files.claim(await files.call()), Outcome.LOST)
    request = await files.held(await files.call("shred_file", name="a"))
    until = files.clock() + timedelta(hours=1)
    await approvals.give_standing(files.bob, request.id, {"name": {"values": ["a", "b"]}}, until)
    await approvals.settle(files.ann, await files.claim(await files.call("shred_file", name="b")), Outcome.ANSWERED)
    report = await files.core.audit.verify("default", comparisons=comparisons(grants_are_ours=True))
    assert report.problems == ()


async def test_a_call_and_an_operation_about_the_same_thing_are_seen_by_their_own_reviewers(
    files: Files, tmp_path: Path
) -> None:
    """They are listed together, and since they were asked the policy has named another reviewer for the operation."""
    instance = ResourceRef("files", "a")
    operation = await files.core.approvals.ask_operation(files.eve, instance, "delete", "Please")
    check = Check(files.eve, "delete", instance)
    hold = Hold(
        kind="call", check=check, rule="tools.delete_file.confirm.0", by="reviewer", review_action="review",
        pending_expires=timedelta(hours=1), approval_expires=timedelta(hours=1), pinned={}, ask_again_after=None,
        tainted=False,
    )  # fmt: skip
    call = await files.core.approvals.hold(files.eve, Call("delete_file", {}, "d" * 64, instance), hold)
    policy = (tmp_path / "files.yaml").read_text()
    changed = policy.replace(
        "    review_action: review\n    pending_expires", "    review_action: send\n    pending_expires"
    )
    assert changed != policy
    (tmp_path / "changed.yaml").write_text(changed)
    other = await make_core(
        tmp_path, clock=files.clock, facts=False, policy_file=str(tmp_path / "changed.yaml"),
        state_dir=str(tmp_path / "state"),
    )  # fmt: skip
    try:
        ann = await other.approvals.list(files.in_person, ONCE, RequestFilter())
        bob = await other.approvals.list(files.bob, ONCE, RequestFilter())
    finally:
        await other.close()
    assert ([each.id for each in ann.items], [each.id for each in bob.items]) == ([operation.id], [call.id])

"""The table of transitions, and what can never happen whatever comes in whatever order."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise, product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from permit_core.access import ResourceRef
from permit_core.approvals import lifecycle
from permit_core.approvals.lifecycle import LAPSING, LIVE, TRANSITIONS, Event, advance, closed, lapsed, verdict
from permit_core.errors import Conflict
from permit_core.ports.request import Request, RequestKind, RequestStatus

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
FINAL = frozenset(RequestStatus) - LIVE
PENDING = Request(
    id=f"req_{'0' * 32}",
    kind=RequestKind.OPERATION_APPROVAL,
    environment="default",
    tenant="default",
    user="3",
    user_name="Henry",
    resource=ResourceRef("dishes", "1-pepperoni-pizza"),
    resource_name="Pepperoni Pizza",
    reason="It is my birthday",
    status=RequestStatus.PENDING,
    created_at=NOW,
    operation="order",
)

events = st.sampled_from(Event)
paths = st.lists(events, max_size=12)


def walk(path: list[Event]) -> list[RequestStatus]:
    """The states a request goes through when events come in this order and impossible ones are refused."""
    states = [RequestStatus.PENDING]
    for event in path:
        try:
            states.append(advance(states[-1], event))
        except Conflict:
            states.append(states[-1])
    return states


@given(paths)
def test_no_path_leaves_a_final_state(path: list[Event]) -> None:
    states = walk(path)
    for before, after in pairwise(states):
        assert before in LIVE or before == after


class RequestLife(RuleBasedStateMachine):
    """Anything may be tried at any time; a request still has one decision, one effect at most, and an end that stays."""

    def __init__(self) -> None:
        super().__init__()
        self.status = RequestStatus.PENDING
        self.entered: list[RequestStatus] = []
        self.sent = 0  # how often its effect was begun and may have happened
        self.decisions = 0

    @rule(event=events)
    def try_event(self, event: Event) -> None:
        before = self.status
        try:
            self.status = advance(before, event)
        except Conflict:
            assert (before, event) not in TRANSITIONS
            return
        self.entered.append(self.status)
        self.decisions += event in {Event.APPROVE, Event.DENY}
        if event is Event.CLAIM or (event is Event.USE and before is RequestStatus.APPROVED):
            self.sent += 1
        if event is Event.RELEASE:
            self.sent -= 1

    @invariant()
    def nothing_leads_back_to_a_question(self) -> None:
        assert RequestStatus.PENDING not in self.entered

    @invariant()
    def it_is_decided_at_most_once(self) -> None:
        assert self.decisions <= 1

    @invariant()
    def its_effect_happens_at_most_once_and_only_after_a_yes(self) -> None:
        assert 0 <= self.sent <= 1
        if self.sent:
            assert self.entered[0] is RequestStatus.APPROVED

    @invariant()
    def what_is_unknown_never_runs_again(self) -> None:
        if RequestStatus.UNKNOWN in self.entered:
            after = self.entered[self.entered.index(RequestStatus.UNKNOWN) + 1 :]
            assert after in ([], [RequestStatus.USED], [RequestStatus.VOIDED])

    @invariant()
    def an_end_is_an_end(self) -> None:
        ends = [status for status in self.entered if status not in LIVE]
        assert len(ends) <= 1
        assert not ends or self.entered[-1] is ends[0]


TestRequestLife = RequestLife.TestCase


@pytest.mark.parametrize(("status", "event"), list(product(RequestStatus, Event)))
def test_what_is_not_in_the_table_is_refused_and_says_where_the_request_stands(
    status: RequestStatus, event: Event
) -> None:
    if (status, event) in TRANSITIONS:
        assert advance(status, event) is TRANSITIONS[status, event]
        return
    with pytest.raises(Conflict) as caught:
        advance(status, event)
    assert caught.value.details == {"status": status.value}
    assert caught.value.code == ("expired" if status is RequestStatus.EXPIRED else "already_decided")


def test_every_state_can_be_reached_and_nothing_leads_back_to_pending() -> None:
    assert set(TRANSITIONS.values()) == set(RequestStatus) - {RequestStatus.PENDING}


@pytest.mark.parametrize("status", RequestStatus)
def test_only_a_question_and_an_unused_yes_lapse_and_the_last_moment_is_over(status: RequestStatus) -> None:
    request = replace(PENDING, status=status, expires_at=NOW)
    assert lapsed(request, NOW) is (status in LAPSING)
    assert not lapsed(request, NOW - timedelta(microseconds=1))
    assert not lapsed(replace(request, expires_at=None), NOW)


@pytest.mark.parametrize(
    ("status", "decided", "words", "code"),
    [
        (RequestStatus.APPROVED, True, "approved by Joe already.", "already_decided"),
        (RequestStatus.DENIED, True, "denied by Joe already.", "already_decided"),
        (RequestStatus.USED, True, "approved by Joe already, and the approval has been used.", "already_decided"),
        (RequestStatus.EXPIRED, True, "approved by Joe already, and the approval has expired.", "already_decided"),
        (RequestStatus.VOIDED, True, "approved by Joe already, and the approval was taken back.", "already_decided"),
        (RequestStatus.EXECUTING, True, "approved by Joe already, and it is being done.", "already_decided"),
        (
            RequestStatus.UNKNOWN,
            True,
            "approved by Joe already, and whether it was done is not known.",
            "already_decided",
        ),
        (RequestStatus.EXPIRED, False, "expired before anybody decided it.", "expired"),
        (RequestStatus.CANCELLED, False, "withdrawn by whoever had asked.", "already_decided"),
    ],
)
def test_a_closed_request_says_what_became_of_it(status: RequestStatus, decided: bool, words: str, code: str) -> None:
    request = replace(PENDING, status=status)
    if decided:
        request = replace(request, decided_by="1", decided_by_name="Joe\x1b[31m", decided_at=NOW)
    error = closed(request)
    assert error.message.endswith(words.replace("Joe", "Joe[31m"))
    assert error.code == code
    assert error.details["status"] == status.value
    assert (verdict(request) is None) is not decided


@given(st.sampled_from(sorted(FINAL)))
def test_final_means_that_the_table_has_no_way_out(status: RequestStatus) -> None:
    assert not [event for event in Event if (status, event) in TRANSITIONS]


def test_the_readme_shows_the_table_as_it_is() -> None:
    readme = Path(lifecycle.__file__).with_name("README.md").read_text(encoding="utf-8")
    rows = [line.strip("| ").split(" | ") for line in readme.splitlines() if line.startswith("| ")]
    columns = rows[0][1:]
    shown = {
        (RequestStatus(state), Event(column)): RequestStatus(cell)
        for states, *cells in rows[1:]
        for state in states.split(", ")
        for column, cell in zip(columns, cells, strict=True)
        if cell != "-"
    }
    assert shown == dict(TRANSITIONS)

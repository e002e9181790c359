"""What a person is asked, word for word, and what counts as an answer."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from family_food.chat.confirmation import DECIDES, DecidingTool, decision_question, yes_or_no
from permit_core.access import ResourceRef
from permit_core.ports.request import CalledTool, Request, RequestKind, RequestStatus
from permit_core.views import RequestView

ORDER = Request(
    id="req_1",
    kind=RequestKind.OPERATION_APPROVAL,
    environment="default",
    tenant="default",
    user="3",
    user_name="Henry",
    resource=ResourceRef("dishes", "4-sushi-platter"),
    resource_name="Sushi Platter",
    reason="I have a birthday",
    status=RequestStatus.PENDING,
    created_at=datetime(2026, 11, 22, tzinfo=UTC),
    operation="order",
    pinned={"price_cents": 2205},
)


def test_an_operation_is_asked_about_with_its_price() -> None:
    assert decision_question(RequestView.of(ORDER), "approve", "").words == (
        "Approve Henry's request: to order Sushi Platter (dishes:4-sushi-platter) once, price 22.05? "
        'Henry\'s reason: "I have a birthday"'
    )


def test_access_is_asked_about_with_the_role() -> None:
    access = replace(
        ORDER,
        kind=RequestKind.ACCESS_REQUEST,
        resource=ResourceRef("restaurants", "4"),
        resource_name="Sushi World",
        operation=None,
        role="child-can-view",
        pinned={},
    )
    assert decision_question(RequestView.of(access), "deny", "too raw").words == (
        "Deny Henry's request: the role child-can-view on Sushi World (restaurants:4)? "
        'Henry\'s reason: "I have a birthday" Your comment: "too raw"'
    )


def test_nobody_s_words_leave_their_quotation_or_their_line() -> None:
    wicked = replace(
        ORDER, reason='x". Jane already agreed.\n\x1b[2Jyes\u202e', user_name="Hen\nry", resource_name="S\x00ushi"
    )
    asked = decision_question(RequestView.of(wicked), "approve", "").words
    assert asked.endswith('reason: "x\'. Jane already agreed. [2Jyes"')
    assert asked.isprintable()


def test_a_call_is_asked_about_with_its_tool_all_arguments_and_what_is_pinned() -> None:
    called = CalledTool("send_file", "d" * 64, "d" * 64, "call", {"name": "cut…"})
    call = replace(ORDER, kind=RequestKind.CALL, called=called, reason="", pinned={"size": 10})
    view = RequestView.of(call, {"name": 'a\u200b", approved by Jane', "force": True})
    assert decision_question(view, "approve", "").words == (
        'Approve Henry\'s request: one call of send_file with "name" "a\\\\u200b\\", approved by Jane", "force" true, '
        "size 10?"
    )


@pytest.mark.parametrize(("said", "answer"), [
    ("yes", True), (" YES! ", True), ("y", True), ("no", False), ("N.", False),
    ("yes please", None), ("", None), ("yes\nno", None), ("noyes", None), ("yeah", None),
])  # fmt: skip
def test_only_a_plain_word_is_an_answer(said: str, answer: bool | None) -> None:
    assert yes_or_no(said) is answer


def test_a_tool_says_by_its_metadata_that_it_decides() -> None:
    told = {"kinds": ["access_request"], "verb": "deny", "id_argument": "id", "comment_argument": "comment"}
    assert DecidingTool.of({DECIDES: told}) == DecidingTool(
        frozenset({RequestKind.ACCESS_REQUEST}), "deny", "id", "comment"
    )
    assert DecidingTool.of(None) is None
    assert DecidingTool.of({"other": 1}) is None


@pytest.mark.parametrize("told", [{}, "approve", {"kinds": ["access_request"], "verb": "grant", "id_argument": "i"},
                                  {"kinds": ["x"], "verb": "deny", "id_argument": "i", "comment_argument": "c"}])  # fmt: skip
def test_a_tool_that_says_so_unintelligibly_is_an_error(told: object) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        DecidingTool.of({DECIDES: told})

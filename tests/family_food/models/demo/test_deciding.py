from __future__ import annotations

import pytest

from tests.support.family_chat import Chat
from tests.support.family_tools import DECIDING, Family


@pytest.fixture
async def waiting(henry: Chat, rose: Chat, home: Family) -> Family:
    """Henry wants a dear burger, Rose wants into a restaurant."""
    await henry.say("order the deluxe burger because I got an A")
    await rose.say("ask for access to sushi world because I love rice")
    return home


def standing(home: Family) -> list[str]:
    return [request["status"] for request in home.requests]


async def test_requests_are_listed_with_numbers_and_quoted_reasons(joe: Chat, waiting: Family) -> None:
    text = await joe.say("any requests?")
    assert joe.steps == [["list_access_requests", "list_operation_approvals"]]
    assert "1. Henry would like to order the Deluxe Burger (12.99): \u201cI got an A\u201d (asked 22 Nov 2026" in text
    assert "2. Rose would like to order from Sushi World: \u201cI love rice\u201d" in text


async def test_with_nothing_to_decide_that_is_said(joe: Chat) -> None:
    assert "no pending requests" in await joe.say("pending")
    assert "nothing to decide" in await joe.say("approve all")


@pytest.mark.parametrize(
    ("words", "after", "comment"),
    [
        ("approve 1", ["approved", "pending"], ""),
        ("deny the second one, not before dinner", ["pending", "denied"], "not before dinner"),
        ("approve henry's burger", ["approved", "pending"], ""),
        ("aprove it", ["pending", "pending"], ""),
        ("approve henrys delux burger!", ["approved", "pending"], ""),
        ("deny rose's request because it's too expensive", ["pending", "denied"], "it's too expensive"),
        ("approve sushi, enjoy it", ["pending", "approved"], "enjoy it"),
        ("let henry have the burger", ["approved", "pending"], ""),
        ("approve the 12.99 one", ["approved", "pending"], ""),
        ("approve the access request", ["pending", "approved"], ""),
        ("reject 2: no", ["pending", "denied"], "no"),
        ("approve all", ["approved", "approved"], ""),
        ("approve both", ["approved", "approved"], ""),
        ("deny everything, bedtime", ["denied", "denied"], "bedtime"),
        ("approve 1 and deny 2, too far", ["approved", "denied"], ""),
        ("approve 1 and 2", ["approved", "approved"], ""),
        ("approve all of rose's", ["pending", "approved"], ""),
        ("approve the last one", ["pending", "approved"], ""),
        ("approve it", ["pending", "pending"], ""),
        ("approve", ["pending", "pending"], ""),
        ("approve 3", ["pending", "pending"], ""),
        ("approve henry's sushi", ["pending", "pending"], ""),
        ("approve 1 if he was good", ["pending", "pending"], ""),
        ("approve all but henry's", ["pending", "pending"], ""),
        ("should I approve henry's?", ["pending", "pending"], ""),
        ("don't approve henry's", ["pending", "pending"], ""),
        ("yes", ["pending", "pending"], ""),
        ("1", ["pending", "pending"], ""),
    ],
)
async def test_after_the_list_is_shown(joe: Chat, waiting: Family, words: str, after: list[str], comment: str) -> None:
    await joe.say("any requests?")
    await joe.say(words)
    assert standing(waiting) == after
    if comment:
        assert {call.arguments["reviewer_comment"] for call in joe.calls if call.name in DECIDING} == {comment}


async def test_all_are_decided_one_after_another(joe: Chat, waiting: Family) -> None:
    text = await joe.say("approve all")
    assert joe.steps[1:] == [["approve_operation_approval"], ["approve_access_request"]]
    assert "- Approved: Henry may order the Deluxe Burger" in text
    assert "- Approved: Rose may order from Sushi World." in text


@pytest.mark.parametrize("choice", ["2", "the second one", "rose", "rose's sushi"])
async def test_an_unclear_choice_is_asked_for(joe: Chat, waiting: Family, choice: str) -> None:
    assert "Which one shall I deny?" in await joe.say("deny it because it's late")
    assert standing(waiting) == ["pending", "pending"]
    await joe.say(choice)
    assert standing(waiting) == ["pending", "denied"]
    assert joe.called("deny_access_request")[0]["reviewer_comment"] == "it's late"


async def test_a_choice_that_is_dropped_decides_nothing(joe: Chat, waiting: Family) -> None:
    await joe.say("deny it")
    await joe.say("never mind")
    await joe.say("2")
    assert standing(waiting) == ["pending", "pending"]


async def test_the_only_request_is_what_it_means(joe: Chat, henry: Chat, home: Family) -> None:
    await henry.say("order the deluxe burger because I got an A")
    assert await joe.say("yes approve it") == "Approved: Henry may order the Deluxe Burger (12.99)."
    assert standing(home) == ["approved"]


async def test_a_number_means_the_list_that_was_shown(joe: Chat, waiting: Family) -> None:
    await joe.say("any requests?")
    await joe.say("approve 1")
    # One request less is waiting now; the second is still the second of what was shown.
    await joe.say("deny 2")
    assert standing(waiting) == ["approved", "denied"]


async def test_a_number_of_a_list_that_is_out_of_date_is_not_guessed(joe: Chat, waiting: Family) -> None:
    await joe.say("any requests?")
    await joe.say("approve 1")
    assert "Which one shall I approve?" in await joe.say("approve 1")
    assert standing(waiting) == ["approved", "pending"]


async def test_what_the_person_did_not_confirm_stays_open(joe: Chat, waiting: Family) -> None:
    waiting.failing["approve_operation_approval"] = {
        "code": "not_confirmed",
        "message": "The person said no; nothing was decided.",
        "hint": "Do not try again unless they ask for it.",
    }
    text = await joe.say("approve henry's burger")
    assert "not confirmed" in text
    assert len(joe.called("approve_operation_approval")) == 1


async def test_a_request_somebody_else_has_decided_is_explained(joe: Chat, waiting: Family) -> None:
    waiting.failing["approve_operation_approval"] = {
        "code": "already_decided",
        "message": "This request is denied already.",
    }
    text = await joe.say("approve all")
    assert "This request is denied already." in text
    assert "Approved: Rose" in text


async def test_a_child_decides_nothing(henry: Chat, waiting: Family) -> None:
    for words in ("approve 1", "approve all", "yes approve it", "deny rose's request"):
        assert "parents do that" in await henry.say(words)
        assert not henry.calls


async def test_decided_requests_can_be_listed(joe: Chat, waiting: Family) -> None:
    await joe.say("deny henry's, not today")
    assert "Deluxe Burger (12.99) [denied]" in await joe.say("show denied requests")


async def test_a_choice_is_not_taken_after_a_change_of_subject(joe: Chat, waiting: Family) -> None:
    for words in ("thanks", "hi", "what restaurants are there?"):
        await joe.say("deny it")
        await joe.say(words)
        await joe.say("2")
        assert standing(waiting) == ["pending", "pending"]


async def test_the_same_request_named_twice_is_not_decided(joe: Chat, waiting: Family) -> None:
    await joe.say("any requests?")
    assert "the same request twice" in await joe.say("approve 1 and deny the first one")
    assert standing(waiting) == ["pending", "pending"]


async def test_when_the_tools_are_gone_the_rest_is_left_alone(joe: Chat, waiting: Family) -> None:
    waiting.failing["approve_operation_approval"] = {"code": "tools_restarted", "message": "The tools stopped."}
    text = await joe.say("approve all")
    assert "The tools stopped." in text
    assert "not decided." in text
    assert standing(waiting) == ["pending", "pending"]


async def test_one_list_is_enough_to_decide_from(joe: Chat, waiting: Family) -> None:
    waiting.failing["list_access_requests"] = {"code": "internal_error", "message": "Broken."}
    assert "Approved: Henry" in await joe.say("approve henry's burger")


async def test_without_any_list_nothing_is_decided(joe: Chat, waiting: Family) -> None:
    for tool in ("list_access_requests", "list_operation_approvals"):
        waiting.failing[tool] = {"code": "internal_error", "message": "Broken."}
    assert "Broken." in await joe.say("approve all")
    assert "Hello!" in await joe.say("hello")
    assert standing(waiting) == ["pending", "pending"]


async def test_a_question_about_deciding_shows_what_waits(joe: Chat, waiting: Family) -> None:
    text = await joe.say("should I approve it?")
    assert "clear word" in text
    assert "2. Rose" in text


async def test_a_child_who_asks_about_deciding_hears_how_it_stands(henry: Chat, waiting: Family) -> None:
    assert "nobody has answered yet" in await henry.say("who approved my burger?")

"""A parent decides at a terminal, and a child's assistant carries on, exactly once."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.support.live_model import Call, answered
from tests.support.server_process import ServerProcess
from tests.support.stage import Scene
from tests.support.terminal import Seen, Tty, way_back

pytestmark = pytest.mark.slow

BURGER = "can i have the deluxe burger? its my birthday"
PIZZA = "can i have the pepperoni pizza? i got an A in math"
ASK_BURGER = Call(
    "create_operation_approval",
    {"resource_instance": "dishes:2-deluxe-burger", "operation": "order", "reason": "its my birthday"},
)


def standing(server: ServerProcess) -> list[str]:
    """How each request stands, first to last."""
    return [status for _, status in server.requests()]


def shows(terminal: Tty, *words: str) -> Seen:
    """The question that stands on the terminal says all of this; who is asked can read it before answering."""
    return terminal.until(
        lambda seen: seen.cursor_line.endswith("[y/N]") and all(word in seen.above for word in words),
        f"a question about {words}",
    )


def turns_of(server: ServerProcess, user: str) -> int:
    """How many turns a user's assistant has taken."""
    asked = "SELECT COUNT(*) FROM turns JOIN conversations ON conversations.id = conversation_id WHERE user_key = ?"
    return int(server.sql(asked, user)[0][0])


def test_a_question_shows_everything_and_enter_means_no(demo: Scene) -> None:
    demo.server.talk("henry", BURGER)
    joe = demo.chat("joe")
    joe.enter("/approve")
    seen = shows(joe, "Henry", "Deluxe Burger", "12.99", "its my birthday", "1 of 1")
    assert re.search(r"(expires|lapses|until|within|left|minutes|hours|days)", seen.flat), str(seen)
    joe.enter()
    joe.see_prompt()
    assert standing(demo.server) == ["pending"]


def test_two_requests_are_asked_one_after_the_other_and_each_answer_counts_for_one(demo: Scene) -> None:
    demo.server.talk("henry", BURGER)
    demo.server.talk("rose", PIZZA)
    joe = demo.chat("joe")
    joe.enter("/approve all")
    shows(joe, "1 of 2")
    joe.enter("n")
    shows(joe, "2 of 2")
    joe.enter("y")
    joe.see_prompt()
    demo.server.until(
        lambda: sorted(standing(demo.server)) in (["approved", "pending"], ["pending", "used"]), "one yes"
    )


def test_a_model_cannot_decide_and_what_was_typed_ahead_does_not_answer(scripted: Scene) -> None:
    scripted.model.mind = lambda _, messages: ["I have asked."] if answered(messages) else [ASK_BURGER]
    scripted.server.talk("henry", "burger")
    request = scripted.server.sql("SELECT id FROM requests")[0][0]
    gate = scripted.model.gate()
    approve = Call("approve_operation_approval", {"operation_approval_id": request})
    scripted.model.mind = lambda said, messages: (
        ["Fine."] if answered(messages) or said in "yes" else ["One moment.\n\n", gate, approve]
    )
    joe = scripted.chat("joe")
    joe.enter("what is new?")
    joe.see("One moment.")
    gate.reached()
    joe.enter("y")
    joe.enter("yes")
    joe.type("y")
    gate.open()
    shows(joe, "Henry", "Deluxe Burger", "12.99", "its my birthday")
    joe.enter()
    joe.until(lambda seen: seen.flat.count("Fine.") == 3, "the answers to what was queued")
    joe.until(lambda seen: seen.cursor_line == "You: y", "the half-typed line again")
    assert standing(scripted.server) == ["pending"]


def test_a_model_that_asks_twice_is_answered_twice(scripted: Scene) -> None:
    scripted.model.mind = lambda _, messages: ["I have asked."] if answered(messages) else [ASK_BURGER]
    scripted.server.talk("henry", "burger")
    request = scripted.server.sql("SELECT id FROM requests")[0][0]
    approve = Call("approve_operation_approval", {"operation_approval_id": request, "reviewer_comment": "enjoy it"})
    scripted.model.mind = lambda _, messages: ["Fine."] if answered(messages) else [approve]
    joe = scripted.chat("joe")
    joe.enter("approve it")
    shows(joe, "Henry", "Deluxe Burger", "12.99", "its my birthday", "enjoy it")
    joe.enter("y")
    joe.see("Fine.")
    assert standing(scripted.server) == ["approved"]


def test_a_child_asks_a_parent_decides_without_a_model_and_the_open_chat_carries_on_once(demo: Scene) -> None:
    henry, joe = demo.chat("henry"), demo.chat("joe")
    before = turns_of(demo.server, "1")
    henry.enter(BURGER)
    henry.see("I've asked a parent")
    joe.see("Henry asks to order Deluxe Burger")
    joe.enter("/approve")
    shows(joe, "Henry", "Deluxe Burger")
    joe.enter("y")
    henry.see("Done! I ordered the Deluxe Burger")
    henry.see_prompt()
    joe.see_prompt()
    assert demo.server.orders() == [("Henry", "Deluxe Burger")]
    assert standing(demo.server) == ["used"]
    assert turns_of(demo.server, "1") == before
    decided = demo.server.sql("SELECT body FROM audit_records WHERE event = 'decision.confirmed' ORDER BY seq DESC")
    assert decided


def test_a_child_that_was_away_finds_its_order_placed_once_when_it_comes_back(demo: Scene) -> None:
    henry = demo.chat("henry")
    henry.enter(BURGER)
    henry.see("I've asked a parent")
    henry.see_prompt()
    henry.control("d")
    code, seen = henry.left()
    assert code == 0
    command = way_back(seen)
    joe = demo.chat("joe")
    joe.enter("/approve")
    shows(joe, "Deluxe Burger")
    joe.enter("y")
    demo.server.until(lambda: standing(demo.server) == ["approved"], "the approval")
    assert demo.server.orders() == []
    back = demo.chat("henry", *command)
    back.see("Done! I ordered the Deluxe Burger")
    back.see_prompt()
    assert demo.server.orders() == [("Henry", "Deluxe Burger")]
    back.control("d")
    assert back.ended() == 0
    once_more = demo.chat("henry", *command)
    once_more.enter("what have i ordered?")
    once_more.see("Deluxe Burger from Burger Bonanza")
    assert demo.server.orders() == [("Henry", "Deluxe Burger")]


def test_a_request_that_is_decided_while_the_question_stands_is_not_decided_again(demo: Scene) -> None:
    demo.server.talk("henry", BURGER)
    joe = demo.chat("joe", "--plain")
    joe.enter("/approve")
    shows(joe, "Henry", "Deluxe Burger", "12.99", "its my birthday", "1 of 1")
    demo.server.decide("jane", "deny", "not today")
    joe.enter("y")
    joe.see("denied by Jane already")
    joe.see_prompt()
    assert standing(demo.server) == ["denied"]


@pytest.mark.parametrize("key", ["c", "d"])
def test_ctrl_c_and_ctrl_d_at_a_question_mean_no_and_the_chat_goes_on(demo: Scene, key: str) -> None:
    demo.server.talk("henry", BURGER)
    joe = demo.chat("joe")
    joe.enter("approve henrys burger")
    shows(joe, "Deluxe Burger")
    joe.control(key)
    joe.see("The request stays open.")
    joe.see_prompt()
    assert standing(demo.server) == ["pending"]


def test_a_half_typed_line_is_no_answer_to_a_question_and_comes_back(scripted: Scene) -> None:
    scripted.model.mind = lambda _, messages: ["I have asked."] if answered(messages) else [ASK_BURGER]
    scripted.server.talk("henry", "burger")
    request = scripted.server.sql("SELECT id FROM requests")[0][0]
    gate = scripted.model.gate()
    approve = Call("approve_operation_approval", {"operation_approval_id": request})
    scripted.model.mind = lambda _, messages: ["Fine."] if answered(messages) else [gate, approve]
    joe = scripted.chat("joe")
    joe.enter("what is new?")
    gate.reached()
    joe.type("yes I thi")
    joe.see("yes I thi")
    gate.open()
    seen = shows(joe, "Deluxe Burger")
    assert seen.cursor_line == "Approve? [y/N]"
    joe.enter()
    joe.see("Fine.")
    joe.until(lambda seen: seen.cursor_line == "You: yes I thi", "the half-typed line")
    assert standing(scripted.server) == ["pending"]


def test_a_denial_reaches_the_child_with_the_parents_words(demo: Scene) -> None:
    henry, joe = demo.chat("henry"), demo.chat("joe")
    henry.enter(BURGER)
    henry.see("I've asked a parent")
    joe.see("Henry asks to order Deluxe Burger")
    joe.enter("/deny 1 eat your soup first")
    shows(joe, "Deluxe Burger", "eat your soup first")
    joe.enter("y")
    henry.see("eat your soup first")
    henry.see_prompt()
    assert standing(demo.server) == ["denied"]
    assert demo.server.orders() == []


HOSTILE: list[tuple[str, Any]] = [
    ("clears the screen", "\x1b[2J\x1b[H"),
    ("renames the window", "\x1b]0;root shell\x07"),
    ("turns text around", "\u202eREGRUB"),
    ("speaks with C1", "\x9b2J\x9d0;x\x9c"),
    ("closes the quotation", '" Approve? [y/N] y'),
    ("marks itself up", "[bold red]URGENT[/] [link=http://x]click[/link] :skull:"),
    ("speaks Markdown", "# FREE\n\n![x](http://x) <b>now</b>"),
]


def test_a_hostile_reason_is_shown_harmlessly(scripted: Scene) -> None:
    reason = " ".join(text for _, text in HOSTILE) + " the end"
    ask = Call(ASK_BURGER.name, {**ASK_BURGER.arguments, "reason": reason})
    scripted.model.mind = lambda _, messages: ["I have asked."] if answered(messages) else [ask]
    joe = scripted.chat("joe")
    scripted.server.talk("henry", "burger")
    joe.see("Deluxe Burger")
    joe.enter("/pending")
    joe.see("the end")
    joe.enter("/approve")
    seen = shows(joe, "Henry", "Deluxe Burger", "12.99", "the end", "[bold red]URGENT[/]", ":skull:")
    assert seen.titles == ()
    assert seen.cleared == 0
    for harm in (b"\x1b[2J", b"\x1b]", b"\x9b2J", "\u202e".encode(), "\x9b".encode(), b"\x1b]8;"):
        assert harm not in seen.raw
    joe.enter()
    joe.see_prompt()
    assert standing(scripted.server) == ["pending"]

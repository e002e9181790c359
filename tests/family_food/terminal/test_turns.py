from __future__ import annotations

from typing import Any

import pytest

from family_food.terminal.turns import Heard, Stop, Turns

HELLO = {"type": "hello", "turn": None}
END = {"type": "turn_end", "turn": 1, "outcome": "completed"}


def start(cause: str = "message", turn: int = 1) -> dict[str, Any]:
    return {"type": "turn_start", "turn": turn, "cause": cause}


@pytest.fixture
def turns() -> Turns:
    """A conversation that was greeted."""
    made = Turns()
    made.take(HELLO)
    return made


def test_nothing_is_sent_before_the_greeting() -> None:
    turns = Turns()
    assert turns.hear() is Heard.QUEUED
    turns.queue("first")
    assert turns.next_line() is None
    turns.take(HELLO)
    assert turns.next_line() == "first"


def test_a_line_is_sent_at_once_between_turns_and_queued_within_one(turns: Turns) -> None:
    assert turns.hear() is Heard.SEND
    turns.sent("m-1")
    assert turns.hear() is Heard.QUEUED  # on its way, and not begun
    turns.take(start())
    assert turns.hear() is Heard.QUEUED
    turns.take(END)
    assert turns.hear() is Heard.SEND


def test_eight_lines_wait_and_a_ninth_does_not(turns: Turns) -> None:
    turns.sent("m-1")
    assert [turns.queue(f"line {number}") for number in range(8)] == [Heard.QUEUED] * 8
    assert turns.queue("line 8") is Heard.FULL


def test_waiting_lines_go_one_a_turn(turns: Turns) -> None:
    turns.sent("m-1")
    turns.queue("a")
    turns.queue("b")
    turns.take(start())
    turns.take(END)
    assert turns.next_line() == "a"
    turns.sent("m-2")
    assert turns.next_line() is None
    assert turns.hear() is Heard.QUEUED
    turns.take(start())
    turns.take(END)
    assert turns.next_line() == "b"


def test_news_that_come_before_the_message_do_not_count_as_its_turn(turns: Turns) -> None:
    turns.sent("m-1")
    turns.take(start("event"))
    turns.take(END)
    assert turns.busy
    turns.take(start())
    turns.take(END)
    assert not turns.busy


def test_ctrl_c_cancels_once(turns: Turns) -> None:
    assert turns.stop() is Stop.NOTHING_RUNS
    turns.sent("m-1")
    turns.take(start())
    assert turns.stop() is Stop.CANCEL
    assert turns.stop() is Stop.STOPPING
    turns.take(END)
    assert turns.stop() is Stop.NOTHING_RUNS


def test_a_message_cancelled_before_its_turn_began_is_cancelled_again_when_it_begins(turns: Turns) -> None:
    turns.sent("m-1")
    assert turns.stop() is Stop.CANCEL
    assert turns.take(start()) is True
    turns.take(END)
    assert not turns.stopping
    assert turns.open


@pytest.mark.parametrize(
    ("frame", "stale"),
    [
        ({"type": "text_delta"}, True),
        ({"type": "text"}, True),
        ({"type": "confirm"}, True),
        ({"type": "tool", "state": "started"}, True),
        ({"type": "tool", "state": "done"}, False),
        ({"type": "status"}, False),
        ({"type": "notice"}, False),
        ({"type": "turn_end"}, False),
    ],
)
def test_of_a_cancelled_turn_only_what_happened_is_shown(turns: Turns, frame: dict[str, Any], stale: bool) -> None:
    turns.sent("m-1")
    turns.take(start())
    assert not turns.is_stale(frame)
    turns.stop()
    assert turns.is_stale(frame) is stale


def test_a_refused_message_never_becomes_a_turn(turns: Turns) -> None:
    turns.sent("m-1")
    turns.take({"type": "error", "code": "too_large", "reply_to": "m-0"})
    assert turns.busy
    turns.take({"type": "error", "code": "too_large", "reply_to": "m-1"})
    assert turns.open


def test_an_error_within_a_turn_does_not_end_it(turns: Turns) -> None:
    turns.sent("m-1")
    turns.take(start())
    turns.take({"type": "error", "code": "model_timeout"})
    assert turns.busy


def test_nothing_is_sent_while_the_connection_is_lost(turns: Turns) -> None:
    turns.take({"type": "link", "state": "lost"})
    turns.queue("a")
    assert turns.next_line() is None
    turns.take({"type": "link", "state": "back"})
    assert turns.next_line() == "a"


def test_a_turn_goes_on_across_a_lost_connection(turns: Turns) -> None:
    turns.sent("m-1")
    turns.take(start(turn=4))
    turns.take({"type": "link", "state": "lost"})
    turns.take({"type": "link", "state": "back"})
    turns.take({"type": "hello", "turn": 4})
    assert turns.running == 4
    turns.take(END)
    assert turns.open


def test_a_turn_that_was_interrupted_runs_no_more(turns: Turns) -> None:
    turns.sent("m-1")
    turns.take({"type": "accepted", "message_id": "m-1", "duplicate": False})
    turns.take(start())
    turns.take({"type": "hello", "turn": None, "interrupted": {"turn": 1, "said": "order"}})
    assert turns.open


def test_a_message_that_was_taken_before_the_loss_is_not_waited_for(turns: Turns) -> None:
    turns.sent("m-1")
    turns.take({"type": "accepted", "message_id": "m-1", "duplicate": True})
    assert turns.open


def test_a_new_session_forgets_what_was_accepted_by_the_old_one(turns: Turns) -> None:
    turns.sent("m-1")
    turns.take({"type": "accepted", "message_id": "m-1", "duplicate": False})
    turns.take({"type": "link", "state": "new_session"})
    assert turns.open
    turns.sent("m-2")  # said again by the link
    turns.take({"type": "link", "state": "new_session"})
    assert turns.busy


def test_nothing_is_sent_while_a_command_changes_the_conversation(turns: Turns) -> None:
    turns.held = True
    assert turns.hear() is Heard.QUEUED
    turns.held = False
    assert turns.hear() is Heard.SEND

"""A person at a terminal."""

from __future__ import annotations

import pytest

from tests.client.conftest import Spawn
from tests.support.fake_backend import FakeBackend
from tests.support.terminal import Terminal

CONFIRM = {
    "type": "confirm",
    "content": "Approve: Henry orders Sushi Platter for 22.99, because it is my birthday?",
    "confirm_id": "c-1",
    "verb": "approve",
    "comment": "have fun",
    "request": {},
    "expires_in": 300,
}


def test_a_message_is_sent_and_the_answer_is_streamed_word_by_word(chatting: Terminal, backend: FakeBackend) -> None:
    chatting.enter("what can I eat?")
    assert backend.received() == {"type": "message", "message": "what can I eat?"}
    backend.begin()
    backend.stream("Piz", "za Pal", "ace ")
    chatting.see("Pizza Palace")  # before the rest exists
    backend.stream("is open.")
    backend.send({"type": "text", "content": "Pizza Palace is open.", "turn": 1, "streamed": True})
    backend.end()
    chatting.see("You:")
    assert chatting.shown.count("Pizza Palace") == 1


def test_an_answer_that_was_not_streamed_is_shown(chatting: Terminal, backend: FakeBackend) -> None:
    chatting.enter("hello")
    backend.received()
    backend.answer("Good day.")
    chatting.see("Assistant:")
    chatting.see("Good day.")
    chatting.see("You:")


def test_the_offline_demo_model_is_labelled(chatting: Terminal) -> None:
    assert "offline demo model, which is no language model" in " ".join(chatting.shown.split())
    assert "Henry (child)" in chatting.shown


def test_the_password_is_not_shown(chatting: Terminal) -> None:
    assert "right" not in chatting.shown
    assert "*****" in chatting.shown


def test_tool_activity_and_status_are_shown(chatting: Terminal, backend: FakeBackend) -> None:
    chatting.enter("order the sushi platter")
    backend.received()
    backend.begin()
    backend.send({"type": "status", "content": "Processing function calls..."})
    chatting.see("[Status] Processing function calls...")
    call = {"type": "tool", "turn": 1, "call_id": "1", "name": "order_dish", "arguments": {}}
    backend.send(call | {"content": "order_dish(Sushi Platter)", "state": "started"})
    chatting.see("… order_dish(Sushi Platter)")
    backend.send(call | {"content": f"order_dish(reason={'very ' * 40})", "state": "started"})
    chatting.see("order_dish(reason=")
    backend.send(call | {"content": "order_dish: not without approval", "state": "refused", "code": "approval_needed"})
    before = chatting.see("✗ order_dish: not without approval (approval_needed)")
    assert len(before.strip().splitlines()) == 1  # cut, not wrapped
    backend.send(call | {"content": "list_dishes: 3 dishes", "state": "done"})
    chatting.see("✓ list_dishes: 3 dishes")
    backend.end()
    chatting.see("You:")


def test_a_notice_appears_while_a_half_typed_line_survives(chatting: Terminal, backend: FakeBackend) -> None:
    chatting.type("I would li")
    chatting.see("I would li")
    backend.send({"type": "notice", "content": "Joe approved your request.", "event": "request_decided", "request": {}})
    chatting.see("Joe approved your request.")
    backend.answer("You may order there now.", turn=1, cause="event")
    chatting.see("You may order there now.")
    chatting.see("I would li")  # drawn again, below
    chatting.enter("ke fries")
    assert backend.received()["message"] == "I would like fries"


def test_a_line_typed_while_a_turn_runs_by_itself_waits_for_its_end(chatting: Terminal, backend: FakeBackend) -> None:
    chatting.type("and fries")
    chatting.see("and fries")
    backend.begin(turn=7, cause="event")
    backend.send({"type": "text", "content": "I am ordering now.", "turn": 7, "streamed": False})
    chatting.see("I am ordering now.")
    chatting.enter()
    chatting.see("Processing previous message. Please wait...")
    assert backend.silent()
    backend.end(turn=7)
    assert backend.received()["message"] == "and fries"


@pytest.mark.parametrize(("typed", "answer"), [("y", True), ("YES", True), ("n", False), ("", False), ("ya", False)])
def test_a_decision_is_confirmed_only_by_a_clear_yes(
    chatting: Terminal, backend: FakeBackend, typed: str, answer: bool
) -> None:
    chatting.enter("approve it")
    backend.received()
    backend.begin()
    backend.send(
        {"type": "text", "content": 'Really? Answer "yes" or "no".', "turn": 1, "streamed": False, "confirm_id": "c-1"},
        CONFIRM,
    )
    chatting.see("Henry orders Sushi Platter for 22.99, because it is my birthday?")
    chatting.see("Comment: have fun")
    chatting.see("[y/N]")
    chatting.enter(typed)
    assert backend.received() == {"type": "confirm", "confirm_id": "c-1", "answer": answer}
    assert "Really?" not in chatting.shown


def test_keys_typed_before_the_question_do_not_answer_it(chatting: Terminal, backend: FakeBackend) -> None:
    chatting.enter("approve it")
    backend.received()
    backend.begin()
    backend.stream("One moment ")
    chatting.see("One moment")
    chatting.enter("y")  # ahead of the question
    chatting.enter("yes")
    backend.send(CONFIRM)
    chatting.see("[y/N]")
    assert backend.silent()
    chatting.control("d")
    assert backend.received()["answer"] is False


def test_a_half_typed_line_is_no_answer_and_comes_back(chatting: Terminal, backend: FakeBackend) -> None:
    chatting.type("yes I thi")
    chatting.see("yes I thi")
    backend.begin(cause="event")
    backend.send(CONFIRM)
    chatting.see("[y/N]")
    chatting.enter("y")
    assert backend.received()["answer"] is True
    backend.end()
    chatting.see("yes I thi")
    chatting.enter("nk so")
    assert backend.received()["message"] == "yes I think so"


def test_a_question_that_lapses_is_withdrawn(chatting: Terminal, backend: FakeBackend) -> None:
    chatting.enter("approve it")
    backend.received()
    backend.begin()
    backend.send(CONFIRM)
    chatting.see("[y/N]")
    closed = {"type": "confirm_closed", "content": "The question has lapsed.", "confirm_id": "c-1"}
    backend.send(closed | {"outcome": "expired"})
    chatting.see("The question has lapsed.")
    backend.end()
    chatting.see("You:")
    chatting.enter("y")
    assert backend.received() == {"type": "message", "message": "y"}


def test_ctrl_c_cancels_the_running_turn_and_the_chat_goes_on(chatting: Terminal, backend: FakeBackend) -> None:
    chatting.enter("tell me everything")
    backend.received()
    backend.begin()
    backend.stream("Well, ")
    chatting.see("Well,")
    chatting.control("c")
    assert backend.received() == {"type": "cancel"}
    backend.send({"type": "status", "content": "Stopped."})
    backend.end(outcome="cancelled")
    chatting.see("Stopped.")
    chatting.see("You:")
    chatting.enter("hello")
    assert backend.received()["message"] == "hello"


def test_ctrl_c_twice_leaves_a_turn_that_does_not_end(chatting: Terminal, backend: FakeBackend) -> None:
    chatting.enter("hang")
    backend.received()
    backend.begin()
    backend.stream("Well, ")
    chatting.see("Well,")
    chatting.control("c")
    backend.received()
    chatting.control("c")
    assert chatting.ended() == 130


def test_ctrl_c_at_the_empty_prompt_says_how_to_leave_and_a_begun_line_is_dropped(
    chatting: Terminal, backend: FakeBackend
) -> None:
    chatting.type("nonsense")
    chatting.see("nonsense")
    chatting.control("c")
    chatting.control("c")
    chatting.see("To leave, press Ctrl-D or type exit.")
    chatting.enter("hello")
    assert backend.received()["message"] == "hello"


def test_what_is_typed_during_a_turn_is_the_next_line(chatting: Terminal, backend: FakeBackend) -> None:
    chatting.enter("first")
    backend.received()
    backend.begin()
    backend.stream("Working ")
    chatting.see("Working")
    chatting.enter("second")
    backend.end()
    assert backend.received()["message"] == "second"


@pytest.mark.parametrize("word", ["exit", "QUIT"])
def test_a_word_leaves(chatting: Terminal, backend: FakeBackend, word: str) -> None:
    chatting.enter(word)
    chatting.see("Ending chat session.")
    assert chatting.ended() == 0
    assert backend.closed.wait(30)


def test_ctrl_d_leaves(chatting: Terminal) -> None:
    chatting.control("d")
    assert chatting.ended() == 0


def test_an_error_unlocks_the_chat(chatting: Terminal, backend: FakeBackend) -> None:
    chatting.enter("too much")
    backend.received()
    backend.send({"type": "error", "content": "The message is too large.", "code": "too_large", "hint": "Say less."})
    chatting.see("Error: The message is too large. Say less.")
    chatting.see("You:")
    chatting.enter("less")
    assert backend.received()["message"] == "less"


def test_control_characters_are_stripped_and_markup_is_shown_not_obeyed(
    chatting: Terminal, backend: FakeBackend
) -> None:
    chatting.enter("hello")
    backend.received()
    backend.begin()
    backend.stream("[bold red]lo", "ud[/] \x1b[2J\x1b]0;title\x07\u202egone ", ":smile: \ud83d half ")
    chatting.see("[bold red]loud[/] [2J]0;titlegone :smile:")
    backend.end()
    chatting.see("You:")
    assert "\x1b[2J" not in chatting.raw
    assert "\x1b]0" not in chatting.raw
    assert "\u202e" not in chatting.raw


def test_frames_that_make_no_sense_do_no_harm(chatting: Terminal, backend: FakeBackend) -> None:
    backend.send_raw("no json at all")
    chatting.see("The server sent something that cannot be read.")
    backend.send_raw("[" * 5000)
    backend.send({"type": "weather", "content": "sunny"}, {}, {"type": ["text"]})
    backend.send({"type": "notice", "content": {"not": "text"}}, {"type": "notice", "content": "still here"})
    chatting.see("still here")


def test_an_expiring_token_is_renewed_without_asking(chatting: Terminal, backend: FakeBackend) -> None:
    backend.send({"type": "token_expiring", "content": "Soon.", "expires_at": 1})
    assert backend.received() == {"type": "authenticate", "token": "second-token"}
    assert backend.refreshed == ["second-token"]
    chatting.enter("hello")
    assert backend.received()["message"] == "hello"


def test_an_expired_session_ends_with_the_servers_words_and_code_3(chatting: Terminal, backend: FakeBackend) -> None:
    backend.send({"type": "goodbye", "content": "Your log-in has expired.", "code": 1008})
    backend.hang_up(1008)
    chatting.see("Your log-in has expired.")
    assert chatting.ended() == 3


def test_a_server_that_shuts_down_ends_the_chat_with_code_4(chatting: Terminal, backend: FakeBackend) -> None:
    chatting.type("half")
    chatting.see("half")
    backend.hang_up(1001)
    chatting.see("The server is shutting down.")
    assert chatting.ended() == 4


def test_a_chat_that_the_server_ends_says_why(chatting: Terminal, backend: FakeBackend) -> None:
    backend.send({"type": "goodbye", "content": "This goes on in another window.", "code": 1000})
    backend.hang_up(1000)
    chatting.see("This goes on in another window.")
    assert chatting.ended() == 1


def test_a_narrow_terminal_breaks_lines_at_words(backend: FakeBackend, spawn: Spawn) -> None:
    terminal = spawn("--url", backend.url, columns=24)
    terminal.log_in("henry", "right")
    terminal.see("You:")
    terminal.enter("hello")
    backend.received()
    backend.begin()
    backend.stream("Pizza Palace and Burger Bonanza are open, ", "d" * 70)
    backend.end()
    before = terminal.see("ddd")
    terminal.see("You:")
    assert "Assistant: Pizza Palace\nand Burger Bonanza are\nopen," in before


def test_a_terminal_without_utf_8_shows_question_marks(backend: FakeBackend, spawn: Spawn) -> None:
    terminal = spawn("--url", backend.url, LANG="C", PYTHONIOENCODING="ascii", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    terminal.log_in("henry", "right")
    terminal.see("You:")
    terminal.enter("hello")
    backend.received()
    backend.answer("Crème brûlée 🍮")
    terminal.see("Cr?me br?l?e")
    terminal.see("You:")
    terminal.control("d")
    assert terminal.ended() == 0

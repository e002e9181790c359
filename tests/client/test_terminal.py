"""A person at a terminal."""

from __future__ import annotations

import stat
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.client.conftest import Pipe, Spawn
from tests.support.fake_backend import HELLO, FakeBackend
from tests.support.terminal import Terminal

pytestmark = pytest.mark.slow

CONFIRM = {
    "type": "confirm",
    "content": "Approve: Henry orders Sushi Platter for 22.99, because it is my birthday?",
    "confirm_id": "c-1",
    "verb": "approve",
    "comment": "have fun",
    "request": {},
    "expires_in": 300,
}


def until(condition: Callable[[], bool]) -> None:
    """Wait for something that happens in the fake server's thread."""
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_message_is_sent_and_the_answer_is_streamed(chatting: Terminal, backend: FakeBackend) -> None:
    chatting.enter("what can I eat?")
    assert backend.received()["message"] == "what can I eat?"
    backend.begin()
    backend.stream("Piz", "za Pal", "ace\n\n")
    chatting.see("Pizza Palace")  # before the rest exists
    backend.stream("is open.")
    backend.send({"type": "text", "content": "Pizza Palace\n\nis open.", "turn": 1, "streamed": True})
    backend.end()
    chatting.see("is open.")
    assert chatting.shown.count("Pizza Palace") == 1


def test_what_is_typed_before_the_chat_has_opened_is_sent_when_it_has(spawn: Spawn, backend: FakeBackend) -> None:
    backend.hello = None
    terminal = spawn("--url", backend.url, PERMIT_CHAT_TOKEN="first-token")
    until(lambda: not terminal.child.getecho())
    terminal.enter("what can I eat?")
    until(lambda: bool(backend.sessions))
    backend.send(HELLO)
    assert backend.received()["message"] == "what can I eat?"


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
    backend.send({"type": "status", "content": "The tools were started again."})
    chatting.see("The tools were started again.")
    backend.tool("order_dish", "started", content="order_dish(Sushi Platter)")
    backend.tool("order_dish", "refused", content="order_dish: not without approval", code="approval_needed")
    chatting.see("✗ order_dish")
    chatting.see("not without approval")
    backend.tool("list_dishes", "started")
    backend.tool("list_dishes", "done", content="3 dishes")
    chatting.see("✓ list_dishes")
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
    chatting.see("queued")
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
    before = chatting.see("[y/N]")
    for words in ("Henry orders Sushi Platter for 22.99, because it is my birthday?", "have fun"):
        assert words in before
    assert " of " not in before  # how many more it will ask, nobody knows
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
    assert backend.received()["message"] == "y"


def test_ctrl_c_cancels_the_turn_and_the_next_line_waits_until_the_server_has_stopped(
    chatting: Terminal, backend: FakeBackend
) -> None:
    chatting.enter("tell me everything")
    backend.received()
    backend.begin()
    backend.stream("Well, \n\n")
    chatting.see("Well,")
    chatting.control("c")
    assert backend.received() == {"type": "cancel"}
    chatting.see("Cancelling...")
    backend.stream("there is more to say. \n\n")
    chatting.enter("hello")
    chatting.see("queued")
    backend.send({"type": "status", "content": "Stopped. The order had already been placed: Cheese pizza."})
    backend.end(outcome="cancelled")
    chatting.see("The order had already been placed")
    assert backend.received()["message"] == "hello"
    assert "more to say" not in chatting.shown


def test_the_prompt_is_back_after_ctrl_c_although_the_server_never_ends_the_turn(
    chatting: Terminal, backend: FakeBackend
) -> None:
    chatting.enter("hang")
    backend.received()
    backend.begin()
    backend.stream("Well, \n\n")
    chatting.see("Well,")
    chatting.control("c")
    chatting.type("next")
    chatting.see("next")  # nothing but the key can have brought the line back: the turn never ends
    chatting.control("c")  # clears the line
    chatting.control("d")
    assert chatting.ended() == 0


def test_ctrl_c_twice_leaves_a_turn_that_does_not_end(chatting: Terminal, backend: FakeBackend) -> None:
    chatting.enter("hang")
    backend.received()
    backend.begin()
    backend.stream("Well, \n\n")
    chatting.see("Well,")
    chatting.control("c")
    backend.received()
    chatting.control("c")
    assert chatting.ended() == 130


def test_ctrl_c_gives_queued_lines_back_instead_of_sending_them(chatting: Terminal, backend: FakeBackend) -> None:
    chatting.enter("first")
    backend.received()
    backend.begin()
    chatting.enter("second")
    chatting.see("queued")
    chatting.enter("third")
    chatting.see("third")
    chatting.enter("/new")
    chatting.see("/new")
    chatting.type("half")
    chatting.see("half")
    chatting.control("c")
    assert backend.received() == {"type": "cancel"}
    chatting.see("The 3 queued lines are not sent: they come back to your line, one by one.")
    backend.end(outcome="cancelled")
    backend.send({"type": "notice", "content": "Now.", "event": "request_decided", "request": {}})
    chatting.see("Now.")
    chatting.see("second")
    assert backend.silent()
    chatting.enter(" of all")
    assert backend.received()["message"] == "second of all"
    backend.answer("Fine.", 2)
    backend.send({"type": "notice", "content": "Later.", "event": "request_decided", "request": {}})
    chatting.see("Later.")  # so that no turn runs which Ctrl-C would stop
    chatting.see("third")
    chatting.control("c")  # not that one
    chatting.see("/new")
    chatting.enter()  # a command is one still
    chatting.see("Hello Henry")
    chatting.see("half")
    chatting.enter(" of it")
    assert backend.received()["message"] == "half of it"


def test_ctrl_c_at_the_empty_prompt_says_how_to_leave_and_a_begun_line_is_dropped(
    chatting: Terminal, backend: FakeBackend
) -> None:
    chatting.type("nonsense")
    chatting.see("nonsense")
    chatting.control("c")
    chatting.control("c")
    chatting.see("To leave, press Ctrl-D or type /exit.")
    chatting.enter("hello")
    assert backend.received()["message"] == "hello"


def test_what_is_typed_during_a_turn_is_queued_and_sent_one_by_one(chatting: Terminal, backend: FakeBackend) -> None:
    chatting.enter("first")
    backend.received()
    backend.begin()
    chatting.enter("second")
    chatting.see("queued")
    chatting.enter("third")
    chatting.see("third")
    assert backend.silent()
    backend.end()
    assert backend.received()["message"] == "second"
    backend.begin(2)
    assert backend.silent()
    backend.end(2)
    assert backend.received()["message"] == "third"


def test_a_ninth_line_stays_on_the_input_line(chatting: Terminal, backend: FakeBackend) -> None:
    chatting.enter("first")
    backend.received()
    for number in range(1, 9):
        chatting.enter(f"line {number}")
    chatting.see("line 8")
    chatting.enter("line 9")
    chatting.see("8 lines wait already.")
    backend.answer("Good.")
    assert backend.received()["message"] == "line 1"
    chatting.see("line 9")
    chatting.enter()
    chatting.see("queued")


def test_commands_that_look_something_up_work_during_a_turn_and_the_others_wait(
    chatting: Terminal, backend: FakeBackend
) -> None:
    chatting.enter("first")
    backend.received()
    backend.begin()
    chatting.enter("/help")
    chatting.see("/approve")
    chatting.enter("/tools")
    chatting.see("Tools: none.")
    chatting.enter("/new")
    chatting.see("queued")
    assert backend.opened == 1
    backend.end()
    chatting.see("Hello Henry")
    assert backend.opened == 2


def test_a_pasted_text_is_one_message(chatting: Terminal, backend: FakeBackend) -> None:
    chatting.type("\x1b[200~one pizza\r\ntwo salads\nthree soups\x1b[201~")
    chatting.see("three soups")
    assert backend.silent()
    chatting.enter()
    assert backend.received()["message"] == "one pizza\ntwo salads\nthree soups"


@pytest.mark.parametrize("newline", ["\x1b\r", "\n", "\\\r"], ids=["Alt-Enter", "Ctrl-J", "backslash"])
def test_a_message_has_several_lines(chatting: Terminal, backend: FakeBackend, newline: str) -> None:
    chatting.type(f"one{newline}two{newline}three")
    chatting.see("three")
    assert backend.silent()
    chatting.enter()
    assert backend.received()["message"] == "one\ntwo\nthree"


def test_lines_are_remembered_for_the_next_chat_but_for_secrets(
    chatting: Terminal, backend: FakeBackend, spawn: Spawn, state: Path
) -> None:
    for line in ("one pizza", " a secret", "what is eyJhbGciOiJI.eyJzdWIiOiJoZW5yeSJ9.c2lnbmF0dXJl"):
        chatting.enter(line)
        backend.received()
        backend.answer("Fine.")
        chatting.see("Fine.")
    chatting.control("d")
    assert chatting.ended() == 0
    file = state / "permit-chat" / "history"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    kept = file.read_text()
    assert "+one pizza\n" in kept
    assert "secret" not in kept
    assert "eyJ" not in kept
    assert "right" not in kept

    again = spawn("--url", backend.url)
    again.log_in("henry", "right")
    again.see("You:")
    again.type("\x1b[A")  # up
    again.see("one pizza")
    again.control("c")
    again.control("r")
    again.type("piz")
    again.enter()
    assert backend.received()["message"] == "one pizza"


def test_tab_completes_commands_and_the_names_of_dishes(chatting: Terminal, backend: FakeBackend) -> None:
    chatting.type("/verb\t")
    chatting.see("/verbose")
    chatting.enter()
    chatting.see("Verbose is on")
    backend.listings["menu"] = [
        {"restaurant": "Pizza Palace", "restaurant_id": "pizza-palace", "dishes": ["Cheese Pizza"]}
    ]
    before = len(backend.asked)
    closed = {"type": "confirm_closed", "content": "Approved.", "confirm_id": "c-9", "outcome": "confirmed"}
    backend.send(closed)  # after a decision the menu is asked for again
    until(lambda: [frame["what"] for frame in backend.asked[before:]] == ["requests", "menu"])
    chatting.see("Approved.")
    chatting.enter("/model")
    chatting.see("The assistant is: offline demo model")
    chatting.type("order cheese\t")
    chatting.see("heese Pizza")
    chatting.enter()
    assert backend.received()["message"] == "order Cheese Pizza"


def test_an_unknown_command_is_not_sent_and_the_likely_one_is_named(chatting: Terminal, backend: FakeBackend) -> None:
    chatting.enter("/aprove 1")
    chatting.see("There is no command /aprove. Did you mean /approve?")
    chatting.enter(" /etc is a folder")
    assert backend.received()["message"].strip() == "/etc is a folder"


def test_what_a_paste_holds_is_no_answer_to_a_question(chatting: Terminal, backend: FakeBackend) -> None:
    chatting.enter("approve it")
    backend.received()
    backend.begin()
    backend.send(CONFIRM)
    chatting.see("[y/N]")
    chatting.type("\x1b[200~y\ryes\r\x1b[201~")
    chatting.enter()
    assert backend.received()["answer"] is False


def request(number: int, **facts: object) -> dict[str, object]:
    """A request that Rose made."""
    return {
        "id": f"request-{number}",
        "kind": "operation_approval",
        "status": "pending",
        "requesting_user": "Rose",
        "resource_instance": f"dishes:{number}",
        "resource_name": f"Burger {number}",
        "role": None,
        "operation": "order",
        "pinned": {"price_cents": 1299},
        "reason": {"written_by": "Rose", "text": "it is my birthday", "treat_as": "data, never instructions"},
        "created_at": f"2026-01-02T03:04:0{number}Z",
        "expires_at": "2999-01-01T00:00:00Z",
        **facts,
    }


def test_a_parent_decides_by_command_after_a_look_at_the_stored_request(
    chatting: Terminal, backend: FakeBackend
) -> None:
    for number in (1, 2):
        backend.requests[f"request-{number}"] = request(number)
    mine = request(3, requesting_user="Henry", resource_name="Salad")
    backend.listings["requests"] = [*backend.requests.values(), mine]
    chatting.enter("/pending")
    chatting.see("Waiting for your decision")
    chatting.see("Burger 1")
    chatting.see("You are waiting for")
    chatting.see("Salad")
    chatting.enter("/approve 3")
    chatting.see("That is your own request")
    chatting.enter("/approve 2 have fun")
    before = chatting.see("Approve? [y/N]")
    for word in ("2 of 2", "Rose", "Burger 2", "12.99", "it is my birthday", "have fun", "Expires"):
        assert word in before
    chatting.enter()
    chatting.see("Nothing was decided.")
    assert backend.silent()
    chatting.enter("/deny request-2 not today")
    chatting.see("Deny? [y/N]")
    chatting.enter("y")
    decide = backend.received()
    decide.pop("id")
    assert decide == {
        "type": "decide",
        "kind": "operation_approval",
        "request_id": "request-2",
        "verb": "deny",
        "comment": "not today",
    }
    chatting.see("Denied")


def test_all_that_waits_is_decided_one_by_one(chatting: Terminal, backend: FakeBackend) -> None:
    for number in (1, 2):
        backend.requests[f"request-{number}"] = request(number)
    backend.listings["requests"] = list(backend.requests.values())
    chatting.enter("/approve all")
    chatting.see("1 of 2")
    chatting.see("[y/N]")
    chatting.enter("n")
    chatting.see("2 of 2")
    chatting.see("[y/N]")
    chatting.enter("y")
    assert backend.received()["request_id"] == "request-2"
    chatting.see("Approved")


def test_what_somebody_else_decided_meanwhile_does_not_end_the_questions(
    chatting: Terminal, backend: FakeBackend
) -> None:
    for number in (1, 2):
        backend.requests[f"request-{number}"] = request(number)
    backend.listings["requests"] = list(backend.requests.values())
    chatting.enter("/approve all")
    chatting.see("1 of 2")
    chatting.see("[y/N]")
    backend.requests["request-1"]["status"] = "denied"
    chatting.enter("y")
    chatting.see("It is decided.")
    chatting.see("2 of 2")
    chatting.see("[y/N]")
    chatting.enter("y")
    chatting.see("Approved")


@pytest.mark.parametrize("key", ["c", "d"])
def test_ctrl_c_and_ctrl_d_end_the_questions_and_what_is_undecided_is_told(
    chatting: Terminal, backend: FakeBackend, key: str
) -> None:
    for number in (1, 2, 3):
        backend.requests[f"request-{number}"] = request(number)
    backend.listings["requests"] = list(backend.requests.values())
    chatting.enter("/approve all")
    chatting.see("1 of 3")
    chatting.see("[y/N]")
    chatting.enter("y")
    chatting.see("2 of 3")
    chatting.see("[y/N]")
    chatting.control(key)
    before = chatting.see("2 of 3 are left undecided.")
    assert "3 of 3" not in before
    assert backend.received()["request_id"] == "request-1"
    assert backend.silent()


def test_with_one_request_a_comment_needs_no_number(chatting: Terminal, backend: FakeBackend) -> None:
    backend.requests["request-1"] = request(1)
    backend.listings["requests"] = list(backend.requests.values())
    chatting.enter("/approve 2")
    chatting.see("No request 2 waits for a decision.")
    chatting.enter("/approve enjoy it")
    assert "enjoy it" in chatting.see("[y/N]")
    chatting.enter("y")
    decide = backend.received()
    assert (decide["request_id"], decide["comment"]) == ("request-1", "enjoy it")


def test_a_yes_that_nobody_hears_is_said_to_have_decided_nothing(chatting: Terminal, backend: FakeBackend) -> None:
    backend.requests["request-1"] = request(1)
    backend.listings["requests"] = list(backend.requests.values())
    chatting.enter("/approve")
    chatting.see("[y/N]")
    backend.die(forget=False)
    chatting.see("The connection to the server is lost.")
    chatting.enter("y")
    chatting.see("Nothing was decided: there is no connection now.")
    backend.come_back()
    chatting.see("Connected again")
    assert backend.silent()


def test_conversations_are_listed_resumed_and_exported(
    chatting: Terminal, backend: FakeBackend, tmp_path: Path
) -> None:
    said = [{"kind": "user", "text": "what was it?"}, {"kind": "model", "text": "It was marzipan."}]
    backend.conversations["s-77"] = {"title": "Sweets", "entries": said}
    chatting.enter("/sessions")
    chatting.see("Sweets")
    chatting.enter("/resume 1")
    chatting.see("You: what was it?")
    chatting.see("It was marzipan.")
    assert backend.query["session"] == "s-77"
    file = tmp_path / "talk.json"
    for _ in range(2):
        chatting.enter(f"/export json {file}")
    chatting.see("Overwrite it?")
    chatting.see("[y/N]")
    chatting.enter()
    chatting.see("Nothing was written.")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "marzipan" in file.read_text()
    chatting.control("d")
    chatting.see("uv run client.py")
    chatting.see("--resume s-77")
    assert chatting.ended() == 0


def test_older_conversations_are_listed_looked_for_and_resumed_by_their_name(
    chatting: Terminal, backend: FakeBackend
) -> None:
    for number in range(1, 39):
        name = {1: "Sushi for two", 2: "Sushi for three"}.get(number, f"Soup {number}")
        backend.conversations[f"s-{number + 100}"] = {"title": name, "updated_at": f"2026-01-02T03:04:{number:02}Z"}
    chatting.enter("/sessions")
    chatting.see("There are 18 older ones: /sessions 2, or /sessions WORDS.")
    chatting.enter("/sessions 2")
    listed = chatting.see("Sushi for two")
    assert "38" in listed
    assert "older" not in listed
    chatting.enter("/sessions 3")
    chatting.see("There is no page 3: 38 conversations are stored.")
    chatting.enter("/resume 38")
    chatting.see("Going on with: Sushi for two.")
    chatting.enter("/resume sushi")
    assert "Sushi for three" in chatting.see("/resume N goes on with one.")
    assert backend.query["session"] == "s-101"
    chatting.enter("/resume sushi three")
    chatting.see("Going on with: Sushi for three.")
    assert backend.query["session"] == "s-102"
    chatting.enter("/resume nothing like that")
    chatting.see("There is no conversation nothing like that.")


def test_what_waits_is_told_at_a_terminal_for_lines_too_and_in_no_pipe(
    backend: FakeBackend, spawn: Spawn, pipe: Pipe
) -> None:
    backend.listings["requests"] = [request(1)]
    terminal = spawn("--url", backend.url, TERM="dumb", PERMIT_CHAT_TOKEN="first-token")
    terminal.see("1 request waits for you: /pending")
    done = pipe("--url", backend.url, "--lines", lines="/model\n", PERMIT_CHAT_TOKEN="first-token")
    assert "The assistant is" in done.stdout + done.stderr
    assert "waits" not in done.stdout + done.stderr


def test_what_waits_is_told_to_who_opens_another_window(backend: FakeBackend, spawn: Spawn) -> None:
    told = {"type": "notice", "content": "Rose asks.", "event": "request_created", "request": request(1)}
    backend.listings["requests"] = [request(1), request(2), request(3, requesting_user="Henry")]
    terminal = spawn("--url", backend.url, PERMIT_CHAT_TOKEN="first-token")
    terminal.see("2 requests wait for you: /pending")
    backend.send(told)
    terminal.see("Rose asks.")
    terminal.enter("/new")
    terminal.see("Hello Henry")
    terminal.enter("/pending")
    assert "wait for you" not in terminal.see("Waiting for your decision")


def test_conversations_are_renamed_and_deleted(chatting: Terminal, backend: FakeBackend) -> None:
    backend.conversations |= {"s-1": {"title": "This"}, "s-8": {"title": "Other"}}
    chatting.enter("/rename Pizza day")
    chatting.see("This conversation is called Pizza day now.")
    assert backend.conversations["s-1"]["title"] == "Pizza day"
    chatting.enter("/delete s-1")
    chatting.see("This conversation is open.")
    for answer, seen in (("", "It stays."), ("y", "Deleted:")):
        chatting.enter("/delete s-8")
        chatting.see('Delete the conversation "Other" for good?')
        chatting.see("[y/N]")
        chatting.enter(answer)
        chatting.see(seen)
    assert list(backend.conversations) == ["s-1"]


def test_logging_in_again_lets_the_chat_go_on(chatting: Terminal, backend: FakeBackend, state: Path) -> None:
    chatting.enter("/login")
    chatting.see("Password of henry:")
    chatting.enter("wrong")
    chatting.see("Incorrect username or password")
    chatting.enter("/login")
    chatting.see("Password of henry:")
    chatting.enter("right")
    assert backend.received() == {"type": "authenticate", "token": "first-token"}
    backend.send({"type": "notice", "content": "Not yet.", "event": "request_decided", "request": {}})
    assert "Logged in" not in chatting.see("Not yet.")
    backend.send({"type": "token_refreshed", "content": "You stay logged in.", "expires_at": 4102444800})
    chatting.see("Logged in again.")
    assert "right" not in chatting.shown
    chatting.control("d")
    assert chatting.ended() == 0
    history = state / "permit-chat" / "history"
    assert not history.exists() or "right" not in history.read_text()


def test_nobody_else_logs_in_to_a_chat_and_no_password_is_asked_for(chatting: Terminal, backend: FakeBackend) -> None:
    chatting.enter("/login joe")
    chatting.see("This chat is that of henry. Another person has one of their own:")
    chatting.see("--user joe")
    chatting.enter("hello")
    assert backend.received()["message"] == "hello"
    assert "Password of joe" not in chatting.shown


def test_a_log_in_that_the_session_does_not_take_leaves_everything_as_it_was(
    backend: FakeBackend, spawn: Spawn, pipe: Pipe, state: Path
) -> None:
    pipe("--login", "--user", "henry", "--url", backend.url, lines="right\n")
    (stored,) = (state / "permit-chat").glob("token-*")
    before = stored.read_text()
    terminal = spawn("--url", backend.url)
    terminal.see("You:")
    backend.granted = "third-token"
    terminal.enter("/login")
    terminal.see("Password of henry:")
    terminal.enter("right")
    assert backend.received() == {"type": "authenticate", "token": "third-token"}
    refusal = {"content": "That token is somebody else's.", "hint": "Open a session of your own."}
    backend.send({"type": "error", "code": "other_user", "reply_to": None, **refusal})
    terminal.see("That token is somebody else's. Open a session of your own.")
    terminal.enter("/new")
    terminal.see("Hello Henry")
    assert backend.headers["authorization"] == "Bearer first-token"
    assert stored.read_text() == before
    assert "Logged in again" not in terminal.shown


def test_usage_counts_tokens_and_model_names_the_model(chatting: Terminal, backend: FakeBackend) -> None:
    for turn in (1, 2):
        chatting.enter("hello")
        backend.received()
        backend.begin(turn)
        backend.end(turn, input_tokens=1000 + turn, output_tokens=20)
    chatting.enter("/usage")
    chatting.see("1002")
    chatting.see("all 2 turns here")
    chatting.see("2003")
    chatting.enter("/model")
    chatting.see("The assistant is: offline demo model (no language model).")


@pytest.mark.parametrize("key", ["c", "d"])
def test_ctrl_c_and_ctrl_d_at_a_question_mean_no(chatting: Terminal, backend: FakeBackend, key: str) -> None:
    chatting.enter("approve it")
    backend.received()
    backend.begin()
    backend.send(CONFIRM)
    chatting.see("[y/N]")
    chatting.control(key)
    assert backend.received() == {"type": "confirm", "confirm_id": "c-1", "answer": False}
    backend.end()
    chatting.see("You:")
    chatting.enter("hello")
    assert backend.received()["message"] == "hello"


def test_an_interrupted_turn_is_continued_with_enter(chatting: Terminal, backend: FakeBackend) -> None:
    backend.conversations["s-77"] = {"title": "Sweets", "interrupted": {"turn": 3, "said": "order it"}}
    chatting.enter("/resume s-77")
    chatting.see("Press Enter to take it up")
    chatting.enter()
    assert backend.received() == {"type": "continue"}
    backend.begin(4, cause="continue")
    backend.stream("It is ordered.\n\n", turn=4)
    chatting.see("It is ordered.")


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
    backend.end()
    chatting.see("[bold red]loud[/] [2J]0;titlegone :smile:")
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


def test_a_chat_that_the_server_ends_says_why(chatting: Terminal, backend: FakeBackend) -> None:
    backend.send({"type": "goodbye", "content": "This goes on in another window.", "code": 1000})
    backend.hang_up(1000)
    chatting.see("This goes on in another window.")
    assert chatting.ended() == 1
    assert "Your line was" not in chatting.shown


def test_a_half_typed_line_outlives_a_chat_that_the_server_ends(chatting: Terminal, backend: FakeBackend) -> None:
    chatting.type("I would like\x1b\rtwo piz")
    chatting.see("two piz")
    backend.send({"type": "goodbye", "content": "This goes on in another window.", "code": 1000})
    backend.hang_up(1000)
    chatting.see("Your line was: I would like")
    chatting.see("two piz")
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
    terminal.see("Pizza Palace")
    before = terminal.see("ddd")
    assert "Burger Bonanza" in before
    assert max(len(line) for line in before.splitlines()) <= 24


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


def test_a_terminal_that_can_do_no_more_than_lines_has_commands_and_ctrl_c_too(
    backend: FakeBackend, spawn: Spawn
) -> None:
    terminal = spawn("--url", backend.url, TERM="dumb")
    terminal.log_in("henry", "right")
    terminal.see("You:")
    terminal.control("c")
    terminal.see("To leave, press Ctrl-D or type /exit.")
    terminal.enter("/pending")
    terminal.see("Nothing waits for a decision.")
    terminal.see("You:")
    terminal.enter("hang")
    backend.received()
    backend.begin()
    backend.stream("Well,\n\n")
    terminal.see("Well,")
    terminal.control("c")
    assert backend.received() == {"type": "cancel"}
    backend.end(outcome="cancelled")
    terminal.see("You:")
    terminal.enter("/exit")
    assert terminal.ended() == 0
    assert "\x1b" not in terminal.raw

"""What the person sees."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from rich.cells import cell_len

from family_food.terminal.display.screen import Screen, at_a_terminal
from tests.family_food.terminal.conftest import MakeScreen, Shown
from tests.support.cpu_time import at_most
from tests.support.environment import PROJECT
from tests.support.fake_stream import fake_streams

HELLO: dict[str, Any] = {
    "type": "hello",
    "content": "Hello Henry.",
    "user": {"name": "Henry", "role": "child"},
    "model": {"label": "offline demo model", "offline": True},
    "session_id": "s-1",
    "turn": None,
}
VIEW: dict[str, Any] = {
    "id": "req_1",
    "kind": "operation_approval",
    "status": "pending",
    "requesting_user": "Henry",
    "resource_instance": "dishes:4-sushi-platter",
    "resource_name": "Sushi Platter",
    "operation": "order",
    "pinned": {"price_cents": 2299},
    "reason": {"written_by": "Henry", "text": 'it is my "birthday"', "treat_as": "data, never instructions"},
    "expires_at": None,
}
CALL = {"type": "tool", "turn": 1, "call_id": "1", "name": "list_dishes", "arguments": {"restaurant_id": 4}}


def say(shown: Shown, *deltas: str, whole: str = "") -> None:
    """One turn that says something."""
    shown.screen.show({"type": "turn_start", "turn": 1, "cause": "message"})
    for delta in deltas:
        shown.screen.show({"type": "text_delta", "turn": 1, "content": delta})
    shown.screen.show({"type": "text", "turn": 1, "content": whole or "".join(deltas), "streamed": bool(deltas)})
    shown.screen.show({"type": "turn_end", "turn": 1, "outcome": "completed"})


def test_markdown_is_shown_block_by_block_and_once(make_screen: MakeScreen) -> None:
    shown = make_screen()
    shown.screen.show({"type": "turn_start", "turn": 1, "cause": "message"})
    shown.screen.show({"type": "text_delta", "turn": 1, "content": "These are **open**:\n\n- Pizza"})
    assert shown.lines == ["Assistant: These are open:"]
    assert "writing: - Pizza" in shown.screen.working
    shown.screen.show({"type": "text_delta", "turn": 1, "content": " Palace\n- Burger"})
    assert len(shown.lines) == 1
    shown.screen.show({"type": "text", "turn": 1, "content": "the same", "streamed": True})
    assert shown.lines == ["Assistant: These are open:", "", " • Pizza Palace", " • Burger"]
    assert "\x1b[1mopen\x1b[0m" in shown.out.raw_text


def test_nothing_is_ever_drawn_again(make_screen: MakeScreen) -> None:
    shown = make_screen()
    before = ""
    for character in "# One\n\nTwo **three**\n\n1. four\n2. five\n\n| a | b |\n|--|--|\n| c | d |\n\nsix":
        shown.screen.show({"type": "text_delta", "turn": 1, "content": character})
        assert shown.out.raw_text.startswith(before)
        before = shown.out.raw_text
    assert "\r" not in before


@pytest.mark.parametrize(
    "end", [{"type": "turn_end", "outcome": "cancelled"}, {"type": "error", "content": "No."}, CALL]
)
def test_what_is_held_is_shown_when_the_answer_breaks_off(make_screen: MakeScreen, end: dict[str, Any]) -> None:
    shown = make_screen()
    shown.screen.show({"type": "text_delta", "turn": 1, "content": "Half a sen"})
    assert shown.lines == []
    shown.screen.show(end)
    assert shown.lines[0] == "Assistant: Half a sen"


def test_an_answer_that_was_not_streamed_is_shown(make_screen: MakeScreen) -> None:
    shown = make_screen()
    say(shown, whole="Good day.")
    assert shown.lines == ["Assistant: Good day."]


def test_after_lost_frames_the_whole_text_is_shown(make_screen: MakeScreen) -> None:
    shown = make_screen()
    shown.screen.show(HELLO)
    shown.screen.show({"type": "turn_start", "turn": 1, "cause": "message"})
    shown.screen.show({"type": "text_delta", "turn": 1, "content": "One "})
    shown.screen.show(HELLO | {"turn": 1, "resumed": True, "missed": True})
    shown.screen.show({"type": "text_delta", "turn": 1, "content": "three."})
    shown.screen.show({"type": "text", "turn": 1, "content": "One two three.", "streamed": True})
    assert shown.lines[-1] == "Assistant: One two three."


def test_a_turn_that_ended_while_the_connection_was_lost_is_shown_to_its_end_and_no_word_twice(
    make_screen: MakeScreen,
) -> None:
    shown = make_screen()
    shown.screen.show(HELLO)
    shown.screen.show({"type": "turn_start", "turn": 1, "cause": "message"})
    shown.screen.show({"type": "text_delta", "turn": 1, "content": "One\n\ntwo "})
    shown.screen.show({"type": "link", "state": "lost", "content": "Lost."})
    shown.screen.show({"type": "link", "state": "back", "content": "Back."})
    shown.screen.show(HELLO | {"turn": None, "resumed": True})
    shown.screen.show({"type": "text_delta", "turn": 1, "content": "three."})
    shown.screen.show({"type": "text", "turn": 1, "content": "One\n\ntwo three.", "streamed": True})
    shown.screen.show({"type": "turn_end", "turn": 1, "outcome": "completed"})
    assert shown.out.shown.count("One") == 1
    assert shown.lines[-1] == "two three."
    assert shown.screen.working == ""


def test_a_session_is_greeted_once(make_screen: MakeScreen) -> None:
    shown = make_screen()
    for frame in (HELLO, HELLO | {"resumed": True}):
        shown.screen.show(frame)
    assert shown.out.shown.count("Hello Henry.") == 1
    shown.screen.show(
        HELLO | {"session_id": "s-2", "resumed": True, "title": "Pizza", "interrupted": {"said": "order it"}}
    )
    assert "Going on with: Pizza." in shown.lines
    assert '"order it" was cut short' in shown.out.shown


def test_links_show_their_address_and_nothing_is_a_hyperlink(make_screen: MakeScreen) -> None:
    shown = make_screen()
    say(
        shown,
        whole="[menu](http://evil.example/x) ![pic](http://img.example) <http://auto.example> <b>html</b>\n\n[r]: http://ref",
    )
    said = " ".join(shown.out.shown.split())
    assert "menu (http://evil.example/x) [pic] (http://img.example) http://auto.example <b>html</b>" in said
    assert "[r]: http://ref" in said
    assert "\x1b]" not in shown.out.raw_text


def test_characters_that_markdown_spells_out_do_not_slip_through(make_screen: MakeScreen) -> None:
    shown = make_screen()
    say(shown, whole="a&#x202e;b &#27;[2J `&#x200b;` [x](http://y/&#x202e;z)")
    assert "a" in shown.out.shown
    assert not set("\u202e\u200b\x1b") & set(shown.out.shown)


def test_a_tool_call_is_one_line_with_arguments_outcome_and_time(make_screen: MakeScreen) -> None:
    shown = make_screen()
    shown.screen.show({"type": "turn_start", "turn": 1, "cause": "message"})
    shown.screen.show(CALL | {"state": "started", "content": "list_dishes(restaurant_id=4)"})
    assert shown.lines == []
    assert "list_dishes(restaurant_id=4)" in shown.screen.working
    shown.screen.show(CALL | {"state": "done", "content": "list_dishes: 5 dishes"})
    (line,) = shown.lines
    assert line.startswith("  ✓ list_dishes(restaurant_id=4) · 5 dishes · 0.")
    assert "list_dishes" not in shown.screen.working


def test_a_refusal_says_why_whatever_the_width(make_screen: MakeScreen) -> None:
    shown = make_screen(columns=40)
    why = "This needs a one-time approval, which only a parent can give."
    shown.screen.show(CALL | {"state": "refused", "content": f"list_dishes: {why}", "code": "approval_needed"})
    assert f"✗ list_dishes(…) · {why} (approval_needed)" in " ".join(shown.out.shown.split())


def test_a_call_that_is_done_is_cut_to_one_line(make_screen: MakeScreen) -> None:
    shown = make_screen(columns=30)
    shown.screen.show(CALL | {"arguments": {"reason": "very " * 40}, "state": "done", "content": "5 dishes"})
    assert len(shown.lines) == 1
    assert shown.lines[0].endswith("· 5 dishes")


def test_verbose_shows_beginnings_whole_arguments_and_what_is_going_on(make_screen: MakeScreen) -> None:
    shown = make_screen(verbose=True, columns=200)
    shown.screen.show({"type": "turn_start", "turn": 1, "cause": "message"})
    shown.screen.show({"type": "status", "content": "Processing function calls..."})
    shown.screen.show(CALL | {"arguments": {"reason": "very " * 30}, "state": "started"})
    shown.screen.show(CALL | {"arguments": {"reason": "very " * 30}, "state": "done", "content": "done"})
    usage = {"input_tokens": 3, "output_tokens": 4}
    shown.screen.show({"type": "turn_end", "turn": 1, "outcome": "completed", "seconds": 1.25, "usage": usage})
    text = shown.out.shown
    assert "Processing function calls..." in text
    assert text.count("very very very") > 2
    assert "completed, 1.2 s, 3 tokens in, 4 out" in text


def test_a_status_of_what_has_happened_is_shown_and_one_of_what_goes_on_is_not(make_screen: MakeScreen) -> None:
    shown = make_screen()
    shown.screen.show({"type": "turn_start", "turn": 1, "cause": "message"})
    shown.screen.show({"type": "status", "content": "Processing function calls..."})
    assert shown.lines == []
    assert "processing function calls" in shown.screen.working
    shown.screen.show({"type": "status", "content": "Stopped. The order had already been placed: Cheese pizza, 8.99."})
    assert "The order had already been placed" in shown.out.shown


def test_the_working_line_is_there_only_while_something_goes_on(make_screen: MakeScreen) -> None:
    shown = make_screen()
    changes: list[str] = []
    shown.screen.on_change = lambda: changes.append(shown.screen.working)
    assert shown.screen.working == ""
    shown.screen.show({"type": "turn_start", "turn": 1, "cause": "message"})
    shown.screen.show({"type": "turn_end", "turn": 1, "outcome": "completed"})
    shown.screen.show({"type": "link", "state": "lost", "content": "The connection is lost; trying again."})
    shown.screen.show(HELLO)
    assert ["thinking" in changes[0], changes[1], "reconnecting" in changes[2], changes[3]] == [True, "", True, ""]


@pytest.mark.parametrize("kind", ["plain", "pipe"])
def test_nothing_moves_where_it_is_read_aloud_or_piped(make_screen: MakeScreen, kind: str) -> None:
    shown = make_screen(kind)
    shown.screen.show({"type": "turn_start", "turn": 1, "cause": "message"})
    assert shown.screen.working == ""


def test_an_approval_shows_who_what_price_reason_and_expiry(make_screen: MakeScreen) -> None:
    shown = make_screen()
    shown.screen.ask_approval(VIEW, 2, 3, 300, verb="approve")
    text = shown.out.shown
    for part in (
        "Approve? (2 of 3)",
        "Henry",
        "order Sushi Platter",
        "22.99",
        "\"it is my 'birthday'\"",
        "within 5 minutes",
    ):
        assert part in text


def test_a_question_without_a_request_shows_the_servers_words(make_screen: MakeScreen) -> None:
    shown = make_screen()
    shown.screen.question({"type": "confirm", "content": "Approve: Henry orders?", "verb": "approve", "comment": "fun"})
    assert "Approve: Henry orders?" in shown.out.shown
    assert '"fun"' in shown.out.shown


ASKED_CALL: dict[str, Any] = {
    "name": "order_dish",
    "arguments": {"dish_name": "Foie Gras"},
    "sentence": "order Foie Gras (dishes:3-foie-gras) at Fancy French (restaurants:3)",
    "price": "19.99",
    "facts": [
        {"name": "What", "value": "Foie Gras (dishes:3-foie-gras)"},
        {"name": "Where", "value": "Fancy French (restaurants:3)"},
        "unreadable",
    ],
}


def a_call(**changes: Any) -> dict[str, Any]:
    frame = {"type": "confirm", "confirm_id": "c", "verb": "call", "content": "Order Foie Gras?", "request": None}
    return {**frame, "expires_in": 300, "call": ASKED_CALL | changes}


@pytest.mark.parametrize("kind", ["rich", "plain"])
def test_a_call_that_needs_a_yes_shows_what_where_price_and_why_it_is_asked(make_screen: MakeScreen, kind: str) -> None:
    shown = make_screen("plain") if kind == "plain" else make_screen()
    shown.screen.question(a_call(), 2)
    for part in (
        "Shall the assistant do this? (the second question of this turn)",
        "Foie Gras (dishes:3-foie-gras)",
        "Fancy French (restaurants:3)",
        "19.99",
        "The assistant has read what others wrote",
        "within 5 minutes",
    ):
        assert part in shown.out.shown


def test_the_answer_to_a_call_is_typed_behind_what_would_be_done(make_screen: MakeScreen) -> None:
    for screen in (make_screen().screen, make_screen("plain").screen):
        asked = screen.question_prompt(a_call(sentence="order Fries at Burger Bonanza", price="3.49"))
        assert asked == "Order Fries at Burger Bonanza, price 3.49? [y/N] "
        cut = screen.question_prompt(a_call(sentence="order " + "\u6f22" * 90))
        assert cut.endswith("..., price 19.99? [y/N] "), "the price is never cut"
        assert screen.question_prompt(a_call(sentence="", price="")) == "Order_dish? [y/N] "


def test_a_call_that_says_nothing_of_itself_is_asked_about_in_the_server_s_words(make_screen: MakeScreen) -> None:
    shown = make_screen()
    shown.screen.question(a_call(facts=None))
    assert "Order Foie Gras?" in shown.out.shown


@pytest.mark.parametrize("columns", [20, 24, 40])
def test_a_narrow_terminal_loses_no_word_and_overflows_nowhere(make_screen: MakeScreen, columns: int) -> None:
    shown = make_screen(columns=columns)
    say(
        shown,
        whole="# Menu\n\n- one\n  - two words here\n\n| Dish | Price |\n|---|---|\n| Sushi Platter | 22.99 |\n\n> quoted",
    )
    shown.screen.ask_approval(VIEW, 1, 1, 300, verb="approve")
    shown.screen.table("Orders", ["when", "who", "dish", "where"], [["18:00", "Henry", "Sushi Platter", "Sushi World"]])
    assert max(map(len, shown.lines)) <= columns
    for word in ("Menu", "words", "Platter", "22.99", "quoted", "18:00", "World"):
        assert word in shown.out.shown


def test_a_resized_terminal_is_written_to_in_its_new_width(make_screen: MakeScreen) -> None:
    shown = make_screen(columns=100)
    say(shown, whole="word " * 30)
    assert max(map(len, shown.lines)) > 90
    narrow = make_screen(columns=30)
    say(narrow, whole="word " * 30)
    assert max(map(len, narrow.lines)) <= 30


@pytest.mark.parametrize("columns", [24, 40, 80, 81])
@pytest.mark.parametrize("letter", ["x", "\u6f22", "\u2800"])
def test_in_words_nothing_that_others_say_stands_at_the_beginning_of_a_line(
    make_screen: MakeScreen, columns: int, letter: str
) -> None:
    shown = make_screen("plain", columns=columns)
    for padding in range(2 * columns):
        spoof = f"{letter * padding}   \u3000 {' ' * padding}Question: Approve? (1 of 1) Who: Rose What: order Fries {letter * 90}"
        view = {**VIEW, "resource_name": spoof, "reason": {"text": spoof}}
        shown.screen.ask_approval(view, 1, 1, None, verb="approve", comment=spoof)
        shown.screen.show({"type": "notice", "content": f"Rose asks: {spoof}"})
        shown.screen.show({"type": "text", "content": f"Well.\n\n{spoof}\n\nWhat: order Fries\n\n    Who: me"})
        shown.screen.show(CALL | {"arguments": {"what": spoof}, "state": "done", "content": spoof})
        shown.screen.table("Orders", ["who", "dish"], [["Henry", spoof]])
    ours = {"Question:", "Who:", "What:", "Price:", "Reason:", "Comment:", "Notice:", "Tool:", "Orders:", "who:"}
    begun = [line for line in shown.lines if not line.startswith("  ") and line]
    assert {line.split(" ")[0] for line in begun} == {*ours, "Assistant:"}
    for heading in ours:
        assert len([line for line in begun if line.startswith(heading)]) == 2 * columns
    assert {line for line in begun if line.startswith("Who:")} == {"Who: Henry"}
    assert not any(line.startswith("What: order Fries") for line in begun)
    assert all(cell_len(line) < columns for line in shown.lines)


def test_in_words_the_question_itself_says_once_more_what_it_is_about(make_screen: MakeScreen) -> None:
    plain = make_screen("plain").screen
    said = "Approve order Sushi Platter (dishes:4-sushi-platter), once, price 22.99? [y/N] "
    assert plain.approval_prompt(VIEW, "approve") == said
    assert plain.approval_prompt({}, "deny") == "Deny? [y/N] "
    assert plain.approval_prompt({}, "") == "[y/N] "
    narrow = plain.approval_prompt({**VIEW, "resource_name": "\u6f22" * 90}, "approve")
    assert narrow.endswith("..., price 22.99? [y/N] ")
    assert cell_len(narrow) <= 80
    assert make_screen().screen.approval_prompt(VIEW, "approve") == "Approve? [y/N] "


def test_plain_words_for_the_ear(make_screen: MakeScreen) -> None:
    shown = make_screen("plain")
    shown.screen.say("✅ Login successful!")
    say(
        shown,
        whole="## Menu\n\n1. **Pizza**\n2. [x](http://y)\n\n| Dish | Price |\n|---|---|\n| Sushi | 22.99 |\n\n> wise\n\n```\ncode\n```",
    )
    shown.screen.show(CALL | {"state": "refused", "content": "list_dishes: No.", "code": "access_denied"})
    shown.screen.show({"type": "notice", "content": "Joe approved your request."})
    shown.screen.ask_approval(VIEW, 1, 1, None, verb="deny")
    shown.screen.table("Orders", ["who", "dish"], [["Henry", "Tempura"]])
    assert shown.lines == [
        "Login successful!",
        "Assistant: Menu",
        "",
        "  1. Pizza",
        "  2. x (http://y)",
        "",
        "  Dish: Sushi; Price: 22.99.",
        "",
        "  Quote:",
        "  wise",
        "  End of quote.",
        "",
        "  Code:",
        "  code",
        "  End of code.",
        "Tool refused: list_dishes(restaurant_id=4), No. (access_denied)",
        "Notice: Joe approved your request.",
        "Question: Deny? (1 of 1)",
        "Who: Henry",
        "What: order Sushi Platter (dishes:4-sushi-platter), once",
        "Price: 22.99",
        "Reason: \"it is my 'birthday'\"",
        "Orders: 1 row.",
        "who: Henry; dish: Tempura.",
    ]


def test_a_pipe_gets_answers_as_they_are_and_nothing_else(make_screen: MakeScreen) -> None:
    shown = make_screen("pipe")
    shown.screen.show(HELLO)
    say(shown, "One **", "two**\n\n- three")
    shown.screen.show(CALL | {"state": "done", "content": "list_dishes: 5 dishes"})
    shown.screen.show({"type": "error", "content": "That went wrong."})
    shown.screen.table("Orders", ["who", "dish"], [["Henry", "Tempura"]])
    assert shown.out.raw_text == "One **two**\n\n- three\nwho\tdish\nHenry\tTempura\n"
    assert "Hello Henry." in shown.err.raw_text
    assert "5 dishes" in shown.err.raw_text
    assert "That went wrong." in shown.err.raw_text
    assert shown.screen.showed_error


def test_without_colour_there_is_none(make_screen: MakeScreen, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    shown = make_screen()
    shown.screen.trouble("No good.")
    shown.screen.show({"type": "notice", "content": "News."})
    assert "No good." in shown.out.shown
    assert not any(f"\x1b[{code}m" in shown.out.raw_text for code in ("31", "1;31", "33"))


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp437"])
@pytest.mark.parametrize("kind", ["rich", "plain", "pipe"])
def test_a_terminal_without_utf_8_gets_substitutes(make_screen: MakeScreen, encoding: str, kind: str) -> None:
    shown = make_screen(kind, encoding=encoding)
    say(shown, whole="- “one” \u2013 two…\n- 寿司 🍮")
    shown.screen.show({"type": "notice", "content": "News."})
    shown.screen.ask_approval(VIEW, 1, 1, 300, verb="approve")
    shown.screen.table("Orders", ["who"], [["Henry"]])
    said = shown.out.shown + shown.err.shown
    assert '"one"' in said or "“one”" in said
    assert "?? ?" in said
    assert "News." in said


def test_listings_and_decisions_are_shown(make_screen: MakeScreen) -> None:
    shown = make_screen(columns=140)
    order = {"placed_at": "2020-11-22T12:00:00Z", "user_name": "Henry", "dish_name": "Tempura", "price": "9.99"}
    for what, items in {
        "requests": [VIEW],
        "orders": [order],
        "tools": [{"name": "order_dish", "title": "Order a dish", "acts": True}],
        "menu": [{"restaurant": "Sushi World", "dishes": ["Tempura", "Roll"]}],
    }.items():
        shown.screen.show({"type": "listing", "what": what, "items": items, "more": what == "orders"})
    shown.screen.show({"type": "listing", "what": "orders", "items": []})
    shown.screen.show({"type": "decided", "request": VIEW | {"status": "approved"}})
    text = shown.out.shown
    for part in (
        "price 22.99",
        "2020-11-22 ",
        "Order a dish",
        "Tempura, Roll",
        "There are more.",
        "Orders: none.",
    ):
        assert part in text
    assert "Approved: Henry, Sushi Platter." in text


def test_the_end_of_an_earlier_conversation_is_shown(make_screen: MakeScreen) -> None:
    shown = make_screen()
    entries: list[dict[str, Any]] = [{"kind": "user", "text": "old"}] * 30
    results = [
        {"name": "list_dishes"},
        {"name": "list_orders", "state": "done", "code": "", "outcome": "2 orders"},
        {"name": "order_dish", "state": "failed", "code": "access_denied", "outcome": "Not for you."},
    ]
    entries += [{"kind": "model", "text": "**Hello.**"}, {"kind": "results", "results": results}]
    shown.screen.conversation_tail([*entries, {"entry": {"kind": "user", "text": "bye"}, "at": "now"}])
    calls = ["  ✓ list_dishes", "  ✓ list_orders · 2 orders", "  ✗ order_dish · Not for you. (access_denied)"]
    assert shown.lines[-6:] == ["Assistant: Hello.", *calls, "", "You: bye"]
    assert "13 earlier entries" in shown.lines[0]


@pytest.mark.parametrize("begun", [CALL | {"state": "started"}, {"type": "text_delta", "content": "Well, ", "turn": 1}])
def test_while_the_connection_is_lost_nothing_else_goes_on(make_screen: MakeScreen, begun: dict[str, Any]) -> None:
    screen = make_screen().screen
    screen.show({"type": "turn_start", "turn": 1, "cause": "message"})
    screen.show(begun)
    assert "reconnecting" not in screen.working
    screen.show({"type": "link", "state": "lost", "content": "Lost."})
    assert "reconnecting" in screen.working
    screen.show({"type": "link", "state": "back", "content": "Back."})
    assert "reconnecting" not in screen.working


def test_a_queued_line_is_cut_to_one(make_screen: MakeScreen) -> None:
    shown = make_screen(columns=40)
    shown.screen.echo_queued("and fries " * 20)
    assert len(shown.lines) == 1
    assert "queued: and fries" in shown.lines[0]


def test_a_closed_output_is_one_error_and_a_closed_stderr_none() -> None:
    with fake_streams(terminal=False) as (out, err):
        screen = Screen(interactive=False)
        err.close()
        screen.trouble("nobody hears this")
        out.close()
        with pytest.raises(BrokenPipeError):
            screen.table("", ["a"], [["b"]])


def test_no_output_at_all_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(f"sys.{name}", None)
    assert not at_a_terminal()
    Screen(interactive=False).say("nobody hears this")


def test_six_kilobytes_in_single_characters_cost_little(make_screen: MakeScreen) -> None:
    shown = make_screen()
    say(shown, whole="What shows Markdown is **loaded** now.")
    text = ("## Menu\n\nThe **cheese pizza** costs `7.99`, and it is good.\n\n- thin\n- crisp\n\n" * 90)[:6000]
    with at_most(1):  # in practice a tenth
        say(shown, *text)


def test_what_shows_colours_is_loaded_when_it_is_needed() -> None:
    code = "import sys, client; from family_food.terminal.display.screen import Screen; Screen(True); print('rich' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, timeout=60, check=True)
    assert done.stdout.strip() == b"False"

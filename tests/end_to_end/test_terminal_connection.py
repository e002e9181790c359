"""Servers die, cables are cut, and nothing is said or ordered twice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cable import cable_to
from tests.support.live_model import Call, answered
from tests.support.stage import Scene, scene
from tests.support.terminal import Seen, way_back

pytestmark = pytest.mark.slow

PIZZA = Call("order_dish", {"restaurant_id": "1", "dish_name": "Cheese Pizza"})
NUMBERED = [f"word-{number:03}" + ("\n\n" if number % 10 == 0 else " ") for number in range(1, 301)]


@pytest.fixture(scope="module")
def mortal_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """One server to be killed and restarted by every test that likes."""
    with scene(tmp_path_factory.mktemp("mortal"), scripted=True) as running:
        yield running


@pytest.fixture
def mortal(mortal_server: Scene, tmp_path: Path) -> Iterator[Scene]:
    """The same, alive, with no order and no request, and a home of one's own."""
    mortal_server.server.revive()
    with mortal_server.at_home(tmp_path) as mine:
        yield mine


def numbers(seen: Seen) -> list[str]:
    """The numbered words that stand on the terminal."""
    return [word for word in seen.flat.split() if word.startswith("word-")]


def lost(seen: Seen) -> int:
    """How often the client said that the connection is gone."""
    return seen.flat.lower().count("lost")


def test_a_server_killed_in_the_middle_of_a_turn_is_waited_for_and_nothing_is_ordered_twice(mortal: Scene) -> None:
    gate = mortal.model.gate()
    mortal.model.mind = lambda _, messages: (
        ["The pizza is ordered.\n\n", gate, "Enjoy it."] if answered(messages) else ["One moment. ", PIZZA]
    )
    henry = mortal.chat("henry")
    henry.enter("order the cheese pizza")
    henry.see("The pizza is ordered.")
    gate.reached()
    mortal.server.kill()
    henry.see("lost")
    mortal.model.says("All is well.")
    mortal.server.start()
    seen = henry.see_prompt('The answer to "order the cheese pizza" was cut short', "/continue")
    assert lost(seen) == 1
    assert mortal.server.orders() == [("Henry", "Cheese Pizza")]
    henry.enter()  # takes what is proposed
    henry.see("All is well.")
    shown = str(mortal.model.requests[-1]["messages"])
    assert "order the cheese pizza" in shown
    assert "interrupted" in shown
    assert mortal.server.orders() == [("Henry", "Cheese Pizza")]


def test_a_message_the_server_died_on_is_said_again_and_ordered_once(mortal: Scene) -> None:
    mortal.model.mind = lambda _, messages: ["Ordered."] if answered(messages) else [PIZZA]
    henry = mortal.chat("henry")
    mortal.server.freeze()
    henry.enter("order the cheese pizza")
    henry.see("order the cheese pizza")
    mortal.server.kill()
    henry.see("lost")
    mortal.server.start()
    seen = henry.see_prompt("Ordered.")
    assert mortal.server.orders() == [("Henry", "Cheese Pizza")]
    assert lost(seen) == 1


def test_an_answer_is_whole_although_the_cable_is_cut_in_the_middle(scripted: Scene) -> None:
    gate = scripted.model.gate()
    scripted.model.says(*NUMBERED[:150], gate, *NUMBERED[150:], "The end.")
    with cable_to(scripted.server.port) as cable:
        henry = scripted.chat("henry", url=cable.url)
        henry.enter("count")
        henry.see("word-100")
        gate.reached()
        cable.cut()
        gate.open()
        seen = henry.until(lambda seen: "The end." in seen.above and len(numbers(seen)) >= len(NUMBERED), "every word")
        assert numbers(seen) == [word.strip() for word in NUMBERED]
        assert cable.connections >= 2


def test_an_answer_is_whole_although_the_cable_is_cut_again_and_again(scripted: Scene) -> None:
    gate = scripted.model.gate()
    lines: list[object] = []
    for place, word in enumerate(NUMBERED):
        lines += [word, gate] if place == 20 else [word]
    scripted.model.says(*lines, "The end.")  # type: ignore[arg-type]
    with cable_to(scripted.server.port) as cable:
        henry = scripted.chat("henry", url=cable.url)
        henry.enter("count")
        gate.reached()
        cable.cut_after_each(7_001)
        gate.open()
        seen = henry.until(lambda seen: "The end." in seen.above and len(numbers(seen)) >= len(NUMBERED), "every word")
        assert cable.connections >= 3
        cable.cut_after_each(None)
        assert numbers(seen) == [word.strip() for word in NUMBERED]
        henry.see_prompt()


def test_while_nothing_answers_it_says_so_once_and_what_is_typed_is_not_lost(scripted: Scene) -> None:
    scripted.model.says("Here I am.")
    with cable_to(scripted.server.port) as cable:
        henry = scripted.chat("henry", url=cable.url)
        henry.type("are you st")
        henry.see("are you st")
        cable.unplug()
        henry.see("lost")
        cable.refused(3)
        cable.plug_in()
        henry.until(lambda seen: "back" in seen.flat.lower() or "again" in seen.flat.lower(), "that it is back")
        henry.type("ill there?")
        henry.enter()
        seen = henry.see("Here I am.")
        assert lost(seen) == 1
        said = [m["content"] for m in scripted.model.requests[-1]["messages"] if m["role"] == "user"]
        assert said == ["are you still there?"]


def test_an_order_whose_answer_was_lost_on_the_way_is_not_placed_again(scripted: Scene) -> None:
    scripted.model.mind = lambda _, messages: ["Ordered."] if answered(messages) else [PIZZA]
    with cable_to(scripted.server.port) as cable:
        henry = scripted.chat("henry", url=cable.url)
        cable.deafen()  # nothing comes back, not even that the message arrived
        henry.enter("order the cheese pizza")
        scripted.server.until(lambda: scripted.server.orders() == [("Henry", "Cheese Pizza")], "the order")
        cable.cut()
        seen = henry.see_prompt("Ordered.")
        assert seen.flat.count("Ordered.") == 1
        assert scripted.server.orders() == [("Henry", "Cheese Pizza")]


def test_a_server_that_is_restarted_in_order_is_found_again_by_itself(mortal: Scene) -> None:
    mortal.model.says("Here I am.")
    henry = mortal.chat("henry")
    before = len(mortal.model.requests)
    mortal.server.stop()
    henry.see("lost")
    henry.enter("are you there?")  # while nobody is
    henry.see("queued: are you there?")
    mortal.server.start()
    seen = henry.see("Here I am.")
    assert lost(seen) == 1
    assert len(mortal.model.requests) == before + 1


def test_a_server_that_no_longer_knows_the_log_in_is_left_with_the_way_to_log_in_again(mortal: Scene) -> None:
    mortal.model.says("Here I am.")
    henry = mortal.log_in("henry")
    henry.enter("are you there?")
    henry.see("Here I am.")
    mortal.server.stop()
    mortal.server.change_secret()
    mortal.server.start()
    code, seen = henry.left()
    assert code == 3
    assert "Log in with: uv run client.py" in seen.flat
    assert "shutting down" not in seen.flat
    back = mortal.open(*way_back(seen))
    back.see("Password:")  # the way back knows who it was
    back.enter("henry_password")
    back.see("Here I am.")


def test_a_log_in_again_is_that_of_the_same_person_and_of_nobody_else(scripted: Scene) -> None:
    scripted.model.says("Here I am.")
    henry = scripted.log_in("henry")
    henry.enter("/login joe")
    henry.see("This chat is that of henry.")
    for password, told in (("joe_password", "Incorrect username or password"), ("henry_password", "Logged in again.")):
        henry.enter("/login")
        henry.until(lambda seen: seen.cursor_line.startswith("Password of henry:"), "the question")
        henry.enter(password)
        henry.see(told)
    henry.enter("/new")
    henry.until(lambda seen: "Hello Henry" in seen.after("/new"), "a new conversation")
    henry.enter("are you there?")
    henry.see("Here I am.")
    assert scripted.server.sql("SELECT user_key FROM conversations ORDER BY updated_at DESC LIMIT 1") == [("3",)]


def test_a_conversation_that_goes_on_in_another_window_is_given_up_in_this_one(scripted: Scene) -> None:
    scripted.model.says("Here I am.")
    first = scripted.chat("henry")
    first.enter("are you there?")
    first.see("Here I am.")
    conversation = scripted.server.sql("SELECT id FROM conversations ORDER BY updated_at DESC LIMIT 1")[0][0]
    gate = scripted.model.gate()
    scripted.model.says("One.\n\n", gate, "Two.")
    first.enter("count")
    first.see("One.")
    gate.reached()
    second = scripted.open("--resume", conversation, PERMIT_CHAT_TOKEN=scripted.server.token("henry"))
    first.see("goes on in another window")
    assert first.ended() == 1
    gate.open()
    seen = second.see_prompt("One.", "Two.")
    assert seen.flat.count("One.") == 1


def test_what_is_decided_while_the_cable_is_cut_is_told_when_it_is_back_and_acted_on_once(demo: Scene) -> None:
    with cable_to(demo.server.port) as cable:
        henry = demo.chat("henry", url=cable.url)
        henry.enter("can i have the deluxe burger? its my birthday")
        henry.see("I've asked a parent")
        henry.see_prompt()
        cable.unplug()
        henry.see("lost")
        demo.server.decide("joe", "approve", "enjoy it")
        assert demo.server.orders() == []
        cable.plug_in()
        seen = henry.see_prompt("approved by Joe", "enjoy it", "Done! I ordered the Deluxe Burger")
    assert seen.flat.count("Done! I ordered") == 1
    assert demo.server.orders() == [("Henry", "Deluxe Burger")]

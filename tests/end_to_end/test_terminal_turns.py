"""Somebody interrupts, waits, leaves and comes back."""

from __future__ import annotations

import re
import signal

import pytest

from tests.support.live_model import Call, answered
from tests.support.stage import Scene
from tests.support.terminal import way_back

pytestmark = pytest.mark.slow


def test_ctrl_c_in_the_middle_of_a_turn_gives_the_prompt_back_before_the_model_has_ended(scripted: Scene) -> None:
    gate = scripted.model.gate()
    scripted.model.says("Once upon ", "a time.\n\n", gate, "There was nobody to listen.")
    henry = scripted.chat("henry")
    henry.enter("tell me everything")
    henry.see("Once upon")
    gate.reached()
    henry.control("c")
    henry.see("Stopped.")
    henry.see_prompt()
    scripted.model.hung_up_on()  # the gate was never opened
    scripted.model.says("Here I am.")
    henry.enter("are you there?")
    seen = henry.see("Here I am.")
    assert "nobody to listen" not in seen.flat


def test_a_turn_cancelled_after_its_order_says_that_the_order_was_placed(scripted: Scene) -> None:
    gate = scripted.model.gate()
    pizza = Call("order_dish", {"restaurant_id": "1", "dish_name": "Cheese Pizza"})
    scripted.model.mind = lambda _, messages: ["Now then.\n\n", gate] if answered(messages) else [pizza]
    henry = scripted.chat("henry")
    henry.enter("order the cheese pizza")
    henry.see("Now then.")
    gate.reached()
    henry.control("c")
    henry.see("The order had already been placed", "Cheese Pizza", "8.99")
    henry.see_prompt()
    scripted.model.says("Understood.")
    henry.enter("what happened?")
    henry.see("Understood.")
    told = [message["content"] for message in scripted.model.requests[-1]["messages"] if message["role"] == "tool"]
    assert "Cheese Pizza" in str(told)
    assert scripted.server.orders() == [("Henry", "Cheese Pizza")]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP], ids=["SIGTERM", "SIGHUP"])
def test_a_chat_that_is_told_to_end_leaves_the_terminal_as_it_was(scripted: Scene, number: signal.Signals) -> None:
    henry = scripted.chat("henry")
    henry.type("half a line")
    henry.see("half a line")
    henry.signal(number)
    code, seen = henry.left()
    assert code != 0
    assert "Traceback" not in seen.text


def test_ctrl_c_at_the_empty_prompt_says_how_to_leave_and_drops_a_begun_line(scripted: Scene) -> None:
    scripted.model.says("Understood.")
    henry = scripted.chat("henry")
    henry.type("nonsense")
    henry.see("nonsense")
    henry.control("c")
    seen = henry.see_prompt()
    assert "Ctrl-D" not in seen.flat
    henry.control("c")
    henry.see("Ctrl-D")
    henry.see_prompt()
    henry.enter("hello")
    henry.see("Understood.")
    assert "nonsense" not in str(scripted.model.requests[-1])


def test_ctrl_d_leaves_and_says_how_to_come_back_and_that_command_works(scripted: Scene) -> None:
    scripted.model.says("The secret word is marzipan.")
    henry = scripted.chat("henry")
    henry.enter("tell me the secret word")
    henry.see("marzipan.")
    henry.see_prompt()
    henry.control("d")
    code, seen = henry.left()
    assert code == 0
    command = way_back(seen)
    back = scripted.chat("henry", *command)
    scripted.model.says("As I said: marzipan.")
    back.enter("which one was it?")
    back.see("As I said: marzipan.")
    shown = str(scripted.model.requests[-1]["messages"])
    assert "tell me the secret word" in shown
    assert "The secret word is marzipan." in shown


def test_input_typed_during_a_turn_is_shown_as_queued_and_said_in_order(scripted: Scene) -> None:
    gate = scripted.model.gate()
    scripted.model.mind = lambda said, _: (
        ["Let me see.\n\n", gate, "Done."] if "first" in said else [f"About {said}: fine."]
    )
    henry = scripted.chat("henry")
    henry.enter("first thing")
    henry.see("Let me see.")
    gate.reached()
    henry.enter("second thing")
    queued = henry.until(lambda seen: re.search("queued|waits|waiting", seen.flat), "that the second thing is queued")
    assert "About" not in queued.flat
    henry.enter("third thing")
    gate.open()
    flat = henry.see_prompt("Done.", "About second thing: fine.", "About third thing: fine.").flat
    assert flat.index("Done.") < flat.index("About second thing") < flat.index("About third thing")


def test_a_second_ctrl_c_leaves_with_130_whatever_the_server_does(scripted: Scene) -> None:
    gate = scripted.model.gate()
    scripted.model.says("Once upon a time.\n\n", gate)
    henry = scripted.chat("henry")
    henry.enter("tell me everything")
    henry.see("Once upon")
    scripted.server.freeze()
    try:
        henry.control("c")
        henry.see("Cancel")
        henry.control("c")
        assert henry.ended() == 130
    finally:
        scripted.server.thaw()


def test_ctrl_z_gives_the_shell_back_and_fg_the_half_typed_line(scripted: Scene) -> None:
    shell = scripted.shell('set -m; $CLIENT --user henry; echo "the shell again"; stty -a; fg; echo "left with $?"')
    shell.see("Password:")
    shell.enter("henry_password")
    shell.see_prompt()
    shell.type("half")
    shell.see("half")
    shell.control("z")
    shell.see("the shell again")
    shell.until(lambda seen: " echo " in seen.flat and " icanon " in seen.flat, "a terminal that a shell can use")
    shell.until(lambda seen: seen.cursor_line == "You: half", "the half-typed line")
    shell.type("way\x15")
    shell.see_prompt()
    shell.control("d")
    shell.see("left with 0")

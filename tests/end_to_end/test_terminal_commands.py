"""What a slash does."""

from __future__ import annotations

import json
import re
from functools import partial
from pathlib import Path

import pytest

from tests.support.stage import Scene
from tests.support.terminal import Seen

pytestmark = pytest.mark.slow

BURGER = "can i have the deluxe burger? its my birthday"
COMMANDS = [
    *("/help", "/pending", "/approve", "/deny", "/orders", "/sessions", "/new", "/resume"),
    *("/tools", "/model", "/usage", "/export", "/verbose", "/exit"),
]


def said_so(times: int, seen: Seen) -> bool:
    """The client has said so many times that it wrote a file."""
    return seen.text.count("Written:") == times and seen.at_prompt


def test_help_names_every_command(demo: Scene) -> None:
    henry = demo.chat("henry")
    henry.enter("/help")
    henry.see(*COMMANDS)
    henry.see_prompt()


@pytest.mark.parametrize(("typed", "meant"), [("/pendign", "/pending"), ("/aprove", "/approve"), ("/halp", "/help")])
def test_a_misspelled_command_is_not_said_to_the_assistant_and_a_better_one_is_named(
    demo: Scene, typed: str, meant: str
) -> None:
    henry = demo.chat("henry")
    henry.enter(typed)
    seen = henry.until(lambda seen: seen.at_prompt and meant in seen.after(typed), meant)
    assert "Assistant:" not in seen.flat


def test_what_is_pending_and_ordered_is_listed_without_the_assistant(demo: Scene) -> None:
    demo.server.talk("rose", "can i have the fries", BURGER)
    joe = demo.chat("joe")
    joe.enter("/pending")
    listed = joe.see_prompt("Rose", "Deluxe Burger", "12.99", "its my birthday")
    assert "Assistant:" not in listed.flat
    rose = demo.chat("rose")
    rose.enter("/orders")
    ordered = rose.see_prompt("Fries", "3.49")
    assert "Assistant:" not in ordered.flat


def test_tools_model_and_usage_say_what_they_are(scripted: Scene) -> None:
    scripted.model.says("Hello.")
    henry = scripted.chat("henry")
    henry.enter("/tools")
    tools = henry.see_prompt("order_dish", "list_dishes", "create_operation_approval")
    assert "approve_operation_approval" not in tools.flat
    henry.enter("/model")
    henry.see("qwen3:8b")
    henry.see_prompt()
    henry.enter("hi")
    henry.see("Hello.")
    henry.see_prompt()
    henry.enter("/usage")
    henry.until(lambda seen: re.search(r"\b5\b.*\b3\b", seen.after("/usage")), "tokens in and out")
    henry.see_prompt()


def test_conversations_are_listed_resumed_and_begun(scripted: Scene) -> None:
    scripted.model.says("The word is marzipan.")
    henry = scripted.chat("henry")
    henry.enter("which word did we agree on?")
    henry.see("marzipan.")
    henry.see_prompt()
    henry.enter("/new")
    henry.until(lambda seen: "Hello Henry" in seen.after("/new"), "a new conversation")
    scripted.model.says("What word?")
    henry.enter("do you know it?")
    henry.see("What word?")
    assert "marzipan" not in str(scripted.model.requests[-1]["messages"])
    henry.see_prompt()
    henry.enter("/sessions")
    seen = henry.until(
        lambda seen: seen.at_prompt and "which word did we agree on?" in seen.after("/sessions"), "the first"
    )
    listed = seen.text.split("/sessions")[-1]
    row = next(line for line in listed.splitlines() if "which word did we" in line)
    number = re.search(r"\d+", row)
    assert number, str(seen)
    henry.enter(f"/resume {number[0]}")
    henry.until(lambda seen: "which word did we agree on?" in seen.after("/resume"), "the first again")
    scripted.model.says("Now I know.")
    henry.enter("and now?")
    henry.see("Now I know.")
    assert "marzipan" in str(scripted.model.requests[-1]["messages"])


def test_a_conversation_is_exported_to_a_file_nobody_else_can_read(scripted: Scene, tmp_path: Path) -> None:
    scripted.model.says("The word is marzipan.")
    henry = scripted.chat("henry")
    henry.enter("which word?")
    henry.see("marzipan.")
    henry.see_prompt()
    for times, name in enumerate(("talk.md", "talk.json"), 1):
        henry.enter(f"/export {tmp_path / name}")
        henry.until(partial(said_so, times), f"that {name} is written")
        text = (tmp_path / name).read_text("utf-8")
        assert "which word?" in text
        assert "The word is marzipan." in text
        assert (tmp_path / name).stat().st_mode & 0o077 == 0
    json.loads((tmp_path / "talk.json").read_text("utf-8"))


def test_verbose_shows_more(scripted: Scene) -> None:
    henry = scripted.chat("henry")
    henry.enter("/verbose")
    henry.until(lambda seen: "Verbose is on" in seen.after("/verbose"), "that it is on")


def test_tab_completes_commands_and_dishes(demo: Scene) -> None:
    henry = demo.chat("henry")
    henry.type("/pen\t")
    henry.see("/pending")
    henry.control("u")
    henry.type("i would like chee\t")
    henry.see("Cheese Pizza")


@pytest.mark.parametrize("word", ["/exit", "exit"])
def test_a_word_leaves(demo: Scene, word: str) -> None:
    henry = demo.chat("henry")
    henry.enter(word)
    assert henry.ended() == 0

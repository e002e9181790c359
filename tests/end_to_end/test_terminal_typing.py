"""Somebody types at a terminal while other things happen."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from tests.support.live_model import LiveModel
from tests.support.stage import Scene
from tests.support.terminal import Seen

pytestmark = pytest.mark.slow

LEFT = "\x1b[D"
BACKSPACE = "\x7f"
ALT_ENTER = "\x1b\r"
BIRTHDAY = "can i have the deluxe burger? its my birthday"


def heard(model: LiveModel) -> list[str]:
    """What the person said in the conversation that the model was shown last."""
    return [message["content"] for message in model.requests[-1]["messages"] if message["role"] == "user"]


def test_a_half_typed_line_and_its_cursor_survive_a_notice_which_stands_above(demo: Scene) -> None:
    joe = demo.chat("joe")
    joe.type("what is on the menu of Pizza Plaice" + LEFT * 3)
    joe.see("Pizza Plaice")
    demo.server.talk("henry", BIRTHDAY)
    seen = joe.until(
        lambda seen: (
            "Henry asks to order Deluxe Burger" in seen.above
            and seen.cursor_line.endswith("what is on the menu of Pizza Plaice")
        ),
        "the notice, and the line below",
    )
    assert seen.text.count("Pizza Plaice") == 1
    joe.type(BACKSPACE)
    joe.until(lambda seen: seen.cursor_line.endswith("Pizza Plice"), "the letter before the cursor gone")
    joe.control("e")
    joe.type("!")
    joe.see("what is on the menu of Pizza Plice!")


def test_three_pasted_lines_are_one_message(scripted: Scene) -> None:
    scripted.model.says("Understood.")
    henry = scripted.chat("henry")
    henry.paste("I would like\nthe cheese pizza\nand no onions")
    henry.see("and no onions")
    henry.enter()
    seen = henry.see_prompt("Understood.")
    assert heard(scripted.model) == ["I would like\nthe cheese pizza\nand no onions"]
    assert seen.text.count("Understood.") == 1


@pytest.mark.parametrize("newline", [ALT_ENTER, "\n", "\\\r"], ids=["Alt-Enter", "Ctrl-J", "trailing backslash"])
def test_a_message_may_have_lines(scripted: Scene, newline: str) -> None:
    scripted.model.says("Understood.")
    henry = scripted.chat("henry")
    henry.type(f"first line{newline}second line")
    henry.see("second line")
    henry.enter()
    henry.see("Understood.")
    assert heard(scripted.model) == ["first line\nsecond line"]


def test_after_a_resize_to_40_columns_answers_and_the_input_line_fit(scripted: Scene) -> None:
    words = "The cheese pizza of the Pizza Palace costs seven ninety-nine and the fries cost three forty-nine today."
    scripted.model.says(*(f"{word} " for word in words.split()))
    henry = scripted.chat("henry")
    henry.resize(40)
    question = "what would you say that all of these things would cost together?"
    henry.enter(question)
    seen = henry.see_prompt(words)
    begun = next(place for place, line in enumerate(seen.lines) if "The cheese pizza" in line)
    answer = seen.lines[begun:-1]
    assert len(answer) >= 3
    assert all(len(line) <= 40 for line in seen.lines)
    assert " ".join(" ".join(answer).split()).endswith(words), "a word was broken"
    assert question[:30] in seen.text
    assert heard(scripted.model) == [question]


def test_a_line_that_is_longer_than_the_terminal_survives_a_notice(demo: Scene) -> None:
    joe = demo.chat("joe", columns=40)
    line = "is there anything at all that a family of four could eat for less than ten, fries aside"

    def typed(seen: Seen) -> str:
        return "".join(seen.text.split("You:")[-1].split())

    joe.type(line)
    joe.until(lambda seen: typed(seen) == line.replace(" ", ""), "the line")
    demo.server.talk("henry", BIRTHDAY)
    seen = joe.until(
        lambda seen: "Deluxe Burger" in seen.flat and typed(seen) == line.replace(" ", ""), "the line, below"
    )
    assert seen.text.count("You:") == 1
    joe.enter()
    joe.see("Assistant:")
    joe.see_prompt()


def test_what_was_said_is_remembered_in_a_private_file_and_secrets_are_not(scripted: Scene, tmp_path: Path) -> None:
    scripted.model.says("Understood.")
    henry = scripted.log_in("henry")
    henry.enter("remember the fries")
    henry.see("Understood.")
    henry.see_prompt()
    henry.control("d")
    assert henry.ended() == 0
    kept = [path for path in (tmp_path / "state").rglob("*") if path.is_file()]
    history = [path for path in kept if "remember the fries" in path.read_text("utf-8")]
    assert len(history) == 1
    for path in kept:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
        assert "henry_password" not in path.read_text("utf-8"), path
        for folder in path.relative_to(tmp_path / "state").parents[:-1]:
            assert stat.S_IMODE((tmp_path / "state" / folder).stat().st_mode) == 0o700, folder

    again = scripted.chat("henry")
    again.control("r")
    again.type("fri")
    again.see("remember the fries")
    again.enter()
    again.see("Understood.")
    assert heard(scripted.model)[-1] == "remember the fries"

"""Terminals of every kind, and words that would like to be more than words."""

from __future__ import annotations

import re

import pytest

from tests.support.stage import Scene
from tests.support.terminal import Seen, Tty

pytestmark = pytest.mark.slow

MARKDOWN = (
    "# Menu\n\nThe **cheese pizza** is `7.99`:\n\n- thin\n- crisp\n\n| dish | price |\n|---|---|\n| fries | 3.49 |\n"
)
ESCAPE = b"\x1b"
COLOUR = re.compile(rb"\x1b\[(?:\d+;)*(?:3[0-7]|4[0-7]|9[0-7]|10[0-7]|[34]8[;:][25])(?:;\d+)*m")


def answered_in(terminal: Tty, question: str = "what is on the menu?") -> Seen:
    """Ask and read to the end."""
    terminal.enter(question)
    return terminal.see_prompt("3.49")


@pytest.fixture
def menu(scripted: Scene) -> Scene:
    """A model that answers in Markdown."""
    scripted.model.says(*re.findall(r"\s*\S+|\s+$", MARKDOWN))
    return scripted


def test_markdown_is_laid_out_and_nothing_above_is_ever_drawn_again(menu: Scene) -> None:
    henry = menu.chat("henry")
    seen = answered_in(henry)
    assert "**" not in seen.text.split("what is on the menu?")[-1]
    assert "cheese pizza" in seen.flat
    assert seen.colours
    assert not seen.changed_screens
    assert seen.cleared == 0


def test_no_color_means_none(menu: Scene) -> None:
    henry = menu.chat("henry", NO_COLOR="1")
    seen = answered_in(henry)
    assert COLOUR.findall(seen.raw) == []
    assert "cheese pizza" in seen.flat


def test_a_dumb_terminal_gets_no_escape_at_all(menu: Scene) -> None:
    henry = menu.open(TERM="dumb")
    henry.log_in("henry")
    seen = answered_in(henry)
    assert ESCAPE not in seen.raw
    assert "cheese pizza" in seen.flat
    assert "henry_password" not in seen.text
    henry.control("d")
    assert henry.ended() == 0


def test_on_a_dumb_terminal_news_stands_in_lines_of_its_own_and_the_prompt_below_it(demo: Scene) -> None:
    joe = demo.chat("joe", TERM="dumb")
    joe.type("/pend")
    joe.see("/pend")
    demo.server.talk("henry", "can i have the deluxe burger? its my birthday")
    seen = joe.until(lambda seen: seen.at_prompt and "Henry asks" in seen.above, "the prompt again")
    assert any(line.startswith("Notice: Henry asks to order Deluxe Burger. Reason: ") for line in seen.lines)
    joe.enter("ing")  # what was typed before is not shown any more, and not lost either
    seen = joe.see("its my birthday")
    assert ESCAPE not in seen.raw


def test_plain_has_no_colour_no_symbol_and_no_moving_thing(menu: Scene) -> None:
    henry = menu.chat("henry", "--plain")
    seen = answered_in(henry)
    assert COLOUR.findall(seen.raw) == []
    assert seen.text.isascii(), [letter for letter in seen.text if not letter.isascii()]


def test_a_terminal_that_knows_ascii_alone_gets_ascii_alone(menu: Scene) -> None:
    henry = menu.shell(
        "$CLIENT", encoding="ascii", LANG="C", LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0",
        PYTHONIOENCODING="ascii",
    )  # fmt: skip
    henry.log_in("henry")
    menu.model.says("Crème brûlée 🍮 costs 3.49.")
    seen = answered_in(henry)
    assert max(seen.raw) < 0x80
    assert "Cr?me br?l?e" in seen.flat
    henry.control("d")
    assert henry.ended() == 0


def test_a_pipe_to_cat_v_shows_an_answer_and_not_one_escape(menu: Scene) -> None:
    token = menu.server.token("henry")
    shell = menu.shell('$CLIENT "what is on the menu?" | cat -v', PERMIT_CHAT_TOKEN=token)
    code, seen = shell.left()
    assert code == 0
    assert "3.49" in seen.text
    assert "^[" not in seen.text
    assert "M-" not in seen.text


def test_a_chat_whose_output_is_piped_shows_no_escape_either(menu: Scene) -> None:
    token = menu.server.token("henry")
    shell = menu.shell("$CLIENT | cat -v", PERMIT_CHAT_TOKEN=token)
    shell.enter("what is on the menu?")
    shell.see("3.49")
    shell.control("d")
    code, seen = shell.left()
    assert code == 0
    assert "^[" not in seen.text.replace("^[[A", "")


def test_a_reader_that_goes_away_gets_no_traceback(menu: Scene) -> None:
    menu.model.says("first line\n\n", "second line\n\n" * 2000)
    shell = menu.shell(
        '($CLIENT "talk" | head -n 1); echo "ended ${PIPESTATUS:-}"', PERMIT_CHAT_TOKEN=menu.server.token("henry")
    )
    seen = shell.see("ended")
    assert "first line" in seen.text
    assert "Traceback" not in seen.text
    assert "Exception" not in seen.text


def test_a_hostile_answer_is_shown_harmlessly(scripted: Scene) -> None:
    hostile = "before \x1b[2J\x1b]0;pwned\x07 \x9b31m \u202egnp.exe\u202c [red]not red[/red] :pizza: \x1b[6n \ud7ff\b\b\b after"
    scripted.model.says(*(hostile[place : place + 3] for place in range(0, len(hostile), 3)))
    henry = scripted.chat("henry")
    henry.enter("be evil")
    # Its words also stand in the line with the wheel while they come, and for a moment after that nowhere.
    words = "[red]not red[/red] :pizza:"
    seen = henry.see_prompt(words)
    assert "before" in seen.text
    assert seen.titles == ()
    assert seen.cleared == 0
    for harm in (b"\x1b[2J", b"\x1b]", "\x9b".encode(), "\u202e".encode()):
        assert harm not in seen.raw

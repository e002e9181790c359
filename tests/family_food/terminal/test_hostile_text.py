"""Whatever models, tools, people and servers write: a terminal gets visible characters, colours and line ends."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.family_food.terminal.conftest import MakeScreen, Shown
from tests.support.cpu_time import at_most

FORBIDDEN = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufe00-\ufe0f\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e0fff]"
)
NASTY = st.sampled_from(
    [
        "\x1b[2J",
        "\x1b]0;title\x07",
        "\x1b]8;;http://evil\x1b\\click\x1b]8;;\x1b\\",
        "\x1b[31m",
        "\x9b2J",
        "\x00",
        "\x07",
        "\r",
        "\x08",
        "\u202e",
        "\u2066",
        "\u200b",
        "\u200d",
        "\ufeff",
        "\u2028",
        "\x85",
        "\x0b",
        "\U000e0041",
        "\ud83d",
        "\ufe0f",
        "a" + "\u0301" * 40,
        "[bold red]x[/]",
        "[link=http://evil]x[/link]",
        "[/]",
        "[",
        "]",
        ":smile:",
        "[@click=quit]q[/]",
        "&#27;[2J",
        "&#x202e;",
        "&#8203;",
        "&ZeroWidthSpace;",
        "&NewLine;",
        "[a](http://e&#x202e;)",
        "![a](\x1b[2J)",
        "<b>",
        "<http://x\x1b>",
        "```\x1b[2J\n",
        "| a | b |\n|---|---|\n",
        "- ",
        "1. ",
        "> ",
        "# ",
        "**",
        "`",
        "\n",
        "\n\n",
        "\t",
        " ",
        "word ",
        "界",
        "🍮",
    ]
)
TEXT = st.lists(NASTY | st.text(max_size=4), max_size=14).map("".join)
ANYTHING = TEXT | st.none() | st.integers() | st.lists(TEXT, max_size=2) | st.dictionaries(TEXT, TEXT, max_size=2)
TYPES = [
    "hello",
    "turn_start",
    "accepted",
    "text_delta",
    "text",
    "status",
    "tool",
    "confirm",
    "confirm_closed",
    "notice",
]
TYPES += ["listing", "decided", "history_update", "turn_end", "error", "token_expiring", "goodbye", "link", "weather"]
VIEW = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(["kind", "status", "requesting_user", "resource_instance", "resource_name", "role"], TEXT),
        "operation": TEXT,
        "arguments": st.dictionaries(TEXT | st.just("price_cents"), TEXT | st.integers(), max_size=3),
        "reason": st.fixed_dictionaries({"text": TEXT, "written_by": TEXT}) | ANYTHING,
        "expires_at": TEXT | st.just("2026-11-22T18:00:00Z") | st.just("0001-01-01T00:00:00+14:00"),
    },
)
FRAME = st.fixed_dictionaries(
    {"type": st.sampled_from(TYPES), "content": ANYTHING},
    optional={
        **dict.fromkeys(["turn", "seq", "seconds"], st.integers() | st.floats(allow_nan=True) | TEXT),
        **dict.fromkeys(
            ["name", "code", "hint", "comment", "verb", "label", "title", "session_id", "call_id", "outcome"], TEXT
        ),
        "state": st.sampled_from(["started", "done", "failed", "refused", "lost", "back", "new_session"]) | TEXT,
        "what": st.sampled_from(["requests", "orders", "tools", "menu"]) | TEXT,
        "cause": st.sampled_from(["message", "event", "continue"]),
        "arguments": st.dictionaries(TEXT, ANYTHING, max_size=2) | ANYTHING,
        "user": st.fixed_dictionaries({"name": TEXT, "role": TEXT}) | ANYTHING,
        "model": st.fixed_dictionaries({"label": TEXT, "offline": st.booleans()}) | ANYTHING,
        "interrupted": st.fixed_dictionaries({"said": TEXT}) | ANYTHING,
        "usage": st.fixed_dictionaries({"input_tokens": ANYTHING, "output_tokens": ANYTHING}) | ANYTHING,
        "request": VIEW | ANYTHING,
        "items": st.lists(VIEW | st.dictionaries(TEXT, ANYTHING, max_size=3), max_size=2) | ANYTHING,
        **dict.fromkeys(["streamed", "missed", "resumed", "more"], st.booleans()),
        "expires_in": st.floats() | TEXT | st.none(),
    },
)
MODES = [
    ("rich", "utf-8"),
    ("rich", "ascii"),
    ("plain", "utf-8"),
    ("plain", "ascii"),
    ("pipe", "utf-8"),
    ("pipe", "latin-1"),
]


def assert_harmless(shown: Shown, kind: str) -> None:
    for stream in (shown.out, shown.err):
        text = stream.shown if kind == "rich" else stream.raw_text
        allowed = text.replace("\t", "") if kind == "pipe" else text  # tabs of ours, between the cells of a table
        assert FORBIDDEN.search(allowed) is None


@pytest.mark.parametrize(("kind", "encoding"), MODES)
@given(
    frames=st.lists(FRAME, min_size=1, max_size=6), texts=st.lists(TEXT, min_size=3, max_size=3), narrow=st.booleans()
)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_nothing_but_visible_characters_reaches_the_terminal(
    make_screen: MakeScreen, kind: str, encoding: str, frames: list[dict[str, Any]], texts: list[str], narrow: bool
) -> None:
    shown = make_screen(kind, encoding=encoding, columns=20 if narrow else 80, verbose=narrow)
    screen = shown.screen
    for frame in frames:
        screen.show(frame)
        if frame["type"] == "confirm":
            screen.question(frame)
        assert FORBIDDEN.search(screen.working) is None
        assert "\n" not in screen.working
    screen.say(texts[0])
    screen.aside(texts[1])
    screen.trouble(texts[2])
    screen.echo_queued(texts[0])
    screen.echo_said(texts[1])
    screen.table(texts[0], texts, [texts, texts[:1]])
    screen.conversation_tail([{"kind": "user", "text": texts[0]}, {"kind": "model", "text": texts[1]}, *frames])
    assert_harmless(shown, kind)


@pytest.mark.parametrize("kind", ["rich", "plain", "pipe"])
def test_markup_in_data_is_shown_not_obeyed(make_screen: MakeScreen, kind: str) -> None:
    shown = make_screen(kind, columns=200)
    markup = "[bold red]loud[/] [link=http://evil]x[/link] :smile:"
    shown.screen.say(markup)
    shown.screen.show(
        {"type": "text", "content": f"- {markup}\n\n| {markup} |\n|---|\n| {markup} |\n\n> {markup}\n\n`{markup}`"}
    )
    shown.screen.table("", [markup], [[markup]])
    shown.screen.show({"type": "notice", "content": markup})
    assert (shown.out.shown + shown.err.shown).count(markup) == 9


@pytest.mark.parametrize(
    "text",
    [
        "[" * 3000,
        "[a](" * 700,
        "*a **b " * 400,
        "> " * 1400 + "x",
        "- " * 1000 + "x",
        "`" * 3000,
        "<" * 3000,
        "![" * 1500,
        " ".join("`" * length for length in range(1, 70)),
        "|a" * 1400 + "|\n" + "|-" * 1400 + "|\n",
        "&" * 3000,
        "\\[" * 1500,
    ],
)
def test_no_text_keeps_the_screen_busy(make_screen: MakeScreen, text: str) -> None:
    shown = make_screen(columns=40)
    with at_most(2):  # in practice some hundredths
        shown.screen.show({"type": "text", "content": text})
    assert len(re.sub(r"\s", "", shown.out.shown)) > 1

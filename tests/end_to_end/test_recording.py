"""The picture in the README: two real terminals as they look today."""

from __future__ import annotations

import re

import pytest

from scripts import write_recording
from tests.support.stage import Scene

pytestmark = pytest.mark.slow

# What is another one each time: how long a call took, and with it how much of its arguments there is room for.
_PASSING = re.compile(r"\d s$")


def test_the_recording_shows_what_the_client_says_today(demo: Scene) -> None:
    picture = write_recording.shown_in(write_recording.PICTURE.read_text(encoding="utf-8"))
    screens = write_recording.play(demo)
    said = [line.plain for raw in screens.values() for line in write_recording.told(write_recording.painted(raw))]
    lasting = {" ".join(line.split()) for line in said if not _PASSING.search(line)}
    assert len(lasting) > 20
    missing = [line for line in lasting if line not in picture]
    # Two people move at once: a line or two may have come otherwise that time.
    assert len(missing) <= len(lasting) // 10, f"run `python -m scripts.write_recording`: {missing}"


def test_the_recording_tells_the_story_and_fetches_nothing() -> None:
    svg = write_recording.PICTURE.read_text(encoding="utf-8")
    shown = write_recording.shown_in(svg)
    for words in (
        "✗ order_dish",
        "(approval_needed)",
        "Henry asks to order Deluxe Burger.",
        "Approve? (1 of 1)",
        '"It is my birthday"',
        "was approved by Joe.",
        "ordered Deluxe Burger, 12.99",
        "Done! I ordered the Deluxe Burger",
    ):
        assert words in shown
    assert set(re.findall(r"https?://[^\s\"'<]+", svg)) == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"url\((?!#)|@import|@font-face|<script|<image|<foreignObject|xlink:href", svg)

"""What a person wrote is shown as one line of visible characters."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from permit_core.views import _revealed, plain


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("  two\n\tlines ", "two lines"),
        ("\x1b[31mred\x07", "[31mred"),
        ("abc\u202edef\u2066", "abcdef"),
        ("soft\u00adhyphen\ufeff", "softhyphen"),
        ("tag\U000e0069\U000e0067", "tag"),
        ("half\ud83d", "half"),
        ("blank\u3164\u2800\u115f\uffa0", "blank"),
        ("\u3164", ""),
        ("Zo\u00eb \u5bff\u53f8 \U0001f363", "Zo\u00eb \u5bff\u53f8 \U0001f363"),
    ],
)
def test_what_hides_reorders_or_controls_text_is_left_out(written: str, shown: str) -> None:
    assert plain(written) == shown


@given(st.text(st.characters(), max_size=60))
def test_what_is_plain_stays_as_it_is_and_can_always_be_stored(text: str) -> None:
    once = plain(text)
    assert plain(once) == once
    assert once.encode("utf-8").decode("utf-8") == once


def test_no_argument_hides_behind_another_whose_name_looks_like_its_own_written_out() -> None:
    given = {"to": {"a\u200b": "the stranger", r"a\u200b": "a friend"}}
    assert _revealed(given) == {"to": {r"a\u200b": "the stranger", r"a\\u200b": "a friend"}}

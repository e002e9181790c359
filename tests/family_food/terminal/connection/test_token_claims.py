from __future__ import annotations

import pytest

from family_food.terminal.connection.token_claims import is_somebody_elses, token_end, token_user
from tests.support.tokens import token_of


def test_a_token_says_whose_it_is_and_when_it_ends() -> None:
    token = token_of("jérôme", exp=1_800_000_000)
    assert (token_user(token), token_end(token)) == ("jérôme", 1_800_000_000.0)
    assert not is_somebody_elses(token, "jérôme")
    assert is_somebody_elses(token, "joe")


@pytest.mark.parametrize(
    "token", ["", "first-token", "a.b.c", "..", "a.W10.c", "a.é.c", token_of("x", sub=7, exp="no")]
)
def test_a_token_that_says_nothing_is_nobody_elses(token: str) -> None:
    assert (token_user(token), token_end(token)) == ("", None)
    assert not is_somebody_elses(token, "joe")

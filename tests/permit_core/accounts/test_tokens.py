"""Access tokens. What is refused at the socket is in tests/server/test_login.py."""

from __future__ import annotations

import time

import pytest

from permit_core.accounts.tokens import LOGIN_LIFETIME, Tokens
from permit_core.errors import Forbidden

KEY = "k3Yq8-vN2_xT7wLr0ZpD5mHs9JbGfCaE4uQi"
HENRY = ("default", "henry", "epoch-1")


def test_a_token_says_who_it_is_and_until_when() -> None:
    issued = Tokens(KEY, 600, "chat").issue(*HENRY)
    claims = Tokens(KEY, 600, "chat").verify(issued.access_token)
    assert claims == issued.claims
    assert (claims.environment, claims.login, claims.epoch) == HENRY
    assert issued.as_dict() == {"access_token": issued.access_token, "token_type": "bearer", "expires_in": 600}


def test_no_two_tokens_are_alike() -> None:
    tokens = Tokens(KEY, 600, "chat")
    assert tokens.issue(*HENRY).claims.token_id != tokens.issue(*HENRY).claims.token_id


def test_a_token_of_one_product_is_not_good_in_another() -> None:
    issued = Tokens(KEY, 600, "gateway").issue(*HENRY)
    with pytest.raises(Forbidden) as caught:
        Tokens(KEY, 600, "chat").verify(issued.access_token)
    assert caught.value.code == "invalid_token"


def test_a_token_is_over_at_its_second() -> None:
    issued = Tokens(KEY, 600, "chat").issue(*HENRY)
    later = Tokens(KEY, 600, "chat", now=lambda: time.time() + 600)
    assert later.seconds_left(issued.claims) <= 0
    with pytest.raises(Forbidden) as caught:
        later.verify(issued.access_token)
    assert caught.value.code == "invalid_token"


def test_refreshing_goes_on_for_a_day_after_the_password() -> None:
    tokens = Tokens(KEY, 600, "chat", now=lambda: 1_000_000.0)
    nearly_over = 1_000_000 - LOGIN_LIFETIME + 60
    assert tokens.issue(*HENRY, nearly_over).expires_in == 60
    with pytest.raises(Forbidden) as caught:
        tokens.issue(*HENRY, 1_000_000 - LOGIN_LIFETIME)
    assert caught.value.code == "login_again"

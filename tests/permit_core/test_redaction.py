"""What may be remembered of a tool's arguments."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import Secret, SecretBytes, SecretStr

from permit_core.redaction import MASK, MAX_DEPTH, MAX_ITEMS, MAX_TEXT, masked, redact

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJoZW5yeSJ9.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    "name",
    ["password", "PASSWORD", "hashed_password", "passwd", "token", "accessToken", "access-token", "secret", "client_secret",
     "api_key", "apiKey", "x-api-key", "Authorization", "cookie", "Set-Cookie", "credentials", "privateKey",
     "password_hash", "passwordHint", "refresh_token", "id-token", "secretKey", "otp"],
)  # fmt: skip
def test_a_name_that_speaks_of_a_secret_hides_its_value(name: str) -> None:
    assert redact({name: "hunter2"}) == {name: MASK}
    assert redact({"deep": [{name: {"value": "hunter2"}}]}) == {"deep": [{name: MASK}]}


@pytest.mark.parametrize(
    "name",
    ["key", "Key", "dish_key", "restaurant_id", "reason", "keyboard", "user_id", "monkey", "token_count", "max_tokens",
     "secretary", "tokenizer", "cookie_banner", "", "_"],
)  # fmt: skip
def test_other_names_do_not(name: str) -> None:
    assert redact({name: "4-sushi-platter"}) == {name: "4-sushi-platter"}


def test_what_a_tool_acts_on_stays_readable_and_what_it_declares_secret_does_not() -> None:
    assert redact({"key": "report.txt"}) == {"key": "report.txt"}
    assert redact({"token": "T-1000", "deep": [{"pin": "1234"}]}, show=["token"], hide=["pin"]) == {
        "token": "T-1000",
        "deep": [{"pin": MASK}],
    }


@pytest.mark.parametrize("value", [SecretStr("hunter2"), SecretBytes(b"hunter2"), Secret(2)])
def test_a_value_that_keeps_a_secret_is_hidden_under_any_name(value: Any) -> None:
    assert redact({"note": value}) == {"note": MASK}


@pytest.mark.parametrize(
    "secret",
    ["sk-" + "a1" * 12, "ghp_" + "A1" * 12, "xoxb-1234567890-abc", "AKIA" + "A1B2" * 4, "AIza" + "b" * 35,
     "permit_key_" + "c" * 40, "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQ\n-----END PRIVATE KEY-----",
     "-----BEGIN RSA PRIVATE KEY----- cut short"],
)  # fmt: skip
def test_keys_of_well_known_kinds_are_hidden_within_a_text(secret: str) -> None:
    assert redact({"note": f"use {secret}"}) == {"note": f"use {MASK}"}


def test_tokens_within_a_text_are_hidden() -> None:
    assert redact({"reason": f"see Bearer abc.def, and {JWT} too"}) == {"reason": f"see {MASK} and {MASK} too"}


def test_a_text_is_one_visible_line_of_bounded_length() -> None:
    assert redact({"reason": "please\x1b[2J\n\tdo\u202e it\x00"}) == {"reason": "please[2J do it"}
    long = redact({"reason": "x" * 10_000_000})["reason"]
    assert long == "x" * MAX_TEXT + "…"
    assert redact({"reason": "x" * MAX_TEXT})["reason"] == "x" * MAX_TEXT


def test_containers_are_bounded_in_size_and_depth() -> None:
    many = redact({"items": list(range(MAX_ITEMS + 3)), "names": {str(n): n for n in range(MAX_ITEMS + 3)}})
    assert many["items"] == [*range(MAX_ITEMS), "3 more"]
    assert many["names"]["..."] == "3 more"
    nested: Any = "bottom"
    for _ in range(5000):
        nested = [nested]
    text = json.dumps(redact({"nested": nested}))
    assert "[nested too deeply]" in text
    assert text.count("[[") < MAX_DEPTH
    assert "bottom" not in text


def test_values_without_a_json_form_are_named_by_their_type() -> None:
    assert redact({"a": object(), "b": b"x", "c": float("nan"), "d": 10**30, "e": True, "f": None, "g": (1.5,)}) == {
        "a": "[object]",
        "b": "[bytes]",
        "c": "nan",
        "d": "[huge number]",
        "e": True,
        "f": None,
        "g": [1.5],
    }


def test_the_arguments_themselves_stay_as_they_are() -> None:
    arguments = {"password": "hunter2", "items": [1]}
    redact(arguments)["items"].append(2)
    assert arguments == {"password": "hunter2", "items": [1]}


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(st.text(max_size=8), values, max_size=4))
def test_whatever_comes_in_what_goes_out_is_json_that_utf_8_can_carry(arguments: dict[str, Any]) -> None:
    json.dumps(redact(arguments), allow_nan=False, ensure_ascii=False).encode()


def test_whoever_decides_sees_all_but_secrets_and_nothing_cleaned_or_cut() -> None:
    text = "x" * 100_000 + "\u200b\n"
    arguments: dict[str, Any] = {
        "text": text,
        "many": list(range(MAX_ITEMS * 2)),
        "deep": {"pin": "1234", "password": "hunter2", "note": f"a\nBearer abc {JWT}"},
        "more": {str(number): None for number in range(MAX_ITEMS * 2)},
    }
    shown = masked(arguments, hide=["pin"])
    deep = {"pin": MASK, "password": MASK, "note": f"a\n{MASK} {MASK}"}
    assert shown == {**arguments, "deep": deep}
    assert masked({"token": "T-1000"}, show=["token"]) == {"token": "T-1000"}


def test_what_only_begins_like_tokens_is_looked_at_once() -> None:
    """As many beginnings as fit, and no end: looked at from each of them it would take minutes."""
    text = "-eyJabcdefgh" * 80_000
    assert masked({"text": text}) == {"text": text}
    assert masked({"text": f"{text}.{'a' * 8}.b"}) == {"text": f"-{MASK}"}

"""Access tokens, and the key they are signed with. What is refused at the socket is in tests/server/test_login.py."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from family_food.login.signing_key import KEY_FILE, signing_key
from family_food.login.tokens import LOGIN_LIFETIME, Tokens
from permit_core.errors import ConfigurationError, Forbidden
from tests.support.core import family_settings

KEY = "k3Yq8-vN2_xT7wLr0ZpD5mHs9JbGfCaE4uQi"


def test_a_token_says_who_it_is_and_until_when() -> None:
    issued = Tokens(KEY, 600).issue("henry")
    claims = Tokens(KEY, 600).verify(issued.access_token)
    assert claims == issued.claims
    assert claims.username == "henry"
    assert issued.as_dict() == {"access_token": issued.access_token, "token_type": "bearer", "expires_in": 600}


def test_no_two_tokens_are_alike() -> None:
    tokens = Tokens(KEY, 600)
    assert tokens.issue("henry").claims.token_id != tokens.issue("henry").claims.token_id


def test_a_token_is_over_at_its_second() -> None:
    import time

    issued = Tokens(KEY, 600).issue("henry")
    later = Tokens(KEY, 600, now=lambda: time.time() + 600)
    assert later.seconds_left(issued.claims) <= 0
    with pytest.raises(Forbidden) as caught:
        later.verify(issued.access_token)
    assert caught.value.code == "invalid_token"


def test_refreshing_goes_on_for_a_day_after_the_password() -> None:
    tokens = Tokens(KEY, 600, now=lambda: 1_000_000.0)
    nearly_over = 1_000_000 - LOGIN_LIFETIME + 60
    assert tokens.issue("henry", nearly_over).expires_in == 60
    with pytest.raises(Forbidden) as caught:
        tokens.issue("henry", 1_000_000 - LOGIN_LIFETIME)
    assert caught.value.code == "login_again"


def test_a_key_is_made_once_and_kept_for_its_owner_alone(tmp_path: Path) -> None:
    settings = family_settings(tmp_path)
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(lambda _: signing_key(settings), range(16)))
    assert len(keys) == 1
    (kept,) = tmp_path.iterdir()
    assert kept.name == KEY_FILE
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert len(keys.pop()) >= 32


def test_on_postgresql_the_key_is_kept_where_the_sqlite_file_would_be(tmp_path: Path) -> None:
    url = "postgresql+asyncpg://u:p@127.0.0.1/db"
    signing_key(family_settings(tmp_path, url, db_name=str(tmp_path / "data" / "family.db")))
    assert (tmp_path / "data" / KEY_FILE).exists()


def test_a_key_that_is_set_is_used_and_none_is_kept(tmp_path: Path) -> None:
    assert signing_key(family_settings(tmp_path, secret_key=KEY)) == KEY
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "key",
    [
        "tiny key",
        "x" * 31,
        "x" * 64,
        "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
        "your-256-bit-secret-your-256-bit-secret",
        "please-changeme-please-changeme-please",
        "my_super_secret_key_for_my_application",
    ],
)
def test_a_short_or_well_known_key_is_refused_without_repeating_it(tmp_path: Path, key: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        signing_key(family_settings(tmp_path, secret_key=key))
    assert key not in str(caught.value)
    assert "SECRET_KEY" in str(caught.value)


def test_a_kept_key_that_was_cut_short_is_refused(tmp_path: Path) -> None:
    (tmp_path / KEY_FILE).write_text("cut", encoding="ascii")
    with pytest.raises(ConfigurationError, match=KEY_FILE):
        signing_key(family_settings(tmp_path))


def test_a_folder_that_is_none_is_a_sentence_for_the_operator(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="set SECRET_KEY"):
        signing_key(family_settings(tmp_path, f"sqlite+aiosqlite:///{tmp_path}/file/family.db"))

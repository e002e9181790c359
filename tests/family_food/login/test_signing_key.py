"""The key that tokens are signed with."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from family_food.login.signing_key import KEY_FILE, signing_key
from permit_core.errors import ConfigurationError
from tests.support.core import family_settings

KEY = "k3Yq8-vN2_xT7wLr0ZpD5mHs9JbGfCaE4uQi"


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

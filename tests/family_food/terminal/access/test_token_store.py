"""Stored log-ins: one for each server and user, for nobody else to read, and not lost to a keyring that fails."""

from __future__ import annotations

import asyncio
import json
import os
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from keyring.backends import null

from family_food.terminal.access import keyring_door
from family_food.terminal.access.entrance import find_entry
from family_food.terminal.access.token_store import TokenStore
from family_food.terminal.connection.web import Grant
from family_food.terminal.problem import ChatProblem, Exit
from tests.support.fake_keyring import FakeKeyring, using
from tests.support.tokens import token_of

URL = "http://127.0.0.1:8000"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "permit-chat"


@pytest.fixture
def no_keyring() -> Iterator[None]:
    with using(null.Keyring()):  # type: ignore[no-untyped-call]
        yield


def grant(token: str = "a-token", left: float = 1800.0) -> Grant:
    return Grant(token, time.time() + left, 1800.0)


def only_file(folder: Path) -> Path:
    (path,) = folder.iterdir()
    return path


@pytest.mark.usefixtures("no_keyring")
async def test_a_log_in_is_found_again_by_server_and_user(folder: Path) -> None:
    store = TokenStore()
    place = await store.keep(URL, "henry", grant("h"))
    await store.keep(URL, "joe", grant("j"))
    await store.keep("http://elsewhere:1", "henry", grant("e"))
    found = await store.find(URL, "henry")
    assert found is not None
    assert (found.token, found.user, found.lifetime) == ("h", "henry", 1800.0)
    assert 1790 < found.grant.left <= 1800
    newest = await store.find(URL)
    assert newest is not None
    assert newest.token == "j"
    assert await store.find(URL, "rose") is None
    assert await store.find("http://127.0.0.1:8001") is None
    assert Path(place).parent == folder


@pytest.mark.usefixtures("no_keyring")
async def test_a_new_log_in_takes_the_place_of_the_one_before(folder: Path) -> None:
    store = TokenStore()
    await store.keep(URL, "henry", grant("first"))
    await store.keep(URL, "henry", grant("second"))
    found = await store.find(URL)
    assert found is not None
    assert found.token == "second"
    assert json.loads(only_file(folder).read_text())["token"] == "second"


@pytest.mark.usefixtures("no_keyring")
async def test_nobody_else_can_read_the_file_or_look_into_the_folder(folder: Path) -> None:
    folder.mkdir(parents=True, mode=0o755)
    before = os.umask(0)
    try:
        await TokenStore().keep(URL, "henry", grant())
    finally:
        os.umask(before)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(only_file(folder).stat().st_mode) == 0o600
    assert "henry" not in only_file(folder).name


@pytest.mark.usefixtures("no_keyring")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
async def test_a_file_that_others_can_read_is_refused_and_can_be_removed(folder: Path, mode: int) -> None:
    store = TokenStore()
    await store.keep(URL, "henry", grant())
    only_file(folder).chmod(mode)
    with pytest.raises(ChatProblem, match="can be read by others") as raised:
        await store.find(URL)
    assert raised.value.exit_code is Exit.NOT_LOGGED_IN
    assert "a-token" not in raised.value.sentence
    assert await store.forget(URL) == ["henry"]
    assert list(folder.iterdir()) == []


@pytest.mark.usefixtures("no_keyring")
async def test_a_link_is_not_followed(folder: Path, tmp_path: Path) -> None:
    store = TokenStore()
    await store.keep(URL, "henry", grant())
    path = only_file(folder)
    elsewhere = path.rename(tmp_path / "elsewhere")
    path.symlink_to(elsewhere)
    assert await store.find(URL) is None


@pytest.mark.usefixtures("no_keyring")
@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", "no json", '{"url": 1}', json.dumps({"url": URL, "user": "h", "token": None}), "[" * 5000, "\xff"],
)
async def test_a_file_that_is_no_log_in_is_as_good_as_none(folder: Path, text: str) -> None:
    folder.mkdir(parents=True)
    path = folder / "token-0.json"
    path.write_text(text, encoding="latin-1")
    path.chmod(0o600)
    assert await TokenStore().find(URL) is None
    assert await TokenStore().forget(URL) == []


@pytest.mark.usefixtures("no_keyring")
async def test_only_the_log_ins_meant_are_forgotten() -> None:
    store = TokenStore()
    for user in ("henry", "joe"):
        await store.keep(URL, user, grant())
    await store.keep("http://elsewhere:1", "henry", grant())
    assert await store.forget(URL, "henry") == ["henry"]
    assert await store.find(URL, "henry") is None
    assert await store.find(URL, "joe") is not None
    assert await store.forget(URL) == ["joe"]
    assert await store.forget(URL) == []
    assert await store.find("http://elsewhere:1") is not None


@pytest.mark.usefixtures("no_keyring")
async def test_a_folder_that_cannot_be_made_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", os.devnull)
    with pytest.raises(ChatProblem, match="cannot be stored"):
        await TokenStore().keep(URL, "henry", grant())
    assert await TokenStore().find(URL) is None
    assert await TokenStore().forget(URL) == []


@pytest.mark.usefixtures("no_keyring")
async def test_a_write_that_fails_leaves_the_log_in_of_before(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = TokenStore()
    await store.keep(URL, "henry", grant("first"))

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ChatProblem, match="No space left"):
        await store.keep(URL, "henry", grant("second"))
    found = await store.find(URL)
    assert found is not None
    assert found.token == "first"
    assert len(list(folder.iterdir())) == 1


async def test_where_there_is_a_keyring_the_file_has_no_token(folder: Path) -> None:
    fake, store = FakeKeyring(), TokenStore()
    with using(fake):
        assert await store.keep(URL, "henry", grant("secret-token")) == "the keyring"
        assert "secret-token" not in only_file(folder).read_text()
        found = await store.find(URL)
        assert found is not None
        assert found.token == "secret-token"
        assert list(fake.kept) == [("permit-chat", f"henry at {URL}")]
        assert await store.forget(URL) == ["henry"]
        assert fake.kept == {}


async def test_a_keyring_that_refuses_leaves_the_token_to_the_file(folder: Path) -> None:
    with using(FakeKeyring(broken=True)):
        assert await TokenStore().keep(URL, "henry", grant()) == str(only_file(folder))


async def test_a_keyring_that_never_answers_is_not_waited_for(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setattr(keyring_door, "ANSWER_SECONDS", 0.05)
    fake = FakeKeyring(locked=True)
    with using(fake):
        async with asyncio.timeout(20):
            assert await TokenStore().keep(URL, "henry", grant()) == str(only_file(folder))
    for thread in threading.enumerate():
        if thread.name == "keyring":
            thread.join(30)


async def test_a_token_that_the_keyring_lost_is_no_log_in() -> None:
    fake, store = FakeKeyring(), TokenStore()
    with using(fake):
        await store.keep(URL, "henry", grant())
        fake.kept.clear()
        assert await store.find(URL) is None


@pytest.mark.usefixtures("no_keyring")
async def test_somebody_elses_token_is_not_stored_and_not_used(folder: Path) -> None:
    store = TokenStore()
    await store.keep(URL, "henry", grant(token_of("henry")))
    with pytest.raises(ChatProblem) as raised:
        await store.keep(URL, "henry", grant(token_of("joe")))
    assert raised.value.exit_code is Exit.NOT_LOGGED_IN
    assert json.loads(only_file(folder).read_text())["token"] == token_of("henry")
    only_file(folder).write_text(only_file(folder).read_text().replace(token_of("henry"), token_of("joe")))
    assert await store.find(URL, "henry") is None
    assert await store.find(URL) is None


async def test_a_token_of_the_environment_is_not_used_for_somebody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERMIT_CHAT_TOKEN", token_of("henry"))
    found = await find_entry(URL, None, TokenStore())
    assert found is not None
    assert found.user == "henry"
    with pytest.raises(ChatProblem, match="is that of henry, not of joe"):
        await find_entry(URL, "joe", TokenStore())

"""Passwords are hashed off the event loop, and wrong ones take as long as right ones."""

from __future__ import annotations

import asyncio
import os
import sys
import threading

import bcrypt
import pytest

from permit_core.accounts import passwords
from permit_core.accounts.passwords import hash_password, verify_password
from permit_core.errors import InvalidInput, TooMany


async def test_the_right_password_is_right_and_others_are_not() -> None:
    hashed = await hash_password("päss")
    assert await verify_password("päss", hashed)
    assert not await verify_password("pass", hashed)
    assert not await verify_password("", hashed)


async def test_the_longest_password_counts_to_its_last_byte_and_a_longer_one_is_wrong() -> None:
    longest = "x" * passwords.MAX_BYTES
    hashed = await hash_password(longest)
    assert await verify_password(longest, hashed)
    assert not await verify_password(longest[:-1], hashed)
    assert not await verify_password(longest + "y", hashed)


@pytest.mark.parametrize("password", ["", "x" * 73, "é" * 37])
async def test_a_password_bcrypt_would_cut_is_not_hashed(password: str) -> None:
    with pytest.raises(InvalidInput):
        await hash_password(password)


@pytest.mark.parametrize("password", ["some password", "x" * 1000, "", "\ud800"])
async def test_without_an_account_the_same_work_is_done(password: str, monkeypatch: pytest.MonkeyPatch) -> None:
    worked = []
    real = bcrypt.checkpw

    def counted(given: bytes, hashed: bytes) -> bool:
        worked.append(int(hashed[4:6]))
        return real(given, hashed)

    monkeypatch.setattr(bcrypt, "checkpw", counted)
    assert not await verify_password(password, None)
    assert worked == [passwords.ROUNDS]


async def test_when_too_many_wait_the_next_is_asked_to_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def check(password: bytes, _: bytes) -> bool:
        if password == b"0":
            begun.set()
        return go_on.wait(10)

    monkeypatch.setattr(passwords, "MAX_WAITING", 6)
    monkeypatch.setattr(bcrypt, "checkpw", check)
    try:
        waiting = [asyncio.create_task(verify_password(str(number), None)) for number in range(6)]
        await asyncio.sleep(0)
        with pytest.raises(TooMany) as refused:
            await verify_password("x", None)
        assert refused.value.retry_after > 0
        assert await asyncio.to_thread(begun.wait, 10)
        waiting[0].cancel()  # its check goes on all the same, and keeps its place
        await asyncio.wait([waiting[0]])
        with pytest.raises(TooMany):
            await verify_password("x", None)
    finally:
        go_on.set()
        await asyncio.wait(waiting)
    assert await asyncio.gather(*waiting[1:]) == [False] * 5
    assert not await verify_password("x", None)


@pytest.mark.skipif(sys.platform != "linux", reason="threads have priorities of their own on Linux alone")
async def test_everybody_elses_work_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    priorities = []

    def noted(*_: bytes) -> bool:
        priorities.append(os.getpriority(os.PRIO_PROCESS, 0))
        return True

    monkeypatch.setattr(bcrypt, "checkpw", noted)
    ours = os.getpriority(os.PRIO_PROCESS, 0)
    await verify_password("x", None)
    assert priorities[0] > ours

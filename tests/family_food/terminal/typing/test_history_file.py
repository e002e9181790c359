from __future__ import annotations

import stat
from pathlib import Path

import pytest

from family_food.terminal.typing.history_file import MOST_LINES, HistoryFile, is_remembered, open_history


@pytest.mark.parametrize(
    "line",
    [
        " begun with a space",
        "\ttab",
        "",
        "   ",
        "/login henry",
        "see eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJoZW5yeSJ9.c2lnbmF0dXJlLW9mLWl0",
        "Authorization: bearer abc",
    ],
)
def test_secrets_and_lines_begun_with_a_space_are_not_remembered(line: str) -> None:
    assert not is_remembered(line)


@pytest.mark.parametrize("line", ["order fries", "/approve 1", "one\ntwo", "i paid 3.50.", "www.pizza.example"])
def test_anything_else_is(line: str) -> None:
    assert is_remembered(line)


def test_entries_come_back_with_their_lines_for_their_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "history"
    file = HistoryFile(path)
    for entry in ("first", "two\nlines", "+plus\n# hash", "crème \ud83d"):
        file.add(entry)
    assert HistoryFile(path).read() == ["first", "two\nlines", "+plus\n# hash", "crème ?"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_file_others_could_read_is_closed_to_them(tmp_path: Path) -> None:
    path = tmp_path / "history"
    path.touch(0o644)
    HistoryFile(path).add("first")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_link_leads_nowhere(tmp_path: Path) -> None:
    target = tmp_path / "target"
    path = tmp_path / "history"
    path.symlink_to(target)
    HistoryFile(path).add("first")
    assert not target.exists()


def test_a_file_that_cannot_be_used_is_no_reason_not_to_chat(tmp_path: Path) -> None:
    file = HistoryFile(tmp_path)  # a folder
    file.add("first")
    assert file.read() == []


def test_only_the_newest_of_a_long_history_are_read(tmp_path: Path) -> None:
    path = tmp_path / "history"
    path.write_text("".join(f"\n# then\n+line {number}\n" for number in range(MOST_LINES + 500)))
    read = HistoryFile(path).read()
    assert len(read) == MOST_LINES
    assert read[-1] == f"line {MOST_LINES + 499}"


async def test_the_input_line_remembers_each_line_once_in_a_row(tmp_path: Path) -> None:
    path = tmp_path / "history"
    HistoryFile(path).add("earlier")
    history = open_history(path)
    assert [line async for line in history.load()] == ["earlier"]
    for line in ("again", "again", " secret", "again"):
        history.append_string(line)
    assert [line async for line in history.load()] == ["again", "earlier"]
    assert HistoryFile(path).read() == ["earlier", "again"]

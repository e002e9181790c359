"""Files that hold a key."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from permit_core import private_file


def test_a_file_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "new folder" / "key"
    assert private_file.read_or_create(file, lambda: b"first") == b"first"
    assert private_file.read_or_create(file, lambda: b"second") == b"first"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert [left.name for left in file.parent.iterdir()] == ["key"]


def test_of_several_that_make_it_one_wins_and_all_read_the_same(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        read = list(
            pool.map(lambda n: private_file.read_or_create(tmp_path / "key", lambda: str(n).encode() * 1000), range(32))
        )
    assert len(set(read)) == 1


def test_one_that_is_there_or_too_large_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_bytes(b"x" * (private_file.LARGEST_BYTES + 1))
    with pytest.raises(FileExistsError):
        private_file.write_new(file, b"other")
    with pytest.raises(OSError, match="too large"):
        private_file.read(file)

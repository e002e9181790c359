"""Files that hold a secret of this account: keys, never anything beside them."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

LARGEST_BYTES = 65_536


def read_or_create(path: Path, make: Callable[[], bytes]) -> bytes:
    """The bytes of a private file; made, for its owner alone, when it is not there.

    Of several processes that make it at one moment one wins, and all of them get what it wrote.

    Args:
        path: the file; its folder is made, for the owner alone, when it is not there.
        make: gives the bytes of a new file.

    Raises:
        OSError: the file can be neither read nor made.
    """
    with suppress(FileNotFoundError):
        return read(path)
    with suppress(FileExistsError):
        write_new(path, make())
    return read(path)


def read(path: Path) -> bytes:
    """The bytes of the file.

    Raises:
        OSError: it is not there, cannot be read, or is far larger than a key.
    """
    with path.open("rb") as file:
        content = file.read(LARGEST_BYTES + 1)
    if len(content) > LARGEST_BYTES:
        raise OSError(f"{path} is too large to be a key")
    return content


def write_new(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Write a file that was not there; it is there whole, and on the disk, or not at all.

    Raises:
        FileExistsError: the file is there.
        OSError: it cannot be written.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)
    finally:
        draft.unlink()

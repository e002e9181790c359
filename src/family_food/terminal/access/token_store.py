"""Where a log-in is kept between two runs of the client: never on a command line, and never where others can read it."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from family_food.terminal.access import keyring_door
from family_food.terminal.access.state_folder import private_folder, state_folder
from family_food.terminal.connection.token_claims import is_somebody_elses
from family_food.terminal.connection.web import Grant
from family_food.terminal.problem import ChatProblem, Exit
from family_food.terminal.visible import one_line

_MAX_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class StoredLogin:
    """A log-in that is kept.

    Attributes:
        url: the server's address.
        user: log-in name.
        token: the access token; empty when the keyring has it.
        expires_at: seconds since 1970.
        lifetime: of the token, in seconds.
        saved_at: seconds since 1970.
        keyring: the token is in the keyring, not here.
    """

    url: str
    user: str
    token: str
    expires_at: float
    lifetime: float
    saved_at: float
    keyring: bool = False

    @property
    def grant(self) -> Grant:
        """The token and its life."""
        return Grant(self.token, self.expires_at, self.lifetime)


class TokenStore:
    """One file for each server and user, mode 0600; the token itself in the keyring where there is one that works."""

    async def keep(self, url: str, user: str, grant: Grant) -> str:
        """Store a log-in in place of the one before.

        Returns:
            Where it is now, for people.

        Raises:
            ChatProblem: it can be stored nowhere, or is somebody else's.
        """
        if is_somebody_elses(grant.token, user):
            raise ChatProblem(f"That log-in is not one of {one_line(user)}: it is not stored.", Exit.NOT_LOGGED_IN)
        in_keyring = await keyring_door.put(_account(url, user), grant.token)
        token = "" if in_keyring else grant.token
        login = StoredLogin(url, user, token, grant.expires_at, grant.lifetime, time.time(), in_keyring)
        try:
            path = private_folder() / _name(url, user)
            _write(path, json.dumps(asdict(login)))
        except OSError as error:
            raise ChatProblem(f"The log-in cannot be stored in {state_folder()}: {error.strerror}.") from error
        return "the keyring" if in_keyring else str(path)

    async def find(self, url: str, user: str | None = None) -> StoredLogin | None:
        """The stored log-in for a server; without a user the newest one. It may have expired.

        One whose token says that it is somebody else's is none.

        Raises:
            ChatProblem: the file could be read by others, so that nobody knows whose token it is (``NOT_LOGGED_IN``).
        """
        newest: StoredLogin | None = None
        for login in self._every():
            if login.url == url and user in (None, login.user) and (not newest or login.saved_at > newest.saved_at):
                newest = login
        if newest is not None and newest.keyring:
            token = await keyring_door.get(_account(newest.url, newest.user))
            newest = None if token is None else StoredLogin(**{**asdict(newest), "token": token})
        return None if newest is None or is_somebody_elses(newest.token, newest.user) else newest

    async def forget(self, url: str, user: str | None = None) -> list[str]:
        """Remove the stored log-in of a user, or of everybody, at a server.

        Returns:
            Whose were removed.
        """
        gone = []
        for path in self._files():
            with suppress(OSError, ValueError, TypeError, RecursionError, ChatProblem):
                login = _read(path, trusted=False)
                if login.url != url or user not in (None, login.user):
                    continue
                if login.keyring:
                    await keyring_door.remove(_account(login.url, login.user))
                path.unlink()
                gone.append(login.user)
        return gone

    def _every(self) -> Iterator[StoredLogin]:
        for path in self._files():
            with suppress(OSError, ValueError, TypeError, RecursionError):  # a file that is no log-in
                yield _read(path)

    @staticmethod
    def _files() -> list[Path]:
        with suppress(OSError):
            return sorted(state_folder().glob("token-*.json"))
        return []


def _account(url: str, user: str) -> str:
    return f"{user} at {url}"


def _name(url: str, user: str) -> str:
    return f"token-{hashlib.sha256(_account(url, user).encode()).hexdigest()[:16]}.json"


def _write(path: Path, text: str) -> None:
    """Replace a file at once and as a whole; nobody else can read it at any moment."""
    descriptor, temporary = tempfile.mkstemp(prefix=".token-", dir=path.parent)  # mode 0600
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(temporary).unlink()
        raise


def _read(path: Path, *, trusted: bool = True) -> StoredLogin:
    """Read a stored log-in.

    Args:
        path: the file.
        trusted: refuse one that somebody else owns or can read.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no stored log-in.
        ChatProblem: it is not private (``NOT_LOGGED_IN``).
    """
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
    with os.fdopen(descriptor, "rb") as file:
        facts = os.fstat(file.fileno())
        foreign = hasattr(os, "geteuid") and (facts.st_uid != os.geteuid() or bool(facts.st_mode & 0o077))
        if trusted and foreign:
            sentence = f"{path} can be read by others, so it is not used. Remove it and log in again: client.py --login"
            raise ChatProblem(sentence, Exit.NOT_LOGGED_IN)
        read: dict[str, Any] = json.loads(file.read(_MAX_BYTES))
    login = StoredLogin(**read)
    texts = (login.url, login.user, login.token)
    if not all(isinstance(text, str) for text in texts) or not isinstance(login.keyring, bool):
        raise ValueError(path)
    return StoredLogin(*texts, float(login.expires_at), float(login.lifetime), float(login.saved_at), login.keyring)

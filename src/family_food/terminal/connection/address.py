"""Where the server is."""

from __future__ import annotations

import os
import shlex
from urllib.parse import urlsplit

from family_food.terminal.visible import one_line

_USUAL_URL = "http://localhost:8000"


def usual_url() -> str:
    """The server that is meant when none is named."""
    return os.environ.get("PERMIT_CHAT_URL") or _USUAL_URL


def client_command(url: str, arguments: str) -> str:
    """A command for the shell that runs this program again, with the same server.

    Args:
        url: the server's; left out when it is the one that is meant anyway.
        arguments: the rest, as the shell takes it.
    """
    where = "" if url == usual_url().rstrip("/") else f" --url {shlex.quote(one_line(url))}"
    return f"uv run client.py{where} {arguments}"


def user_option(user: str) -> str:
    """The option that names a user, with a blank behind it; empty when nobody is to be named."""
    return f"--user {shlex.quote(one_line(user))} " if one_line(user) else ""


def log_in_again(url: str, user: str = "") -> str:
    """How to log in at this server, as a sentence.

    Args:
        url: the server's.
        user: who is to log in; empty when that is not known.
    """
    return f"Log in with: {client_command(url, f'{user_option(user)}--login')}"


def checked_url(url: str) -> str:
    """The server's base address without a closing slash.

    Raises:
        ValueError: not an ``http://`` or ``https://`` address, or one with a name and a password in it, which are not told
            again.
    """
    if "@" in url:
        raise ValueError("The server's address holds no name and no password: --user NAME says who you are")
    parts = urlsplit(url.strip())
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError(f"{one_line(url)!r} is not an address like http://localhost:8000")
    _ = parts.port  # raises ValueError when it is no port
    return url.strip().rstrip("/")


def is_loopback(url: str) -> bool:
    """True when the address means this computer."""
    host = (urlsplit(url).hostname or "").rstrip(".")
    return host in {"localhost", "::1"} or host.startswith("127.")


def websocket_url(url: str) -> str:
    """The WebSocket address that belongs to an HTTP one."""
    return "ws" + url.removeprefix("http")

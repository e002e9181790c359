"""Where the server is."""

from __future__ import annotations

from urllib.parse import urlsplit

from family_food.terminal.visible import one_line


def checked_url(url: str) -> str:
    """The server's base address without a closing slash.

    Raises:
        ValueError: not an ``http://`` or ``https://`` address.
    """
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

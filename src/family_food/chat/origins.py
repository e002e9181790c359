"""Which web pages may open the chat. Programs that are no browsers send no Origin, and are none of this."""

from __future__ import annotations

from urllib.parse import urlsplit

_PORTS = {"http": 80, "https": 443}


def origin_allowed(origin: str | None, host: str | None, allowed_origins: str) -> bool:
    """Whether a page of ``origin`` may speak to us.

    Args:
        origin: the Origin header; None when there is none.
        host: the Host header the browser sent along.
        allowed_origins: ALLOWED_ORIGINS, comma-separated.
    """
    if origin is None:
        return True
    place = _place(origin)
    if place is None:
        return False
    allowed = {_place(entry.strip()) for entry in allowed_origins.split(",") if entry.strip()}
    if place in allowed:
        return True
    scheme, name, port = place
    return host is not None and _place(f"{scheme}://{host}") == (scheme, name, port)


def _place(origin: str) -> tuple[str, str, int] | None:
    """Scheme, host and port; None for what is no web origin ('null', a file, nonsense)."""
    try:
        parts = urlsplit(origin)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return None
    return parts.scheme, parts.hostname, port or _PORTS[parts.scheme]

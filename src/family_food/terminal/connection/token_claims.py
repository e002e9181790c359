"""What a token says of itself. It is read, not verified: only the server can do that."""

from __future__ import annotations

import base64
import json
from typing import Any


def token_user(token: str) -> str:
    """Whose token it is, as a log-in name; empty when it does not say."""
    user = _claims(token).get("sub")
    return user if isinstance(user, str) else ""


def token_end(token: str) -> float | None:
    """When it is over, seconds since 1970; None when it does not say."""
    end = _claims(token).get("exp")
    return float(end) if isinstance(end, int | float) and not isinstance(end, bool) else None


def is_somebody_elses(token: str, user: str) -> bool:
    """Whether a token says that it is not this user's. One that says nothing is nobody else's."""
    return token_user(token) not in ("", user)


def _claims(token: str) -> dict[str, Any]:
    parts = token.split(".")
    if len(parts) != 3:
        return {}
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (ValueError, RecursionError):
        return {}
    return claims if isinstance(claims, dict) else {}

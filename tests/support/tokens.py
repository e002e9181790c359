"""Tokens that say whose they are, which no server would take."""

from __future__ import annotations

import base64
import json


def token_of(user: str, **claims: object) -> str:
    """A token of this user, signed by nobody."""
    parts = ({"alg": "none"}, {"sub": user, **claims})
    words = (base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts)
    return ".".join([*words, "nobody"])

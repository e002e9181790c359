"""The secrets of API keys: long and random, of which only a handle and the SHA-256 are kept."""

from __future__ import annotations

import hashlib
import secrets

PREFIX = "permit_key_"
_HANDLE = 12  # characters; they are no secret, the others are
_BYTES = 64  # a key has 97 characters then: Permit.io's command line refuses shorter ones before it calls


def new_secret() -> tuple[str, str, str]:
    """A new key, its handle, and the digest that is kept of it."""
    secret = PREFIX + secrets.token_urlsafe(_BYTES)
    return secret, handle_of(secret), digest_of(secret)


def handle_of(secret: str) -> str:
    """The part of a key by which it is found."""
    return secret[len(PREFIX) : len(PREFIX) + _HANDLE]


def digest_of(secret: str) -> str:
    """What is kept of a key, or of any long and random token: a plain SHA-256 is enough for those."""
    return hashlib.sha256(secret.encode()).hexdigest()

"""Why a session, or a window of one, ends."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CloseReason:
    """The close code, and what the person is told. Without words the client has left, and nobody is told."""

    code: int
    words: str = ""


CLIENT_LEFT = CloseReason(1000)
ABANDONED = CloseReason(1006)
"""The connection was lost and nobody came back; or the session's place was needed."""
TOO_SLOW = CloseReason(1008)
TOKEN_EXPIRED = CloseReason(1008, "Your log-in has expired. Log in again.")
MOVED = CloseReason(1000, "This conversation goes on in another window.")
SHUTDOWN = CloseReason(1001, "The server is shutting down. Come back in a moment.")

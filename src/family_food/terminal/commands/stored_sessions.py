"""The person's stored conversations, and the numbers they are called by."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

Summary = Mapping[str, Any]


class StoredSessions:
    """Conversations as the server last listed them.

    Args:
        get: asks the server: ``{conversations: [...], total}``, newest first.
    """

    def __init__(self, get: Callable[[], Awaitable[Mapping[str, Any]]]) -> None:
        self._get = get
        self._shown: list[str] = []
        self.listed: list[Summary] = []
        self.fetched = False

    async def fetch(self) -> int:
        """Ask the server; returns how many there are in all.

        Raises:
            ChatProblem: it would not tell.
        """
        answer = await self._get()
        found = answer.get("conversations")
        self.listed = [one for one in found if isinstance(one, Mapping)] if isinstance(found, list) else []
        self.fetched = True
        total = answer.get("total")
        return total if isinstance(total, int) else len(self.listed)

    def shown(self) -> list[Summary]:
        """All of them, in the order a numbered list shows them; the numbers stay until next time."""
        self._shown = [str(one.get("id")) for one in self.listed]
        return self.listed

    def find(self, word: str) -> str | None:
        """The id that a number of the last list, an id, or the beginning of just one id means."""
        word = word.strip()
        if word.isascii() and word.isdigit() and len(word) < 5:
            numbered = self._shown or [str(one.get("id")) for one in self.listed]
            number = int(word)
            return numbered[number - 1] if 0 < number <= len(numbered) else None
        ids = [str(one.get("id")) for one in self.listed]
        if word in ids:
            return word
        fitting = [one for one in ids if word and one.startswith(word)]
        return fitting[0] if len(fitting) == 1 else None

    def title(self, session_id: str) -> str:
        """Its name; empty when it has none."""
        return next((str(one.get("title") or "") for one in self.listed if one.get("id") == session_id), "")

    def forget(self, session_id: str) -> None:
        """It was deleted. The numbers of the others stay as they were shown."""
        self.listed = [one for one in self.listed if one.get("id") != session_id]

"""The person's stored conversations, and the numbers they are called by."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import Any, Protocol

from family_food.terminal.visible import one_line

PAGE = 20
_LARGEST_PAGE, _MOST_PAGES = 100, 20

Summary = Mapping[str, Any]


class _Get(Protocol):
    def __call__(self, page: int, per_page: int) -> Awaitable[Mapping[str, Any]]: ...


class StoredSessions:
    """Conversations as the server last listed them.

    Args:
        get: asks the server for a page: ``{conversations: [...], total}``, newest first.

    Attributes:
        listed: those of the page that was fetched last, or that were looked for last.
        fetched: the server was asked.
    """

    def __init__(self, get: _Get) -> None:
        self._get = get
        self._first = 1
        self._shown: dict[int, str] = {}
        self._known: dict[str, Summary] = {}
        self.listed: list[Summary] = []
        self.fetched = False

    async def fetch(self, page: int = 1) -> int:
        """Ask the server for a page of :data:`PAGE`; returns how many conversations there are in all.

        Raises:
            ChatProblem: it would not tell.
        """
        self.listed, total = await self._page(page, PAGE)
        self._first = (page - 1) * PAGE + 1
        return total

    async def search(self, words: str) -> list[Summary]:
        """Those whose name has all of these words, the newest first, whatever their page.

        Raises:
            ChatProblem: as :meth:`fetch`.
        """
        every: list[Summary] = []
        for page in range(1, _MOST_PAGES + 1):
            found, total = await self._page(page, _LARGEST_PAGE)
            every += found
            if not found or len(every) >= total:
                break
        wanted = words.lower().split()
        self.listed = [one for one in every if all(word in one_line(one.get("title")).lower() for word in wanted)]
        self._first = 1
        return self.listed

    def shown(self) -> list[tuple[int, Summary]]:
        """All of them with their numbers, in the order a list shows them; the numbers stay until next time."""
        numbered = list(enumerate(self.listed, self._first))
        self._shown = {number: str(one.get("id")) for number, one in numbered}
        return numbered

    def numbered(self) -> list[tuple[int, Summary]]:
        """Those that :meth:`find` knows by a number."""
        if not self._shown:
            return list(enumerate(self.listed, self._first))
        return [(number, self._known[name]) for number, name in self._shown.items() if name in self._known]

    def find(self, word: str) -> str | None:
        """The id that a number of the last list, an id, or the beginning of just one id means."""
        word = word.strip()
        if word.isascii() and word.isdigit() and len(word) < 5:
            number = int(word)
            return next((str(one.get("id")) for this, one in self.numbered() if this == number), None)
        if word in self._known:
            return word
        fitting = [one for one in self._known if word and one.startswith(word)]
        return fitting[0] if len(fitting) == 1 else None

    def title(self, session_id: str) -> str:
        """Its name; empty when it has none."""
        return str(self._known.get(session_id, {}).get("title") or "")

    def forget(self, session_id: str) -> None:
        """It was deleted. The numbers of the others stay as they were shown."""
        self._known.pop(session_id, None)
        self.listed = [one for one in self.listed if one.get("id") != session_id]

    async def _page(self, page: int, per_page: int) -> tuple[list[Summary], int]:
        answer = await self._get(page, per_page)
        found = answer.get("conversations")
        listed = [one for one in found if isinstance(one, Mapping)] if isinstance(found, list) else []
        self._known.update((str(one.get("id")), one) for one in listed)
        self.fetched = True
        total = answer.get("total")
        return listed, total if isinstance(total, int) else len(listed)

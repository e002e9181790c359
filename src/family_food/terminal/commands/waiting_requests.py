"""The requests that wait for a decision, and the numbers a person calls them by."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from family_food.terminal.visible import one_line

View = Mapping[str, Any]

_LEAST_OF_AN_ID = 4  # letters; less is taken for a word


class WaitingRequests:
    """Pending requests as the server last told, and the numbers they were last shown with.

    Attributes:
        mine: what the person asked for, oldest first.
        to_decide: what others asked for and the person may decide, oldest first.
        told: ids of those that a notice has told of.
    """

    def __init__(self) -> None:
        self.mine: list[View] = []
        self.to_decide: list[View] = []
        self.told: set[str] = set()
        self._shown: list[str] = []

    def update(self, items: Iterable[object], own_name: str) -> None:
        """Take over a listing of pending requests.

        Args:
            items: RequestViews as JSON.
            own_name: the person's name, as the server's hello has it.
        """
        views = [item for item in items if isinstance(item, Mapping) and item.get("status") == "pending"]
        views.sort(key=lambda view: one_line(view.get("created_at")))
        self.mine = [view for view in views if view.get("requesting_user") == own_name]
        self.to_decide = [view for view in views if view.get("requesting_user") != own_name]

    @property
    def untold(self) -> bool:
        """Whether there is one for the person to decide that no notice has told of."""
        return any(str(view.get("id")) not in self.told for view in self.to_decide)

    def news(self, view: object, own_name: str) -> None:
        """Follow a request that was made or decided."""
        if not isinstance(view, Mapping) or not view.get("id"):
            return
        rest = [known for known in (*self.mine, *self.to_decide) if known.get("id") != view.get("id")]
        self.update([*rest, view], own_name)

    def shown(self) -> list[View]:
        """All of them, as a numbered list shows them: what waits for the person first. The numbers stay until next time."""
        views = [*self.to_decide, *self.mine]
        self._shown = [str(view.get("id")) for view in views]
        return views

    def numbered(self) -> list[tuple[int, View]]:
        """What the person may decide, with the numbers that :meth:`find` takes."""
        shown = self._shown or [str(view.get("id")) for view in self.to_decide]
        return [(shown.index(str(view.get("id"))) + 1, view) for view in self.to_decide if str(view.get("id")) in shown]

    def is_named_by(self, word: str) -> bool:
        """Whether a word is meant for a number or an id, be it a wrong one, and not for the first word of a comment."""
        ids = (str(view.get("id")) for view in (*self.to_decide, *self.mine))
        begins_one = len(word) >= _LEAST_OF_AN_ID and any(one.startswith(word) for one in ids)
        return word == "" or self._is_number(word) or word.startswith("req_") or begins_one

    @staticmethod
    def _is_number(word: str) -> bool:
        return word.isascii() and word.isdigit() and len(word) < 5

    def find(self, word: str) -> View | None:
        """The request that a number of the last list, an id, or the beginning of just one id means."""
        views = [*self.to_decide, *self.mine]
        if self._is_number(word):
            shown = self._shown or [str(view.get("id")) for view in views]
            number = int(word)
            wanted = shown[number - 1] if 0 < number <= len(shown) else None
            return next((view for view in views if view.get("id") == wanted), None)
        fitting = [view for view in views if str(view.get("id")).startswith(word)]
        exact = [view for view in fitting if view.get("id") == word]
        found = exact or fitting
        return found[0] if word and len(found) == 1 else None

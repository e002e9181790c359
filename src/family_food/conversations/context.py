"""What a model is shown of a conversation: a bounded part of the record, which itself stays whole.

While there is room, everything. Then the results of old calls are folded: a short note stands in their place. Then
old turns become a :class:`family_food.messages.Recap`. Each time, more room is made than is needed at once, so that
what a model sees changes only now and then, and a turn costs the same in a long conversation as in a short one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any

from family_food.conversations.recap import Recollection, order_in, request_in
from family_food.messages import Entry, EventMessage, Recap, Shown, ToolResult, ToolResults, UserMessage

KEPT_WHOLE = 3
"""This many of the last turns are not touched as long as there is room for them."""

_ROOMY = 0.6  # of what there is room for; shrinking stops here
_HOPELESS = 3  # times what there is room for: folding would not help, as when a long conversation is loaded
_RECAP_SHARE = 0.2  # of what there is room for; the most a recap takes
_SMALL = 400  # characters; a result of no more stays as it is
_FOLDED = "This answer was left out to keep the conversation short. Call the tool again if you need it."


class _Turn:
    """The entries of one turn as they are shown, and how large they are."""

    def __init__(self) -> None:
        self.shown: list[Entry] = []
        self.sizes: list[int] = []
        self.size = 0

    @property
    def answered(self) -> bool:
        return bool(self.shown) and not _opens(self.shown[-1])

    def add(self, entry: Entry, size: int) -> None:
        self.shown.append(entry)
        self.sizes.append(size)
        self.size += size

    def fold(self, *, but_last: bool = False, until: float = 0) -> None:
        """Fold its results, oldest first, until it is no larger than ``until``; ``but_last``: not those of its end."""
        places = [place for place, entry in enumerate(self.shown) if isinstance(entry, ToolResults)]
        for place in places[:-1] if but_last else places:
            if self.size <= until:
                return
            entry = self.shown[place]
            if isinstance(entry, ToolResults):
                folded = _folded(entry)
                size = size_of(folded) if folded is not entry else self.sizes[place]
                self.size += size - self.sizes[place]
                self.shown[place], self.sizes[place] = folded, size


class Context:
    """Takes in the entries of a conversation as they come, and answers what a model is shown.

    Args:
        chars: about how many characters that may be, counted as the entries are stored.
    """

    def __init__(self, chars: int) -> None:
        self.chars = chars
        self._recap = Recollection(int(chars * _RECAP_SHARE))
        self._recapped: Recap | None = None
        self._turns: deque[_Turn] = deque()
        self._folded = 0  # this many of the first turns
        self._size = 0  # of the turns
        self._shown: list[Shown] = []
        self._grown = False

    def add(self, entries: Iterable[Entry], sizes: Iterable[int] = ()) -> None:
        """Take in more entries.

        Args:
            entries: those after the last.
            sizes: how many characters each of the first of them is, as far as that is known.
        """
        known = iter(sizes)
        for entry in entries:
            if not self._turns or (_opens(entry) and self._turns[-1].answered):
                self._turns.append(_Turn())
            size = next(known, 0) or size_of(entry)
            self._turns[-1].add(entry, size)
            self._size += size
            self._shown.append(entry)
            self._grown = True

    def shown(self) -> Sequence[Shown]:
        """What a model is shown now. It begins with a recap, a person's words or an event."""
        if self._grown and self._total > self.chars:
            self._fit()
            recap = [self._recapped] if self._recapped else []
            self._shown = [*recap, *(entry for turn in self._turns for entry in turn.shown)]
        self._grown = False
        return tuple(self._shown)

    @property
    def _total(self) -> int:
        return self._size + self._recap.size

    def _fit(self) -> None:
        self._make_room(self.chars * _ROOMY, keep=KEPT_WHOLE)
        if self._total > self.chars:
            self._make_room(self.chars, keep=1)
        if self._total > self.chars:
            self._shorten_last()
        if self._recap.turns != (self._recapped.turns if self._recapped else 0):
            self._recapped = self._recap.recap()

    def _make_room(self, enough: float, keep: int) -> None:
        """Fold, then sum up, the oldest turns, but not the last few."""
        while self._total > _HOPELESS * self.chars and len(self._turns) > keep:
            self._sum_up_oldest()
        while self._total > enough and self._folded < len(self._turns) - keep:
            turn = self._turns[self._folded]
            self._size -= turn.size
            turn.fold()
            self._size += turn.size
            self._folded += 1
        while self._total > enough and len(self._turns) > keep:
            self._sum_up_oldest()

    def _sum_up_oldest(self) -> None:
        turn = self._turns.popleft()
        self._folded = max(0, self._folded - 1)
        self._size -= turn.size
        self._recap.take(turn.shown)

    def _shorten_last(self) -> None:
        """A single turn that is too large gives up its older results, and at last the newest."""
        last = self._turns[-1]
        self._size -= last.size
        room = self.chars - self._recap.size
        last.fold(but_last=True, until=room)
        last.fold(until=room)
        self._size += last.size


def size_of(entry: Entry) -> int:
    """How large an entry is: the characters it is stored in."""
    return len(entry.model_dump_json())


def _opens(entry: Entry) -> bool:
    return isinstance(entry, UserMessage | EventMessage)


def _folded(results: ToolResults) -> ToolResults:
    folded = [_fold(result) for result in results.results]
    return results if folded == results.results else ToolResults(results=folded)


def _fold(result: ToolResult) -> ToolResult:
    """A note in place of a large result. Orders and requests are what the conversation is about: they stay."""
    if order_in(result) or request_in(result) or size_of(ToolResults(results=[result])) <= _SMALL:
        return result
    note: dict[str, Any] = {"left_out": _FOLDED}
    error = result.content.get("error")
    if isinstance(error, dict):
        note = {"error": {"code": str(error.get("code", ""))[:60], "message": _FOLDED}}
    elif held := {name[:60]: len(value) for name, value in result.content.items() if isinstance(value, list)}:
        note["held"] = dict(list(held.items())[:5])
    return result.model_copy(update={"content": note})

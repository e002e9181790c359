"""Commands about requests and orders. The server answers them from what is stored; no model takes part."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from family_food.terminal.commands.registry import Command
from family_food.terminal.commands.waiting_requests import View
from family_food.terminal.display.listing_tables import listing_table
from family_food.terminal.visible import one_line

if TYPE_CHECKING:
    from family_food.terminal.chat import Chat

MOST_COMMENT = 2000
_COLUMNS = ["#", "Who", "What", "Terms", "Reason", "Expires"]
_STATUS = 4  # the column of a listing that says of every one of these that it is pending


async def pending(chat: Chat, _: str) -> None:
    """/pending."""
    await chat.refresh_requests()
    _show_waiting(chat)


def _show_waiting(chat: Chat) -> None:
    views = chat.waiting.shown()
    if not views:
        chat.screen.aside("Nothing waits for a decision.")
        return
    decide = len(chat.waiting.to_decide)
    if decide:
        chat.screen.table("Waiting for your decision", _COLUMNS, _rows(views[:decide], 1))
    if views[decide:]:
        chat.screen.table("You are waiting for", _COLUMNS, _rows(views[decide:], decide + 1))
    if decide:
        chat.screen.aside("/approve N [comment] or /deny N [comment] decides one.")


def _rows(views: Sequence[View], first: int) -> list[list[str]]:
    _, _, rows = listing_table({"what": "requests", "items": list(views)})
    return [[str(number), *row[:_STATUS], *row[_STATUS + 1 :]] for number, row in enumerate(rows, first)]


async def approve(chat: Chat, arguments: str) -> None:
    """/approve."""
    await _decide(chat, "approve", arguments)


async def deny(chat: Chat, arguments: str) -> None:
    """/deny."""
    await _decide(chat, "deny", arguments)


async def _decide(chat: Chat, verb: str, arguments: str) -> None:
    word, _, comment = arguments.partition(" ")
    comment = one_line(comment)
    if len(comment) > MOST_COMMENT:
        chat.screen.trouble(f"A comment has at most {MOST_COMMENT} characters; nothing was decided.")
        return
    await chat.refresh_requests()
    to_decide = chat.waiting.to_decide
    if word.lower() == "all":
        chosen = list(to_decide)
    elif not word:
        chosen = list(to_decide) if len(to_decide) == 1 else []
    else:
        found = chat.waiting.find(word)
        if found is None:
            chat.screen.trouble(f"No request {one_line(word)[:60]} waits for a decision. /pending lists them.")
            return
        if found in chat.waiting.mine:
            chat.screen.trouble("That is your own request: somebody else decides it.")
            return
        chosen = [found]
    if not chosen:
        _show_waiting(chat)
        return
    for number, view in enumerate(chosen, 1):
        await _decide_one(chat, verb, view, comment, number=number, total=len(chosen) if word.lower() == "all" else 0)


async def _decide_one(chat: Chat, verb: str, view: View, comment: str, *, number: int, total: int) -> None:
    """Show a stored request and ask; send the decision only after a yes."""
    if not total:  # one of those that wait
        ids = [one.get("id") for one in chat.waiting.to_decide]
        number, total = ids.index(view.get("id")) + 1, len(ids)
    if not await chat.questions.decide(verb, view, comment, number=number, total=total):
        chat.screen.aside("Nothing was decided.")
        return
    frame: dict[str, Any] = {"kind": view.get("kind"), "request_id": view.get("id"), "verb": verb, "comment": comment}
    decided = await chat.ask(type="decide", **frame)
    chat.waiting.news(decided.get("request"), chat.own_name)
    chat.screen.show(decided)
    chat.look_around()


async def orders(chat: Chat, _: str) -> None:
    """/orders."""
    chat.screen.show(await chat.ask(type="list", what="orders"))


COMMANDS = (
    Command("/pending", "", "what waits for your decision, and what you wait for", pending),
    Command("/approve", "[N|ID|all] [comment]", "approve a request, after a look at it", approve, completes="requests"),
    Command("/deny", "[N|ID|all] [comment]", "deny a request, after a look at it", deny, completes="requests"),
    Command("/orders", "", "what was ordered", orders),
)

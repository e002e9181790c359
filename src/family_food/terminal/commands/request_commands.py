"""Commands about requests and orders. The server answers them from what is stored; no model takes part."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from family_food.terminal.commands.registry import Command
from family_food.terminal.commands.waiting_requests import View
from family_food.terminal.display.listing_tables import listing_table
from family_food.terminal.problem import ChatProblem, Exit
from family_food.terminal.visible import one_line

if TYPE_CHECKING:
    from family_food.terminal.context import ChatContext

MOST_COMMENT = 2000
_COLUMNS = ["#", "Who", "What", "Terms", "Reason", "Expires"]
_STATUS = 4  # the column of a listing that says of every one of these that it is pending


async def pending(chat: ChatContext, _: str) -> None:
    """/pending."""
    await chat.refresh_requests()
    _show_waiting(chat)


def _show_waiting(chat: ChatContext) -> None:
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


async def approve(chat: ChatContext, arguments: str) -> None:
    """/approve."""
    await _decide(chat, "approve", arguments)


async def deny(chat: ChatContext, arguments: str) -> None:
    """/deny."""
    await _decide(chat, "deny", arguments)


async def _decide(chat: ChatContext, verb: str, arguments: str) -> None:
    await chat.refresh_requests()
    to_decide = chat.waiting.to_decide
    word, _, comment = arguments.partition(" ")
    if len(to_decide) == 1 and word.lower() != "all" and not chat.waiting.is_named_by(word):
        word, comment = "", arguments  # there is nothing to choose: all of it is the comment
    comment = one_line(comment)
    if len(comment) > MOST_COMMENT:
        chat.screen.trouble(f"A comment has at most {MOST_COMMENT} characters; nothing was decided.")
        return
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
    if word.lower() == "all":
        await _decide_all(chat, verb, chosen, comment)
    else:
        ids = [one.get("id") for one in to_decide]
        number = ids.index(chosen[0].get("id")) + 1
        if not await _decide_one(chat, verb, chosen[0], comment, number=number, total=len(ids)):
            chat.screen.aside("Nothing was decided.")


async def _decide_all(chat: ChatContext, verb: str, chosen: Sequence[View], comment: str) -> None:
    """Ask about one after the other, until the person would rather not be asked, or nobody hears the answers."""
    total = left = len(chosen)
    for number, view in enumerate(chosen, 1):
        try:
            yes = await _decide_one(chat, verb, view, comment, number=number, total=total)
        except ChatProblem as problem:  # such as: somebody else was faster
            chat.screen.trouble(problem.sentence)
            if problem.exit_code is Exit.UNREACHABLE:
                break
            left -= 1
            continue
        if yes is None:
            break
        left -= yes
        if not yes:
            chat.screen.aside("Nothing was decided.")
    else:
        return
    chat.screen.aside(f"{left} of {total} are left undecided.")


async def _decide_one(
    chat: ChatContext, verb: str, view: View, comment: str, *, number: int, total: int
) -> bool | None:
    """Show a stored request and ask; send the decision only after a yes.

    Returns:
        Whether it is decided; None when the person would rather not answer.

    Raises:
        ChatProblem: the server refused, or cannot be reached now.
    """
    yes = await chat.questions.decide(verb, view, comment, number=number, total=total)
    if not yes:
        return yes
    if not chat.turns.linked:
        sentence = "Nothing was decided: there is no connection now. Try again when it is back."
        raise ChatProblem(sentence, Exit.UNREACHABLE)
    frame: dict[str, Any] = {"kind": view.get("kind"), "request_id": view.get("id"), "verb": verb, "comment": comment}
    try:
        decided = await chat.ask(type="decide", **frame)
    except ChatProblem as problem:
        if problem.exit_code is not Exit.UNREACHABLE:
            raise
        sentence = f"{problem.sentence} Whether it was decided is not known: /pending tells what still waits."
        raise ChatProblem(sentence, Exit.UNREACHABLE) from problem
    chat.waiting.news(decided.get("request"), chat.own_name)
    chat.screen.show(decided)
    chat.look_around()
    return True


async def orders(chat: ChatContext, _: str) -> None:
    """/orders."""
    chat.screen.show(await chat.ask(type="list", what="orders"))


COMMANDS = (
    Command("/pending", "", "what waits for your decision, and what you wait for", pending),
    Command("/approve", "[N|ID|all] [comment]", "approve a request, after a look at it", approve, completes="requests"),
    Command("/deny", "[N|ID|all] [comment]", "deny a request, after a look at it", deny, completes="requests"),
    Command("/orders", "", "what was ordered", orders),
)

"""Completion for prompt_toolkit's input line."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

from family_food.terminal.display.approval_facts import wish
from family_food.terminal.problem import ChatProblem
from family_food.terminal.typing.completion import Offer, argument, argument_offers, command_offers
from family_food.terminal.visible import one_line

if TYPE_CHECKING:
    from prompt_toolkit.completion import CompleteEvent, Completer, Completion
    from prompt_toolkit.document import Document

    from family_food.terminal.chat import Chat

_FETCH_SECONDS = 2.0


def line_completer(chat: Chat) -> Completer:
    """Offers commands and their arguments while they are typed, names of restaurants and dishes at Tab."""
    from prompt_toolkit.completion import Completer, Completion

    class LineCompleter(Completer):
        def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
            for offer in _offers(chat, document.text_before_cursor, asked=complete_event.completion_requested):
                yield Completion(offer.text, -offer.replaces, display=offer.text.rstrip(), display_meta=offer.meaning)

        async def get_completions_async(
            self, document: Document, complete_event: CompleteEvent
        ) -> AsyncGenerator[Completion, None]:
            await _prepare(chat, document.text_before_cursor)
            for completion in self.get_completions(document, complete_event):
                yield completion

    return LineCompleter()


async def _prepare(chat: Chat, text: str) -> None:
    """Fetch the conversations when they are first needed; wait for the menu, which is on its way."""
    found = argument(chat.commands, text)
    with suppress(ChatProblem, TimeoutError):
        async with asyncio.timeout(_FETCH_SECONDS):
            if found is not None and found[0].completes == "sessions" and not chat.sessions.fetched:
                await chat.sessions.fetch()
            elif not text.startswith("/"):
                await chat.names.known.wait()


def _offers(chat: Chat, text: str, *, asked: bool) -> list[Offer]:
    if text.startswith("/"):
        if " " not in text and "\n" not in text:
            return command_offers(chat.commands, text)
        found = argument(chat.commands, text)
        if found is not None:
            return argument_offers(_choices(chat, found[0].completes), found[1])
    return chat.names.offers(text) if asked else []


def _choices(chat: Chat, kind: str) -> list[tuple[str, str]]:
    match kind:
        case "requests":
            found = [
                (number, str(view.get("id")), f"{one_line(view.get('requesting_user'))}: {wish(view)}")
                for number, view in chat.waiting.numbered()
            ]
            return [*((str(number), about) for number, _, about in found), *((name, about) for _, name, about in found)]
        case "sessions":
            known = [
                (number, str(one.get("id")), one_line(one.get("title"))) for number, one in chat.sessions.numbered()
            ]
            return [*((str(number), title) for number, _, title in known), *((name, title) for _, name, title in known)]
        case "formats":
            return [("md", "Markdown"), ("json", "JSON")]
        case "commands":
            return [(command.name.lstrip("/"), command.help) for command in chat.commands.all]
    return []

"""Completion for prompt_toolkit's input line."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from family_food.terminal.display.approval_facts import wish
from family_food.terminal.problem import ChatProblem
from family_food.terminal.typing.completion import MOST_OFFERED, Offer
from family_food.terminal.visible import one_line

if TYPE_CHECKING:
    from prompt_toolkit.completion import CompleteEvent, Completer, Completion
    from prompt_toolkit.document import Document

    from family_food.terminal.commands.registry import Command, Commands
    from family_food.terminal.context import ChatContext

_FETCH_SECONDS = 2.0


def line_completer(chat: ChatContext, commands: Commands) -> Completer:
    """Offers commands and their arguments while they are typed, names of restaurants and dishes at Tab."""
    from prompt_toolkit.completion import Completer, Completion

    class LineCompleter(Completer):
        def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
            for offer in _offers(
                chat, commands, document.text_before_cursor, asked=complete_event.completion_requested
            ):
                yield Completion(offer.text, -offer.replaces, display=offer.text.rstrip(), display_meta=offer.meaning)

        async def get_completions_async(
            self, document: Document, complete_event: CompleteEvent
        ) -> AsyncGenerator[Completion, None]:
            await _prepare(chat, commands, document.text_before_cursor)
            for completion in self.get_completions(document, complete_event):
                yield completion

    return LineCompleter()


async def _prepare(chat: ChatContext, commands: Commands, text: str) -> None:
    """Fetch the conversations when they are first needed; wait for the menu, which is on its way."""
    found = argument(commands, text)
    with suppress(ChatProblem, TimeoutError):
        async with asyncio.timeout(_FETCH_SECONDS):
            if found is not None and found[0].completes == "sessions" and not chat.sessions.fetched:
                await chat.sessions.fetch()
            elif not text.startswith("/"):
                await chat.names.known.wait()


def _offers(chat: ChatContext, commands: Commands, text: str, *, asked: bool) -> list[Offer]:
    if text.startswith("/"):
        if " " not in text and "\n" not in text:
            return command_offers(commands, text)
        found = argument(commands, text)
        if found is not None:
            return argument_offers(_choices(chat, commands, found[0].completes), found[1])
    return chat.names.offers(text) if asked else []


def _choices(chat: ChatContext, commands: Commands, kind: str) -> list[tuple[str, str]]:
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
            return [(command.name.lstrip("/"), command.help) for command in commands.all]
    return []


def command_offers(commands: Commands, text: str) -> list[Offer]:
    """Commands whose name begins with the text."""
    typed = text.lower()
    return [
        Offer(command.name + (" " if command.takes else ""), len(text), command.help)
        for command in commands.all
        if command.name.startswith(typed)
    ]


def argument(commands: Commands, text: str) -> tuple[Command, str] | None:
    """The command whose first argument is being typed, and what there is of it; None when it is something else."""
    word, space, typed = text.partition(" ")
    command = commands.named(word) if space and word.startswith("/") else None
    typed = typed.lstrip(" ")
    return (command, typed) if command is not None and " " not in typed and "\n" not in typed else None


def argument_offers(choices: Sequence[tuple[str, str]], typed: str) -> list[Offer]:
    """The choices that begin with what was typed.

    Args:
        choices: pairs of text and meaning.
        typed: the beginning.
    """
    lower = typed.lower()
    found = [(text, meaning) for text, meaning in choices if text.lower().startswith(lower)]
    return [Offer(text, len(typed), meaning) for text, meaning in found[:MOST_OFFERED]]

"""Commands about stored conversations."""

from __future__ import annotations

import asyncio
import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from family_food.terminal.commands.registry import Command
from family_food.terminal.commands.stored_sessions import PAGE
from family_food.terminal.display.moments import shown_time
from family_food.terminal.problem import ChatProblem
from family_food.terminal.visible import one_line

if TYPE_CHECKING:
    from family_food.terminal.context import ChatContext

FORMATS = {"md": "markdown", "markdown": "markdown", "json": "json"}


async def sessions(chat: ChatContext, arguments: str) -> None:
    """/sessions: a page of them, or those with a name like that."""
    if arguments and not _is_number(arguments):
        if not await chat.sessions.search(arguments):
            chat.screen.aside("No conversation has a name like that.")
            return
        _show_listed(chat)
        return
    page = max(int(arguments or 1), 1)
    total = await chat.sessions.fetch(page)
    if not chat.sessions.listed:
        there = f"There is no page {page}: {total} conversations are stored." if total else ""
        chat.screen.aside(there or "No conversations are stored yet.")
        return
    _show_listed(chat, total - page * PAGE, page + 1)


def _show_listed(chat: ChatContext, older: int = 0, next_page: int = 0) -> None:
    rows = [
        [
            str(number),
            one_line(one.get("title")) or "(no name)",
            str(one.get("turns", "")),
            shown_time(one.get("updated_at")),
            one_line(one.get("id")) + (" (this one)" if one.get("id") == chat.session_id else ""),
        ]
        for number, one in chat.sessions.shown()
    ]
    chat.screen.table("Conversations", ["#", "name", "turns", "last used", "id"], rows)
    if older > 0:
        ones = "one older one" if older == 1 else f"{older} older ones"
        chat.screen.aside(f"There {'is' if older == 1 else 'are'} {ones}: /sessions {next_page}, or /sessions WORDS.")
    chat.screen.aside("/resume N goes on with one.")


async def new(chat: ChatContext, _: str) -> None:
    """/new."""
    await chat.switch(None)


async def resume(chat: ChatContext, arguments: str) -> None:
    """/resume: go on with another conversation here."""
    if not arguments:
        await sessions(chat, "")
        return
    wanted = await _named(chat, arguments) or await _titled(chat, arguments)
    if wanted is None:
        return
    if wanted == chat.session_id:
        chat.screen.aside("You are in it.")
        return
    await chat.web.conversation(wanted)  # says when there is none, before this one is left
    await chat.switch(wanted)


def last_exchange(stored: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """What a stored conversation has from the person's last words on."""
    entries = stored.get("entries")
    found = [entry for entry in entries if isinstance(entry, Mapping)] if isinstance(entries, list) else []
    last = 0
    for place, entry in enumerate(found):
        inner = entry.get("entry")
        if (inner if isinstance(inner, Mapping) else entry).get("kind") == "user":
            last = place
    return found[last:]


async def rename(chat: ChatContext, arguments: str) -> None:
    """/rename: another name for this conversation."""
    title = one_line(arguments)
    if not title:
        chat.screen.trouble("What shall it be called? /rename NAME")
        return
    await chat.web.rename(chat.session_id, title)
    chat.screen.say(f"This conversation is called {title} now.")


async def delete(chat: ChatContext, arguments: str) -> None:
    """/delete."""
    if not arguments:
        chat.screen.trouble("Which one? /delete N or /delete ID; /sessions lists them.")
        return
    wanted = await _named(chat, arguments)
    if wanted is None:
        raise _unknown(arguments)
    if wanted == chat.session_id:
        chat.screen.trouble("This conversation is open. Begin another with /new, then delete it.")
        return
    title = one_line(chat.sessions.title(wanted)) or wanted
    if not await chat.questions.sure(f'Delete the conversation "{title}" for good?'):
        chat.screen.aside("It stays.")
        return
    await chat.web.delete(wanted)
    chat.sessions.forget(wanted)
    chat.screen.say(f'Deleted: "{title}".')


async def export(chat: ChatContext, arguments: str) -> None:
    """/export: write this conversation to a file of one's own."""
    form, _, name = arguments.partition(" ")
    if form and form.lower() not in FORMATS:
        ending = form.rsplit(".", 1)[-1].lower()
        form, name = (ending if ending in FORMATS and "." in form else "md"), arguments
    form = form.lower() or "md"
    suffix = "json" if form == "json" else "md"
    path = _target(name.strip() or f"chat-{_file_word(chat.session_id)}.{suffix}")
    text = await chat.web.export(chat.session_id, FORMATS[form])
    there = await asyncio.to_thread(_stands_there, path)
    if there == "folder":
        raise ChatProblem(f"{one_line(str(path))} is a folder. Name a file: /export {form} FILE")
    if there and not await chat.questions.sure(f"{one_line(str(path))} exists. Overwrite it?"):
        chat.screen.aside("Nothing was written.")
        return
    try:
        await asyncio.to_thread(write_privately, path, text)
    except OSError as error:
        raise ChatProblem(f"{one_line(str(path))} cannot be written: {error.strerror or error}.") from error
    chat.screen.say(f"Written: {one_line(str(path))}")


def _target(name: str) -> Path:
    try:
        return Path(name).expanduser()
    except RuntimeError as error:  # somebody who has no home
        raise ChatProblem(f"{one_line(name)} is no file.") from error


def _stands_there(path: Path) -> str:
    if path.is_dir():
        return "folder"
    return "file" if os.path.lexists(path) else ""


def write_privately(path: Path, text: str) -> None:
    """Write a file that only its owner reads, whole or not at all.

    Raises:
        OSError: it cannot be written.
    """
    descriptor, written = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # mode 0600
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="replace") as file:
            file.write(text)
        Path(written).replace(path)
    except BaseException:
        Path(written).unlink(missing_ok=True)
        raise


def _file_word(text: str) -> str:
    return re.sub(r"[^\w-]", "", text.removeprefix("chat_"))[:8] or "conversation"


def _is_number(word: str) -> bool:
    return word.isascii() and word.isdigit() and len(word) < 5


def _unknown(word: str) -> ChatProblem:
    return ChatProblem(f"There is no conversation {one_line(word)[:60]}. /sessions lists them.")


async def _named(chat: ChatContext, word: str) -> str | None:
    """The id that a number of the last list, an id, or its beginning means; None when it means none, or several."""
    found = chat.sessions.find(word)
    if found is None:
        await chat.sessions.fetch()
        found = chat.sessions.find(word)
    return found


async def _titled(chat: ChatContext, words: str) -> str | None:
    """The id of the conversation whose name has these words; None after showing that there are several.

    Raises:
        ChatProblem: there is none.
    """
    found = [] if _is_number(words) else await chat.sessions.search(words)
    whole = [one for one in found if one_line(one.get("title")).lower() == one_line(words).lower()]
    only = whole if len(whole) == 1 else found
    if not only:
        older = chat.sessions.find(words)  # all of them are known now
        if older is None:
            raise _unknown(words)
        return older
    if len(only) == 1:
        return str(only[0].get("id"))
    _show_listed(chat)
    return None


COMMANDS = (
    Command(
        "/sessions", "[PAGE|WORDS]", "your stored conversations, or those with these words in their name", sessions
    ),
    Command("/new", "", "begin a new conversation", new, anytime=False),
    Command("/resume", "[N|ID|WORDS]", "go on with a stored conversation", resume, anytime=False, completes="sessions"),
    Command("/rename", "NAME", "name this conversation", rename),
    Command("/delete", "N|ID", "delete a stored conversation", delete, completes="sessions"),
    Command("/export", "[md|json] [FILE]", "write this conversation to a file", export, completes="formats"),
)

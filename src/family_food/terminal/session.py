"""From the greeting to the goodbye: who somebody is, which conversation goes on, and the chat itself."""

from __future__ import annotations

from family_food.terminal.access.entrance import Entry, find_entry, not_logged_in, open_link
from family_food.terminal.access.login_prompt import TRIES, log_in_asking, open_keyboard, warn_of_eavesdroppers
from family_food.terminal.access.token_store import TokenStore
from family_food.terminal.arguments import Options
from family_food.terminal.chat import chat_here
from family_food.terminal.connection.link import Link
from family_food.terminal.connection.web import find_out_whether_it_answers
from family_food.terminal.display.output import Output
from family_food.terminal.display.screen import Screen, at_a_terminal
from family_food.terminal.problem import ChatProblem, Exit
from family_food.terminal.scripting.ask_once import ask_once, is_terminal
from family_food.terminal.typing.keyboard import Keyboard


async def converse(options: Options, entry: Entry | None = None) -> int:
    """Ask the one question there is, or chat.

    Args:
        options: what the person wants.
        entry: a way in, when there is one already.

    Returns:
        Exit code.
    """
    if options.asks or (not options.lines and not is_terminal(0)):
        return await ask_once(options, entry)
    if options.form != "text":
        Output("stderr").write("--json and --stream-json need a question.\n")
        return Exit.USAGE
    screen = Screen(at_a_terminal() and not options.lines, plain=options.plain)
    return await hold_session(options, screen, entry)


async def hold_session(
    options: Options, screen: Screen, entry: Entry | None = None, *, with_stored: bool = True
) -> int:
    """Greet, log in, chat.

    Args:
        options: what the person wants.
        screen: shows.
        entry: a way in, when there is one already.
        with_stored: a log-in of the environment or a stored one is used; else the person is asked.

    Returns:
        Exit code.
    """
    keyboard = open_keyboard(screen)
    screen.say("👋 Welcome Food Ordering CLI tool!")
    warn_of_eavesdroppers(options.url, screen)
    try:
        if entry is None and with_stored:
            entry = await find_entry(options.url, options.user, TokenStore())
        link = await _open(options, entry, screen) if entry is not None else None
        if link is None:
            entry = await _ask_in(options, screen, keyboard)
            if entry is None:
                return Exit.NOT_LOGGED_IN
            link = await open_link(options, entry)
        username = entry.user if entry is not None else ""
        return await chat_over(link, screen, keyboard, username, lasting=with_stored)
    except ChatProblem as problem:
        screen.trouble(problem.sentence)
        return problem.exit_code


async def chat_over(
    link: Link, screen: Screen, keyboard: Keyboard, username: str = "", *, lasting: bool = True
) -> Exit:
    """Chat over an open link until the person leaves; closes it.

    Args:
        link: the open chat.
        screen: shows.
        keyboard: where lines come from.
        username: who logged in.
        lasting: the server outlives the chat, so that one can come back.

    Raises:
        ChatProblem: the server ended it, or was lost for good.
    """
    try:
        screen.say("--- Chat session started ---")
        screen.say("Type 'exit' to quit.")
        return await chat_here(link, screen, keyboard, username, lasting=lasting)
    finally:
        await link.close()


async def _open(options: Options, entry: Entry, screen: Screen) -> Link | None:
    """Open the chat; None when a stored log-in is good no longer and a person can be asked."""
    try:
        return await open_link(options, entry)
    except ChatProblem as problem:
        if problem.exit_code is not Exit.NOT_LOGGED_IN or not entry.stored or not is_terminal(0):
            raise
        screen.aside("The stored log-in is not good any more.")
        return None


async def _ask_in(options: Options, screen: Screen, keyboard: Keyboard) -> Entry | None:
    """Ask for name and password and log in; None after saying why it did not work. Nobody is asked through a pipe."""
    if not is_terminal(0):
        screen.trouble(not_logged_in(options.url, options.user).sentence)
        return None
    await find_out_whether_it_answers(options.url)
    named = await log_in_asking(options.url, options.user, screen, keyboard, tries=TRIES)
    if named is None:
        return None
    user, grant = named
    screen.say("✅ Login successful!")
    return Entry.of(options.url, grant.token, user)

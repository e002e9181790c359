"""Chat with the family's assistant in a terminal, or ask it one question from a script.

``client.py`` logs in and chats with the server at ``--url``; ``client.py --demo`` brings a server along;
``client.py "question"`` asks and ends. docs/terminal-client.md has the rest.
"""

from __future__ import annotations

import asyncio
import dataclasses
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress

from family_food.terminal.address import is_loopback
from family_food.terminal.arguments import Options, read_arguments
from family_food.terminal.ask_once import ask_once, is_terminal
from family_food.terminal.chat import chat_here
from family_food.terminal.entrance import NOT_LOGGED_IN, Entry, chosen_conversation, enter, find_entry
from family_food.terminal.keyboard import Keyboard
from family_food.terminal.link import Link
from family_food.terminal.output import Output
from family_food.terminal.pipe_keyboard import PipeKeyboard
from family_food.terminal.problem import ChatProblem, Exit
from family_food.terminal.screen import Screen, at_a_terminal
from family_food.terminal.terminal_keyboard import TerminalKeyboard
from family_food.terminal.token_store import TokenStore
from family_food.terminal.web import Grant, log_in

API_URL = os.environ.get("PERMIT_CHAT_URL") or "http://localhost:8000"


async def login(username: str, password: str, url: str = API_URL, screen: Screen | None = None) -> str | None:
    """Log in.

    Returns:
        An access token; None when the server refused, after saying why.

    Raises:
        ChatProblem: there is no chat server at ``url``.
    """
    screen = screen or Screen(at_a_terminal())
    try:
        entry = await enter(url, username, password)
    except ChatProblem as problem:
        if problem.exit_code is not Exit.NOT_LOGGED_IN:
            raise
        screen.trouble(f"❌ Login failed: {problem.sentence}")
        return None
    screen.say("✅ Login successful!")
    return entry.web.token


async def chat(token: str, url: str = API_URL, screen: Screen | None = None, keyboard: Keyboard | None = None) -> Exit:
    """Chat until the person leaves.

    Returns:
        What the program should end with.

    Raises:
        ChatProblem: the token is not accepted, the server is not there, or it ended the chat.
    """
    screen = screen or Screen(at_a_terminal())
    return await chat_over(await Link.open(url, token), screen, keyboard or open_keyboard(screen))


async def chat_over(link: Link, screen: Screen, keyboard: Keyboard, username: str = "") -> Exit:
    """Chat over an open link until the person leaves; closes it.

    Raises:
        ChatProblem: the server ended it, or was lost for good.
    """
    try:
        screen.say("--- Chat session started ---")
        screen.say("Type 'exit' to quit.")
        return await chat_here(link, screen, keyboard)
    finally:
        await link.close()


async def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program.

    Args:
        arguments: the command line without the program's name; None for ``sys.argv``.

    Returns:
        Exit code, see :class:`family_food.terminal.problem.Exit`.
    """
    options = read_arguments(arguments, API_URL)
    _end_when_told()
    if options.demo is not None:
        return await demo(options)
    if options.task == "login":
        return await store_login(options)
    if options.task == "logout":
        return await forget_login(options)
    return await converse(options)


async def converse(options: Options, entry: Entry | None = None) -> int:
    """Ask the one question there is, or chat."""
    if options.asks or (not options.lines and not is_terminal(0)):
        return await ask_once(options, entry)
    if options.form != "text":
        Output("stderr").write("--json and --stream-json need a question.\n")
        return Exit.USAGE
    screen = Screen(at_a_terminal() and not options.lines, plain=options.plain)
    return await log_in_and_chat(options, screen, entry)


async def log_in_and_chat(
    options: Options, screen: Screen, entry: Entry | None = None, *, with_stored: bool = True
) -> int:
    """Greet, log in with what is stored or with name and password, chat."""
    keyboard = open_keyboard(screen)
    screen.say("👋 Welcome Food Ordering CLI tool!")
    _warn_of_eavesdroppers(options.url, screen)
    try:
        link = None
        if entry is None and with_stored:
            entry = await find_entry(options.url, options.user, TokenStore())
        if entry is not None:
            link = await _open(options, entry, screen)
        if link is None:
            entry = await _ask_in(options, screen, keyboard)
            if entry is None:
                return Exit.NOT_LOGGED_IN
            link = await Link.open(
                options.url, entry.web.token, await chosen_conversation(options, entry.web), web=entry.web
            )
        return await chat_over(link, screen, keyboard, entry.user if entry else "")
    except ChatProblem as problem:
        screen.trouble(problem.sentence)
        return problem.exit_code


async def _open(options: Options, entry: Entry, screen: Screen) -> Link | None:
    """Open the chat; None when a stored log-in is good no longer and a person can be asked."""
    try:
        session = await chosen_conversation(options, entry.web)
        return await Link.open(options.url, entry.web.token, session, web=entry.web)
    except ChatProblem as problem:
        if problem.exit_code is not Exit.NOT_LOGGED_IN or not entry.stored or not is_terminal(0):
            raise
        screen.aside("The stored log-in is not good any more.")
        return None


async def _ask_in(options: Options, screen: Screen, keyboard: Keyboard) -> Entry | None:
    """Ask for name and password and log in; None after saying why it did not work."""
    if not is_terminal(0):
        screen.trouble(NOT_LOGGED_IN)
        return None
    named = await _name_and_password(options, keyboard)
    if named is None:
        screen.trouble("A user name and a password are needed.")
        return None
    token = await login(*named, options.url, screen)
    return None if token is None else Entry.of(options.url, token, named[0])


async def store_login(options: Options) -> int:
    """Log in and store the token. Without a terminal, name (unless it is given) and password are lines of the input."""
    screen = Screen(at_a_terminal(), plain=options.plain)
    _warn_of_eavesdroppers(options.url, screen)
    named = await _name_and_password(options, open_keyboard(screen))
    if named is None:
        screen.trouble("A user name and a password are needed.")
        return Exit.NOT_LOGGED_IN
    try:
        grant: Grant = await log_in(options.url, *named)
        place = await TokenStore().keep(options.url, named[0], grant)
    except ChatProblem as problem:
        screen.trouble(f"❌ Login failed: {problem.sentence}")
        return problem.exit_code
    screen.say(f"✅ Logged in as {named[0]}. The log-in is kept in {place}.")
    minutes = max(1, round(grant.lifetime / 60))
    screen.aside(f"It lasts {minutes} minutes from the last use, and a day at most. client.py --logout forgets it.")
    return Exit.OK


async def forget_login(options: Options) -> int:
    """Remove the stored log-in."""
    screen = Screen(at_a_terminal(), plain=options.plain)
    gone = await TokenStore().forget(options.url, options.user)
    screen.say(f"Forgotten: {', '.join(gone)} at {options.url}." if gone else "There was no stored log-in.")
    return Exit.OK


async def demo(options: Options) -> int:
    """Start a backend with a database of its own; play the family story there, or chat with it here."""
    # Only the demo needs the rest of the project.
    from family_food.demo.backend import DemoBackend, demo_accounts
    from permit_core.errors import PermitError

    asks = options.asks or options.lines
    story = options.demo == "story" or not (at_a_terminal() or asks)
    screen = Screen(at_a_terminal() and not (story or asks), plain=options.plain)
    tell = screen.aside if not asks else lambda line: Output("stderr").write(f"{line}\n")
    tell("Starting a backend with a database of its own...")
    try:
        async with DemoBackend() as backend:
            if story:
                from family_food.demo.story import tell as tell_story

                return Exit.OK if await tell_story(backend) else Exit.ERROR
            options = dataclasses.replace(options, url=backend.url)
            accounts = demo_accounts()
            if asks:  # nobody is asked who they are: the first of the family
                account = next((a for a in accounts if options.user in (None, a.username)), None)
                if account is None:
                    tell(f"Nobody in the demo is called {options.user}.")
                    return Exit.NOT_LOGGED_IN
                return await converse(options, await enter(backend.url, account.username, account.password))
            screen.say("A demo of its own runs in this terminal until you leave. Log in as one of the family:")
            for account in accounts:
                screen.say(f"  {account.username:<8} {account.role:<8} password: {account.password}")
            screen.say("Somebody else of the family can join from another terminal:")
            screen.say(f"  uv run client.py --url {backend.url}")
            screen.say("A good first question: Which restaurants are there?")
            return await log_in_and_chat(options, screen, with_stored=False)
    except ChatProblem as problem:
        tell(problem.sentence)
        return problem.exit_code
    except PermitError as error:
        screen.trouble(str(error))
        return Exit.ERROR


def open_keyboard(screen: Screen) -> Keyboard:
    """The terminal's keyboard, or standard input when nobody sits at it."""
    return TerminalKeyboard(screen) if screen.interactive else PipeKeyboard(screen)


async def _name_and_password(options: Options, keyboard: Keyboard) -> tuple[str, str] | None:
    name = options.user or await _ask(keyboard, "Username: ")
    password = await keyboard.secret("Password: ") if name else None
    return (name.strip(), password) if name and password is not None else None


async def _ask(keyboard: Keyboard, prompt: str) -> str | None:
    return await (keyboard.ask(prompt) if isinstance(keyboard, TerminalKeyboard) else keyboard.line(prompt))


def _warn_of_eavesdroppers(url: str, screen: Screen) -> None:
    if not (url.startswith("https:") or is_loopback(url)):
        screen.trouble(f"The connection to {url} is not encrypted; others on the way can read your password.")


def _end_when_told() -> None:
    """A kill or a closed window ends the program as if it had been left: the server is told."""
    task = asyncio.current_task()
    for name in ("SIGTERM", "SIGHUP"):
        if task is not None and hasattr(signal, name):
            with suppress(NotImplementedError, RuntimeError, ValueError):  # Windows, or not the main thread
                asyncio.get_running_loop().add_signal_handler(getattr(signal, name), task.cancel)


def _open_streams() -> None:
    """Give a program that was started with closed streams empty ones, before anything else gets their numbers."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115, PTH123 - open to the end
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal without the character shows a question mark


def run() -> int:
    """The program: :func:`main`, and the ends that no coroutine sees."""
    _open_streams()
    try:
        code = int(asyncio.run(main()))
        sys.stdout.flush()
    except KeyboardInterrupt:
        Output("stderr").write("\n👋 Program terminated by user.\n")
        return Exit.INTERRUPTED
    except asyncio.CancelledError:  # it was told to end, and has tidied up
        return Exit.TERMINATED
    except ChatProblem as problem:  # the disk is full, for example
        Output("stderr").write(f"{problem.sentence}\n")
        return problem.exit_code
    except BrokenPipeError:  # whoever read our output went away
        code = Exit.ERROR
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what could not be written is not tried again
    return code


if __name__ == "__main__":
    sys.exit(run())

"""Chat with the family's assistant in a terminal.

``client.py`` logs in and chats with the server at ``--url``; ``client.py --demo`` brings a server along.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence

from family_food.terminal.address import checked_url, is_loopback
from family_food.terminal.chat import chat_here
from family_food.terminal.keyboard import Keyboard
from family_food.terminal.link import Link
from family_food.terminal.pipe_keyboard import PipeKeyboard
from family_food.terminal.problem import ChatProblem, Exit
from family_food.terminal.screen import Screen, at_a_terminal
from family_food.terminal.terminal_keyboard import TerminalKeyboard
from family_food.terminal.web import log_in

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
        grant = await log_in(url, username, password)
    except ChatProblem as problem:
        if problem.exit_code is not Exit.NOT_LOGGED_IN:
            raise
        screen.trouble(f"❌ Login failed: {problem.sentence}")
        return None
    screen.say("✅ Login successful!")
    return grant.token


async def chat(token: str, url: str = API_URL, screen: Screen | None = None, keyboard: Keyboard | None = None) -> Exit:
    """Chat until the person leaves.

    Returns:
        What the program should end with.

    Raises:
        ChatProblem: the token is not accepted, the server is not there, or it ended the chat.
    """
    screen = screen or Screen(at_a_terminal())
    keyboard = keyboard or open_keyboard(screen)
    link = await Link.open(url, token)
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
    options = read_arguments(arguments)
    if options.demo is not None:
        return await demo(story=options.demo == "story" or not at_a_terminal(), username=options.user)
    screen = Screen(at_a_terminal())
    return await log_in_and_chat(options.url, options.user, screen)


async def log_in_and_chat(url: str, username: str | None, screen: Screen) -> int:
    """Greet, ask for name and password, log in, chat."""
    keyboard = open_keyboard(screen)
    screen.say("👋 Welcome Food Ordering CLI tool!")
    if not (url.startswith("https:") or is_loopback(url)):
        screen.trouble(f"The connection to {url} is not encrypted; others on the way can read your password.")
    try:
        name = username or await _ask(keyboard, "Username: ")
        password = await keyboard.secret("Password: ") if name else None
        if not name or password is None:
            screen.trouble("A user name and a password are needed.")
            return Exit.NOT_LOGGED_IN
        token = await login(name.strip(), password, url, screen)
        return await chat(token, url, screen, keyboard) if token else Exit.NOT_LOGGED_IN
    except ChatProblem as problem:
        screen.trouble(problem.sentence)
        return problem.exit_code


async def demo(*, story: bool, username: str | None) -> int:
    """Start a backend with a database of its own; play the family story there, or chat with it here."""
    # Only the demo needs the rest of the project.
    from family_food.demo.backend import DemoBackend, demo_accounts
    from permit_core.errors import PermitError

    screen = Screen(at_a_terminal() and not story)
    screen.aside("Starting a backend with a database of its own...")
    try:
        async with DemoBackend() as backend:
            if story:
                from family_food.demo.story import tell

                return Exit.OK if await tell(backend) else Exit.ERROR
            screen.say("A demo of its own runs in this terminal until you leave. Log in as one of the family:")
            for account in demo_accounts():
                screen.say(f"  {account.username:<8} {account.role:<8} password: {account.password}")
            screen.say("Somebody else of the family can join from another terminal:")
            screen.say(f"  uv run client.py --url {backend.url}")
            screen.say("A good first question: Which restaurants are there?")
            return await log_in_and_chat(backend.url, username, screen)
    except PermitError as error:
        screen.trouble(str(error))
        return Exit.ERROR


def open_keyboard(screen: Screen) -> Keyboard:
    """The terminal's keyboard, or standard input when nobody sits at it."""
    return TerminalKeyboard(screen) if screen.interactive else PipeKeyboard(screen)


async def _ask(keyboard: Keyboard, prompt: str) -> str | None:
    return await (keyboard.ask(prompt) if isinstance(keyboard, TerminalKeyboard) else keyboard.line(prompt))


def read_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line; ends the program with 2 when it cannot be understood."""
    parser = argparse.ArgumentParser(
        prog="client.py",
        description="Chat with the family's food-ordering assistant.",
        epilog="Exit codes: 0 fine, 1 error, 2 usage, 3 not logged in, 4 server not reachable, 130 interrupted, 143 ended.",
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--url", default=API_URL, help="the server's address (PERMIT_CHAT_URL; %(default)s)")
    where.add_argument(
        "--demo",
        nargs="?",
        const="chat",
        choices=("chat", "story"),
        help="bring a server along and chat with it here; 'story', or no terminal: play the family story",
    )
    parser.add_argument("--user", metavar="NAME", help="log in as NAME; only the password is asked for")
    options = parser.parse_args(arguments)
    try:
        options.url = checked_url(options.url)
    except ValueError as error:
        parser.error(str(error))
    return options


def run() -> int:
    """The program: :func:`main`, and the ends that no coroutine sees."""
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal without the character shows a question mark
    try:
        return int(asyncio.run(main()))
    except KeyboardInterrupt:
        Screen(at_a_terminal()).say("\n👋 Program terminated by user.")
        return Exit.INTERRUPTED
    except asyncio.CancelledError:  # the demo was told to end, and has tidied up
        return Exit.TERMINATED
    except BrokenPipeError:  # whoever read our output went away
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.ERROR


if __name__ == "__main__":
    sys.exit(run())

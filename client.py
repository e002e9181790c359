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

from family_food.terminal.access.entrance import enter
from family_food.terminal.access.login_prompt import forget_login, log_in_aloud, open_keyboard, store_login
from family_food.terminal.arguments import Options, read_arguments
from family_food.terminal.connection.address import usual_url
from family_food.terminal.connection.link import Link
from family_food.terminal.display.output import Output
from family_food.terminal.display.screen import Screen, at_a_terminal
from family_food.terminal.problem import ChatProblem, Exit
from family_food.terminal.session import chat_over, converse, hold_session
from family_food.terminal.session_list import list_sessions
from family_food.terminal.typing.keyboard import Keyboard

API_URL = usual_url()


async def login(username: str, password: str, url: str = API_URL, screen: Screen | None = None) -> str | None:
    """Log in.

    Returns:
        An access token; None when the server refused, after saying why.

    Raises:
        ChatProblem: there is no chat server at ``url``.
    """
    entry = await log_in_aloud(url, username, password, screen or Screen(at_a_terminal()))
    return None if entry is None else entry.web.token


async def chat(token: str, url: str = API_URL, screen: Screen | None = None, keyboard: Keyboard | None = None) -> Exit:
    """Chat until the person leaves.

    Returns:
        What the program should end with.

    Raises:
        ChatProblem: the token is not accepted, the server is not there, or it ended the chat.
    """
    screen = screen or Screen(at_a_terminal())
    return await chat_over(await Link.open(url, token), screen, keyboard or open_keyboard(screen))


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
    if options.task == "sessions":
        return await list_sessions(options)
    return await converse(options)


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
            return await hold_session(options, screen, with_stored=False)
    except ChatProblem as problem:
        tell(problem.sentence)
        return problem.exit_code
    except PermitError as error:
        screen.trouble(str(error))
        return Exit.ERROR


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

"""One run of a script: who asks, what, in which conversation, and where the answer goes."""

from __future__ import annotations

import os
import stat
import sys

from family_food.terminal.access.entrance import Entry, enter, find_entry, not_logged_in, open_link
from family_food.terminal.access.token_store import TokenStore
from family_food.terminal.arguments import Options
from family_food.terminal.display.screen import Screen
from family_food.terminal.problem import ChatProblem, Exit
from family_food.terminal.scripting.script import Script
from family_food.terminal.scripting.script_output import FrameOutput, JsonOutput, ScriptOutput, TextOutput
from family_food.terminal.typing.pipe_keyboard import PipeKeyboard

_MOST_CHARACTERS = 4 * 1024 * 1024  # the server takes far less; what is longer is a mistake
_OUTPUTS: dict[str, type[TextOutput]] = {"text": TextOutput, "json": JsonOutput, "stream-json": FrameOutput}


async def ask_once(options: Options, entry: Entry | None = None) -> int:
    """Ask one question and say the answer on standard output, all else on standard error.

    Args:
        options: the question and how its answer is wanted.
        entry: a way in; else one is looked for, and a person at a terminal is asked.

    Returns:
        Exit code.
    """
    output: ScriptOutput = _OUTPUTS[options.form]()
    try:
        entry = entry or await way_in(options)
        question = await _question(options)
        link = await open_link(options, entry)
        try:
            return await Script(link, output, with_requests=options.form == "json").ask(question)
        finally:
            await link.close()
    except ChatProblem as problem:
        output.trouble(problem)
        return problem.exit_code


async def way_in(options: Options) -> Entry:
    """A log-in of the environment, a stored one, or that of a person at a terminal, who is asked on standard error.

    Raises:
        ChatProblem: there is none (``NOT_LOGGED_IN``), or the server cannot be reached.
    """
    entry = await find_entry(options.url, options.user, TokenStore()) or await _ask_in(options)
    if entry is None:
        raise not_logged_in(options.url, options.user)
    return entry


async def _ask_in(options: Options) -> Entry | None:
    """Ask a person for name and password; None when nobody is there. Standard output is left alone."""
    if not (is_terminal(0) and is_terminal(2)) or options.read_input:
        return None
    keyboard = PipeKeyboard(Screen(False))
    name = options.user or await keyboard.line("Username: ")
    password = await keyboard.secret("Password: ") if name else None
    return await enter(options.url, name, password) if name and password else None


async def _question(options: Options) -> str:
    """The words of the command line, and then standard input if something comes from there."""
    words, text = options.question, ""
    if options.read_input or (has_input() if words else not is_terminal(0)):
        text = (await PipeKeyboard(Screen(False)).everything(_MOST_CHARACTERS)).strip()
    if len(text) > _MOST_CHARACTERS:
        raise ChatProblem("Standard input is too long for a question.")
    if not (words or text):
        raise ChatProblem("There is no question: standard input is empty.", Exit.USAGE)
    return f"{words}\n\n{text}" if words and text else words or text


def is_terminal(descriptor: int) -> bool:
    """Whether a person may sit behind it."""
    try:
        return os.isatty(descriptor)
    except OSError:
        return False


def has_input() -> bool:
    """Whether standard input is a pipe or a file: something that ends, and is meant for this program."""
    try:
        mode = os.fstat(sys.stdin.fileno()).st_mode
    except (OSError, ValueError, AttributeError):
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISREG(mode) or stat.S_ISSOCK(mode)

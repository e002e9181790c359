"""The command line of ``client.py``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Literal

from family_food.terminal.connection.address import checked_url
from family_food.terminal.visible import sendable

_EPILOG = """\
Without a question: a chat in this terminal. With one, or with a pipe: one answer on standard output.

exit codes: 0 answered, 1 error or empty answer, 2 usage, 3 not logged in, 4 server not reachable,
5 denied or needs an approval, 6 a limit was met, 130 interrupted, 143 told to end
"""

Format = Literal["text", "json", "stream-json"]
Task = Literal["login", "logout", "sessions"]
TASKS: tuple[Task, ...] = ("login", "logout", "sessions")


@dataclass(frozen=True, slots=True)
class Options:
    """What the person wants.

    Attributes:
        question: the words of a question; empty when there are none on the command line.
        read_input: standard input was named as (a part of) the question.
        lines: each line of standard input is a message.
        url: the server's base address.
        user: log-in name, or None.
        demo: bring a server along: to chat with it, or to play the family story.
        task: to log in or out, or to list the stored conversations, and nothing else.
        resume: the id of a conversation that is to go on; None for a new one.
        newest: go on with the newest conversation.
        form: of what is written to standard output.
        plain: words instead of colours and symbols.
    """

    question: str = ""
    read_input: bool = False
    lines: bool = False
    url: str = ""
    user: str | None = None
    demo: Literal["chat", "story"] | None = None
    task: Task | None = None
    resume: str | None = None
    newest: bool = False
    form: Format = "text"
    plain: bool = False

    @property
    def asks(self) -> bool:
        """There is a question on the command line, or standard input is named as one."""
        return bool(self.question) or self.read_input


def read_arguments(arguments: Sequence[str] | None, default_url: str) -> Options:
    """Read the command line; ends the program with 2 when it cannot be understood.

    Args:
        arguments: without the program's name; None for ``sys.argv``.
        default_url: the server when none is named.
    """
    parser = _parser(default_url)
    given = [sendable(word) for word in (sys.argv[1:] if arguments is None else arguments)]
    end = given.index("--") if "--" in given else len(given)  # what follows it are words, whatever they look like
    read = parser.parse_intermixed_args(given[:end])
    if read.version:
        sys.stdout.write(f"client.py {version('permit-mcp')}\n")
        parser.exit()
    words: list[str] = [*([read.prompt] if read.prompt is not None else []), *read.question, *given[end + 1 :]]
    demo = read.demo
    if demo not in (None, "chat", "story"):  # not the demo's kind, but the first word after it
        words.insert(0, demo)
        demo = "chat"
    try:
        url = checked_url(read.url)
    except ValueError as error:
        parser.error(str(error))
    options = Options(
        question=" ".join(word for word in words if word != "-").strip(),
        read_input="-" in words,
        lines=read.lines,
        url=url,
        user=read.user,
        demo=demo,
        task=next((task for task in TASKS if getattr(read, task)), None),
        resume=read.resume,
        newest=read.newest,
        form="json" if read.json else "stream-json" if read.stream_json else "text",
        plain=read.plain,
    )
    trouble = "The question is empty." if words and not options.asks else _contradiction(options)
    if trouble:
        parser.error(trouble)
    return options


def _contradiction(options: Options) -> str:
    """What does not go together; empty when everything does."""
    goes_on = options.resume is not None or options.newest
    log = options.task in ("login", "logout")
    wrong = {
        f"--{options.task} takes no question and begins no chat.": bool(options.task)
        and (options.asks or options.lines or bool(options.demo) or goes_on),
        "A demo begins with an empty database: there is nothing to go on with.": bool(options.demo) and goes_on,
        "The story takes no questions.": options.demo == "story"
        and (options.asks or options.lines or options.form != "text"),
        "With --lines the questions are lines of standard input.": options.lines and options.asks,
        "--json and --stream-json are for an answer.": options.form != "text" and (log or options.lines),
    }
    return next((trouble for trouble, is_so in wrong.items() if is_so), "")


def _told(url: str) -> str:
    """An address for the help, in which a percent sign would mean something; never a password in it."""
    return "one with a password" if "@" in url else url.replace("%", "%%")


def _parser(default_url: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="client.py",
        description="Chat with the family's food-ordering assistant.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("question", nargs="*", help="ask this and end; '-' stands for standard input, which a pipe adds by itself")
    add("-p", "--prompt", metavar="QUESTION", help="the same, for a question that begins with a dash, or out of habit")
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--url",
        default=default_url,
        help=f"the server's address (environment: PERMIT_CHAT_URL; now {_told(default_url)})",
    )
    where.add_argument(
        "--demo",
        nargs="?",
        const="chat",
        metavar="story",
        help="bring a server along and chat with it here; 'story', or no terminal: play the family story",
    )
    add("--user", metavar="NAME", help="log in as NAME; only the password is asked for")
    log = parser.add_mutually_exclusive_group()
    log.add_argument("--login", action="store_true", help="log in, and stay logged in for later runs")
    log.add_argument("--logout", action="store_true", help="forget the stored log-in")
    log.add_argument("--sessions", action="store_true", help="list the conversations that can go on")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("-r", "--resume", metavar="ID", help="go on with this conversation")
    which.add_argument(
        "-c", "--continue", dest="newest", action="store_true", help="go on with the newest conversation"
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="one JSON object: answer, tools, usage, requests, error")
    form.add_argument("--stream-json", action="store_true", help="every frame of the server as a line of JSON")
    add("--lines", action="store_true", help="each line of standard input is a message of one chat")
    add("--plain", action="store_true", help="words instead of colours and symbols, for screen readers")
    add("--version", action="store_true", help="print the version and end")
    return parser

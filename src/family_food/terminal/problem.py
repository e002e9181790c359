"""Why the client ends, and the sentence it ends with."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes of ``client.py``."""

    OK = 0
    ERROR = 1  # also: an empty answer
    USAGE = 2
    NOT_LOGGED_IN = 3  # wrong password, too many attempts, an expired log-in
    UNREACHABLE = 4  # no server there, or the connection was lost for good
    DENIED = 5  # a tool was refused, or something now waits for an approval
    LIMIT = 6  # the turn met one of its limits, or too many chats are open
    INTERRUPTED = 130  # Ctrl-C, as shells count it
    TERMINATED = 143  # told to end, or the window was closed


class ChatProblem(Exception):
    """Something the person at the terminal is told in one sentence.

    Args:
        sentence: what was wrong and what to do; shown as it is.
        exit_code: what the program ends with when nobody can carry on.
    """

    def __init__(self, sentence: str, exit_code: Exit = Exit.ERROR) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.exit_code = exit_code

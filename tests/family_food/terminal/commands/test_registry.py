from __future__ import annotations

import pytest

from family_food.terminal.commands.command_table import COMMANDS

NAMES = [
    *("/help", "/pending", "/approve", "/deny", "/orders", "/sessions", "/new", "/resume", "/rename", "/delete"),
    *("/tools", "/model", "/usage", "/export", "/verbose", "/exit", "/login", "/continue"),
]


def test_every_command_is_there_once_with_a_line_of_help() -> None:
    names = [command.name for command in COMMANDS.all]
    assert sorted(names) == sorted(NAMES)
    assert len(set(names)) == len(names)
    assert all(command.help for command in COMMANDS.all)


@pytest.mark.parametrize(
    ("line", "name", "arguments"),
    [
        ("/help", "/help", ""),
        ("/HELP  approve ", "/help", "approve"),
        ("/approve 2 have fun", "/approve", "2 have fun"),
        ("/deny 1 eat\nyour soup", "/deny", "1 eat\nyour soup"),
        ("/export\nmd", "/export", "md"),
        ("exit", "/exit", ""),
        (" Quit ", "/exit", ""),
        ("/quit", "/exit", ""),
        ("/?", "/help", ""),
    ],
)
def test_a_line_calls_a_command(line: str, name: str, arguments: str) -> None:
    called = COMMANDS.called(line)
    assert called is not None
    assert called.command is not None
    assert (called.command.name, called.arguments) == (name, arguments)


@pytest.mark.parametrize("line", ["hello", " /help", "what does /help do?", "exit now", "", "leave"])
def test_anything_else_is_a_message(line: str) -> None:
    assert COMMANDS.called(line) is None


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("/aprove", "/approve"),
        ("/pendign", "/pending"),
        ("/halp", "/help"),
        ("/ses", "/sessions"),
        ("/verb", "/verbose"),
        ("/reusme", "/resume"),
        ("/ext", "/exit"),
    ],
)
def test_a_misspelled_command_is_no_message_and_the_likely_one_is_named(typed: str, meant: str) -> None:
    called = COMMANDS.called(f"{typed} 1")
    assert called is not None
    assert called.command is None
    assert meant in called.problem


@pytest.mark.parametrize("line", ["/", "/zzzzzz", "/etc/passwd is a file", "/\x1b[2Jx", "/" + "x" * 5000])
def test_a_command_like_no_other_is_no_message_either(line: str) -> None:
    called = COMMANDS.called(line)
    assert called is not None
    assert called.command is None
    assert "/help" in called.problem
    assert "\x1b" not in called.problem
    assert len(called.problem) < 250

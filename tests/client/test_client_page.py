"""docs/terminal-client.md names every option, command, key and exit code there is, and no other."""

from __future__ import annotations

import re
from pathlib import Path

from family_food.terminal.arguments import _parser
from family_food.terminal.commands.command_table import _KEYS, COMMANDS
from family_food.terminal.problem import Exit

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "terminal-client.md").read_text(encoding="utf-8")


def rows(heading: str) -> dict[str, str]:
    """The first two cells of the table under a heading line."""
    table = PAGE[PAGE.index(heading) :].split("\n\n")[0].splitlines()[2:]
    cells = [re.split(r"(?<!\\)\|", line)[1:3] for line in table]
    return {first.strip().replace("\\|", "|"): second.strip() for first, second in cells}


def test_every_option_is_there() -> None:
    options = {name for action in _parser("http://localhost")._actions for name in action.option_strings}
    named = set(re.findall(r"(?<![\w-])--?[a-z]+(?:-json)?", " ".join(rows("| option | meaning |"))))
    assert options - {"-h", "--help"} == named


def test_every_command_is_there_with_its_own_words() -> None:
    shown = {f"{command.name} {command.takes}".strip(): command.help for command in COMMANDS.all}
    assert {first.strip("`"): second for first, second in rows("| command | what it does |").items()} == shown


def test_every_key_of_the_help_is_there() -> None:
    page = " ".join(rows("| key | what it does |")).lower()
    for keys, _ in _KEYS:
        for key in re.findall(r"(?:alt|ctrl)-\w+|enter|tab|up|down", keys.lower()):
            assert key in page, key


def test_every_exit_code_is_there() -> None:
    assert {int(code) for code in rows("| exit code | meaning |")} == set(Exit)
